"""The open state that a process keeps between operations: the stores and the audit trail."""

from collections.abc import Callable
from functools import cached_property
from typing import Self

from attrs import field, frozen

from brownie_backup.audit.auditor import Auditor
from brownie_backup.config import OpenStores, Settings, make_dumper
from brownie_backup.config.redaction import redactor
from brownie_backup.protocols import Dumper
from brownie_backup.repository import Repository
from brownie_backup.retention.policy import RetentionPolicy


@frozen(eq=False)
class ServiceContext:
    """The state that all `Service` objects of the same settings share, for any actor. Thread-safe.

    Nothing is opened before it is needed, and nothing twice.

    Args:
        stores: of the settings.
        auditor: records all operations. It keeps the records that a store has not taken yet.
        make_dumper: makes the dumper of a run from the settings.
    """

    stores: OpenStores
    auditor: Auditor = field(repr=False)
    _make_dumper: Callable[[Settings], Dumper] = field(
        factory=lambda: make_dumper, kw_only=True, repr=False
    )

    @auditor.default
    def _own_auditor(self) -> Auditor:
        def redact(text: str) -> str:
            return redactor(self.stores.known)(text)

        return Auditor(redact=redact)

    @classmethod
    def of(cls, settings: Settings, *, reread: Callable[[], Settings] | None = None) -> Self:
        """Return a context in which nothing is open yet.

        Args:
            settings: for all operations.
            reread: returns the settings as they are now, for a process that runs for long.
        """
        return cls(OpenStores(settings, reread=reread))

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
        """Return a dumper of the database, for one run.

        It caches facts about the server, such as its version, that may change before the next run.
        """
        return self._make_dumper(self.stores.current)

    def database_name(self) -> str:
        """Return the name of the database; if only the server knows it, ask it once."""
        return self._named.database_name()

    @cached_property
    def _named(self) -> Dumper:
        return self.dumper()

    def close(self) -> None:
        """Close everything that is open; a later use opens it again."""
        self.stores.close()
