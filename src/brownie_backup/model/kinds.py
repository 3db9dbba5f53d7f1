"""Kinds of backups, and which backups can replace each other."""

from enum import StrEnum

from attrs import frozen


class Kind(StrEnum):
    """The kinds of backups that this version knows. A store may hold kinds from newer versions."""

    LOGICAL = "logical"
    """Of one database: the output of pg_dump and COPY."""


@frozen
class DatabaseId:
    """The identity of a database: two clusters may have databases of the same name."""

    system_identifier: str
    name: str

    def __str__(self) -> str:
        return f"'{self.name}' of cluster {self.system_identifier}"


@frozen(cache_hash=True)  # it is the key under which large catalogues are grouped
class BackupSet:
    """The set within which a newer backup can replace an older one.

    Its backups are of the same database or cluster, and of the same kind. Retention, `latest`,
    attempts, parents and metrics work per set. A backup of one kind says nothing about backups of
    another kind, even if both are of the same database.
    """

    cluster: str
    """The system identifier; empty if unknown."""
    database: str | None
    """The database's name; None for the whole cluster."""
    kind: str

    @property
    def name(self) -> str:
        """The name of the database, or the system identifier for the whole cluster.

        It identifies a database until a server has been asked for its cluster.
        """
        return self.cluster if self.database is None else self.database

    def is_of(self, database: DatabaseId) -> bool:
        """Whether these are backups of that database, of any kind."""
        return (self.cluster, self.database) == (database.system_identifier, database.name)

    def __str__(self) -> str:
        what = f"cluster {self.cluster}"
        if self.database is not None:
            what = str(DatabaseId(self.cluster, self.database))
        return what if self.kind == Kind.LOGICAL else f"{what} ({self.kind})"
