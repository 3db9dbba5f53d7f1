"""Kinds of backups, and which backups stand for each other."""

from enum import StrEnum

from attrs import frozen


class Kind(StrEnum):
    """The kinds of backups that this version knows. A store may have others, of newer versions."""

    LOGICAL = "logical"
    """Of one database: what pg_dump and COPY write."""


@frozen
class DatabaseId:
    """Which database a backup is of: a name alone may be that of one in every cluster."""

    system_identifier: str
    name: str

    def __str__(self) -> str:
        return f"'{self.name}' of cluster {self.system_identifier}"


@frozen
class BackupSet:
    """Backups of which a newer one stands for an older one: of the same thing, in the same way.

    Retention, `latest`, attempts, parents and metrics go by it. A backup of one kind says nothing
    about those of another, even if both are of the same database.
    """

    cluster: str
    """The system identifier; empty if nothing says it."""
    database: str | None
    """The database's name; None for the whole cluster."""
    kind: str

    @property
    def name(self) -> str:
        """The name of the database, or the system identifier for the whole cluster.

        A database goes by it where its cluster is not known: before a server was asked.
        """
        return self.cluster if self.database is None else self.database

    def is_of(self, database: DatabaseId) -> bool:
        """Whether these are backups of that database, of whatever kind."""
        return (self.cluster, self.database) == (database.system_identifier, database.name)

    def __str__(self) -> str:
        what = f"cluster {self.cluster}"
        if self.database is not None:
            what = str(DatabaseId(self.cluster, self.database))
        return what if self.kind == Kind.LOGICAL else f"{what} ({self.kind})"
