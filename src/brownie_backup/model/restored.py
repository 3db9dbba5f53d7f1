"""What a restore changed on a server, as frozen data."""

from attrs import frozen


@frozen
class FailedObject:
    """An object that could not be restored."""

    kind: str
    """Its type, such as ``FK CONSTRAINT``, as pg_restore calls it."""
    name: str
    error: str
    """PostgreSQL's error."""


@frozen(order=True)
class RestoredTable:
    """A requested table and its number of rows."""

    name: str
    rows: int


@frozen
class RestoredDatabase:
    """What the restore of a logical backup changed on the server."""

    replaced_database: str | None = None
    """The name under which the replaced database is kept."""
    created_roles: tuple[str, ...] = ()
    tables: tuple[RestoredTable, ...] = ()
    """The requested tables; empty if the whole backup was restored."""
    differences: tuple[str, ...] = ()
    """How the database differs from what the archive lists; the options accepted that."""
    failed: tuple[FailedObject, ...] = ()
    """The objects that could not be restored; the options accepted that."""

    @property
    def accepted(self) -> tuple[str, ...]:
        """What the options accepted, by name."""
        accepted = {"differences": self.differences, "errors": self.failed}
        return tuple(name for name, found in accepted.items() if found)
