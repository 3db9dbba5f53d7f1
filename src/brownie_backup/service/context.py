"""What a process keeps open between what is asked of it: stores, a dumper, the audit trail."""

import threading
from typing import Self

from attrs import field, frozen

from brownie_backup.audit.auditor import Auditor
from brownie_backup.config import OpenStores, Settings, make_dumper
from brownie_backup.config.redaction import redactor
from brownie_backup.protocols import Dumper, SupportsClose
from brownie_backup.repository import Repository
from brownie_backup.retention.policy import RetentionPolicy


@frozen(eq=False)
class ServiceContext:
    """What every `Service` of some settings shares, whoever asks. Thread-safe.

    Nothing is opened before it is needed, and nothing twice.

    Args:
        stores: of the settings.
        auditor: records all operations. What a store has not taken of its trail yet, it keeps.
    """

    stores: OpenStores
    auditor: Auditor = field(repr=False)
    _dumpers: list[Dumper] = field(factory=list, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    @auditor.default
    def _own_auditor(self) -> Auditor:
        return Auditor(redact=redactor(self.stores.settings))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return a context in which nothing is open yet."""
        return cls(OpenStores(settings))

    def repositories(
        self,
        *,
        writes: bool = False,
        first: str | None = None,
        retry_seconds: float | None = None,
    ) -> tuple[Repository, ...]:
        """Return the repositories in all stores; see `OpenStores.repositories`."""
        return self.stores.repositories(writes=writes, first=first, retry_seconds=retry_seconds)

    @property
    def policies(self) -> tuple[RetentionPolicy, ...]:
        """Which backups each store keeps, the primary one first."""
        return self.stores.policies

    def dumper(self) -> Dumper:
        """Return the dumper of the database."""
        with self._lock:
            if not self._dumpers:
                self._dumpers.append(make_dumper(self.stores.settings))
            return self._dumpers[0]

    def close(self) -> None:
        """Close what is open; what is used later, opens it again."""
        with self._lock:
            for dumper in self._dumpers:
                if isinstance(dumper, SupportsClose):
                    dumper.close()
            self._dumpers.clear()
        self.stores.close()
