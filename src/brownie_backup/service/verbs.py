"""The common part of all verbs of the service: the actor, and the operation that each verb is."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Self

from attrs import field, frozen

from brownie_backup.audit.operation import Actor, Operation
from brownie_backup.config.settings import Settings
from brownie_backup.errors import DatabaseError, DatabaseNotFound
from brownie_backup.operations.find import LocatedBackup, find_backup
from brownie_backup.repository import Repository
from brownie_backup.service.context import ServiceContext


@frozen
class Verbs:
    """Base class of `Service`, whose verbs are in files of their own."""

    settings: Settings
    actor: Actor
    context: ServiceContext = field(eq=False, repr=False)

    @context.default
    def _own_context(self) -> ServiceContext:
        return ServiceContext.of(self.settings)

    @context.validator
    def _is_of_the_settings(self, _: object, context: ServiceContext) -> None:
        if context.stores.settings is not self.settings:
            msg = "the context is of other settings: make a new Service of these"
            raise ValueError(msg)

    def close(self) -> None:
        """Close the stores, and everything else that the context has opened, for all its users."""
        self.context.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def database_name(self) -> str:
        """Return the name of the backed-up database, asking the server if necessary."""
        return self.context.database_name()

    def _database_name_if_known(self) -> str | None:
        try:
            return self.database_name()
        except (DatabaseError, DatabaseNotFound):  # the server is out of reach
            return None

    def _find(
        self, repositories: Sequence[Repository], name: str, *, damaged_too: bool = False
    ) -> LocatedBackup:
        whose = self._database_name_if_known
        return find_backup(repositories, name, whose=whose, damaged_too=damaged_too)

    def _operation(
        self,
        repositories: Sequence[Repository],
        action: str,
        backup: str | None,
        operation_id: str | None = None,
        *,
        dry_run: bool = False,
    ) -> AbstractContextManager[Operation]:
        return self.context.auditor.operation(
            [repository.store for repository in repositories],
            action,
            self.actor,
            backup=backup,
            id=operation_id,
            dry_run=dry_run,
        )
