"""What clients do, in the public verbs alone: each piece of work is for one process."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random

from attrs import define, evolve
from tests.unit.fakes import DATABASE, FakeDumper

from brownie_backup import (
    Backup,
    Repository,
    RetentionPolicy,
    apply_retention,
    create_backup,
    delete_backup,
    hold_backup,
    list_backups,
    release_backup,
    restore,
    verify_backup,
)
from brownie_backup.model import PartKind

BLOB_BYTES = 64
"""How much makes a blob here, so that a few hundred bytes make several."""

POOL = tuple(bytes([number]) * BLOB_BYTES for number in range(5))
"""Pieces that turn up again and again, so that backups share blobs and find forgotten ones."""

DATABASES = ("shop", "wiki")
NAMES = ("daily", "weekly")
"""Names that are used again after a deletion, and by several clients at once."""


VERBS = (
    *("backup", "backup", "backup", "cleanup", "cleanup", "cleanup", "deletion", "deletion"),
    *("hold", "release", "verification", "restore", "listing"),
)


@define(eq=False)
class Work:
    """One call of a verb by one process, and how it ended."""

    what: str
    do: Callable[[Repository], object]
    database: FakeDumper | None = None
    """What it backs up."""
    name: str | None = None
    """The backup that it deletes, verifies or restores."""
    policy: RetentionPolicy | None = None
    releases: bool = False
    """Whether it ends the hold of that backup."""
    result: object = None
    error: BaseException | None = None
    ended: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the verb returned."""
        return self.ended and self.error is None

    def __str__(self) -> str:
        return self.what


def backup(random: Random, *, database: str = "", pieces: tuple[bytes, ...] = ()) -> Work:
    """Back up a database of some pieces, by default a few, most of them old acquaintances.

    A given database gets a name of its own.
    """
    name = random.choice(NAMES) if not database and random.random() < 1 / 3 else None
    database = database or random.choice(DATABASES)
    pieces = pieces or tuple(
        random.randbytes(BLOB_BYTES) if random.random() < 1 / 4 else random.choice(POOL)
        for _ in range(random.randint(0, 3))
    )
    content: dict[str, bytes] = {
        PartKind.INVENTORY: b"{}",
        PartKind.ARCHIVE: b"".join(pieces),
    }
    dumper = FakeDumper(content, piece=50, database=evolve(DATABASE, name=database))

    def do(repository: Repository) -> object:
        return create_backup(repository, dumper, name=name, jobs=1)

    return Work(f"backup of {database}" + (f" as {name}" if name else ""), do, dumper)


def deletion(name: str) -> Work:
    """Delete a backup by name."""
    return Work(f"deletion of {name}", lambda there: delete_backup(there, name), name=name)


def cleanup(random: Random, *, many: bool | None = None) -> Work:
    """Delete by a policy that keeps little, and sweep; `many` at once, or as chance decides."""
    within = timedelta(hours=random.choice((1, 1, 30)))
    policy = RetentionPolicy(keep_within=within, keep_min=random.choice((1, 1, 2)))
    sure = random.random() < 3 / 4 if many is None else many

    def do(repository: Repository) -> object:
        return apply_retention(repository, policy, database=None, yes_delete_many=sure)

    return Work("cleanup", do, policy=policy)


def hold(name: str) -> Work:
    """Keep a backup whatever the policy says."""
    return Work(f"hold of {name}", lambda there: hold_backup(there, name), name=name)


def release(name: str) -> Work:
    """Let a backup go again."""

    def do(repository: Repository) -> object:
        return release_backup(repository, name)

    return Work(f"release of {name}", do, name=name, releases=True)


def verification(name: str) -> Work:
    """Read a backup back and record that it is good."""
    dumper = FakeDumper({})
    return Work(
        f"verification of {name}", lambda there: verify_backup(there, dumper, name), name=name
    )


def restoration(name: str) -> Work:
    """Restore a backup; the result is what was loaded."""
    dumper = FakeDumper({})

    def do(repository: Repository) -> Mapping[str, bytes]:
        restore(repository, dumper, name, target_database="copy")
        return dumper.databases["copy"]

    return Work(f"restore of {name}", do, name=name)


def listing() -> Work:
    """List the backups, and see that their blobs are there."""

    def do(repository: Repository) -> tuple[Backup, ...]:
        return list_backups(repository)

    return Work("listing", do)


def work(verb: str, name: str, random: Random) -> Work:
    """Return some work of a kind; `name` is the backup that it may be about."""
    if verb in _ABOUT_ONE:
        return _ABOUT_ONE[verb](name)
    match verb:
        case "backup":
            return backup(random)
        case "cleanup":
            return cleanup(random)
        case "restore":
            return restoration(random.choice((name, "latest")))
    return listing()


_ABOUT_ONE = {
    "deletion": deletion,
    "hold": hold,
    "release": release,
    "verification": verification,
}
