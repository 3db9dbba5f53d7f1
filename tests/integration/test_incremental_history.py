"""Whatever happens to a database, an incremental backup is what a full one would be.

``BROWNIE_TEST_BACKUPS`` says how many backups are compared, and ``BROWNIE_TEST_SEED`` with which
seed; a failure prints the seed. The nox session ``nightly`` takes many.
"""

import contextlib
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from tests.integration.incremental import SETTINGS, Scene, crash, crash_backend
from tests.servers.running import Server

BACKUPS = int(os.environ.get("BROWNIE_TEST_BACKUPS") or 20)
SEED = int(os.environ.get("BROWNIE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
_STEPS = 4
"""The most steps between two backups."""
_TABLES = ("a", "b", "c")
_ROWS = 4000
_MOST_OPEN = 3
_LEAST_SKIPPED = 0.2
"""Which share of all ranges must have been skipped; mostly it is between a third and a half."""

_SCHEMA = """
CREATE TYPE mood AS ENUM ('m0', 'm1');
CREATE TABLE {0} (
  id int PRIMARY KEY, n int NOT NULL, x text, m mood DEFAULT (enum_range(NULL::mood))[1])
  WITH (fillfactor = 90);
ALTER TABLE {0} ALTER x SET STORAGE EXTERNAL;
INSERT INTO {0} SELECT g, 0, repeat(md5(g::text), 3) FROM generate_series(1, {1}) g;
"""

pytestmark = [pytest.mark.once, pytest.mark.timeout(60 + 20 * BACKUPS)]

Step = Callable[["World"], None]


class World:
    """A database, what happens to it, and the sessions that have not ended yet."""

    def __init__(self, server: Server, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a history that can be had again
        self.scene = Scene(server, "postgres")
        self.open: list[psycopg.Connection[tuple[object, ...]]] = []
        self.numbers = iter(range(1, 1 << 30))
        enum, table = _SCHEMA.strip().split("\n", 1)
        self.scene.sql(enum)
        for name in _TABLES:
            self.scene.sql(table.format(name, _ROWS))
        self.scene.sql("VACUUM (FREEZE, ANALYZE); CHECKPOINT")

    def run(self, *statements: str) -> None:
        """Run statements in one session, in a transaction each, as far as nobody is in the way."""
        with closing(self.session(autocommit=True)) as session, in_the_way():
            for statement in statements:
                session.execute(statement)

    def session(self, *, autocommit: bool = False) -> "psycopg.Connection[tuple[object, ...]]":
        """Open a session that does not wait for others for long."""
        url = self.scene.server.url(self.scene.database)
        options = f"-c lock_timeout=20ms -c synchronous_commit={self.random.choice(['on', 'off'])}"
        return psycopg.connect(url, autocommit=autocommit, options=options)

    def end(self) -> None:
        """Let one of the open transactions commit or roll back, mostly the oldest."""
        if self.open:
            session = self.open.pop(self.random.choice([0, 0, -1]))
            with closing(session), in_the_way():
                session.execute("ROLLBACK" if self.random.random() < 0.3 else "COMMIT")

    def lose_sessions(self) -> None:
        """Forget the sessions of a server that has crashed."""
        for session in self.open:
            session.close()
        self.open.clear()

    def table(self) -> str:
        """Choose a table."""
        return self.random.choice(_TABLES)

    def rows(self) -> str:
        """Choose a few rows, near each other; some are written more often than others."""
        first = int(_ROWS * self.random.random() ** 4)
        return f"id BETWEEN {first} AND {first + self.random.choice([0, 0, 3, 20])}"

    def write(self) -> str:
        """Choose a statement that writes rows."""
        table, rows, number = self.table(), self.rows(), next(self.numbers)
        key = 1_000_000 + 1000 * number
        least = f"SELECT min(id) FROM {table} WHERE {rows}"
        inserted = f"generate_series(1, {self.random.choice([1, 10, 300])}) g"
        upsert = "ON CONFLICT (id) DO UPDATE SET n = excluded.n"
        return self.random.choice(
            [
                f"UPDATE {table} SET n = {number} WHERE {rows}",
                f"UPDATE {table} SET x = repeat(md5('{number}'), 3) WHERE {rows}",
                f"UPDATE {table} SET x = repeat(md5('{number}'), 150) WHERE {rows}",
                f"UPDATE {table} SET m = (enum_range(NULL::mood))[{1 + number % 2}] WHERE {rows}",
                f"UPDATE {table} SET id = {key} WHERE id = ({least})",
                f"DELETE FROM {table} WHERE {rows}",
                f"INSERT INTO {table} (id, n, x) SELECT {key} + g, g, 'new' FROM {inserted}",
                f"INSERT INTO {table} (id, n) SELECT id, -1 FROM {table} WHERE {rows} {upsert}",
                f"SELECT id FROM {table} WHERE {rows} FOR UPDATE",
                f"SELECT id FROM {table} WHERE {rows} FOR KEY SHARE",
            ]
        )


@contextlib.contextmanager
def in_the_way() -> Iterator[None]:
    """Let a step fail because of others' locks, or because what it wants is not there now."""
    with contextlib.suppress(
        psycopg.errors.LockNotAvailable,
        psycopg.errors.DeadlockDetected,
        psycopg.errors.InFailedSqlTransaction,
        psycopg.errors.ObjectInUse,
    ):
        yield


# --- steps ---------------------------------------------------------------------------------------


def write(world: World) -> None:
    world.run(*(world.write() for _ in range(world.random.randrange(1, 4))))


def begin(world: World) -> None:
    """Begin a transaction, or go on with one, and leave it open."""
    if len(world.open) < _MOST_OPEN:
        world.open.append(world.session())
    with in_the_way():
        world.random.choice(world.open).execute(world.write())


def end(world: World) -> None:
    world.end()


def prepare(world: World) -> None:
    statements = (world.write(), f"PREPARE TRANSACTION 'p{next(world.numbers)}'")
    with closing(world.session()) as session, in_the_way():
        for statement in statements:
            session.execute(statement)


def end_prepared(world: World) -> None:
    found = world.scene.sql("SELECT gid FROM pg_prepared_xacts").split()
    for gid in found[: world.random.randrange(1, 5)]:
        world.run(f"{world.random.choice(['COMMIT', 'COMMIT', 'ROLLBACK'])} PREPARED '{gid}'")


def savepoint(world: World) -> None:
    statements = [world.write(), "SAVEPOINT s", world.write(), "ROLLBACK TO s", world.write()]
    with closing(world.session()) as session, in_the_way():
        for statement in statements:
            session.execute(statement)
        session.commit()


def vacuum(world: World) -> None:
    world.run(f"VACUUM {world.random.choice(['', '(FREEZE)'])} {world.table()}")


def truncate_by_vacuum(world: World) -> None:
    table = world.table()
    blocks = f"(SELECT pg_relation_size('{table}') / 8192 - {world.random.randrange(4, 20)})"
    world.run(f"DELETE FROM {table} WHERE (ctid::text::point)[0] > {blocks}", f"VACUUM {table}")


def wal(world: World) -> None:
    world.run(world.random.choice(["CHECKPOINT", "SELECT pg_switch_wal()"]))


def lose(world: World) -> None:
    """Crash, and lose what was not written; the server may have to be started again."""
    world.random.choice([crash, crash_backend])(world.scene.server)
    world.lose_sessions()


def define(world: World) -> None:
    table, number = world.table(), next(world.numbers)
    other = f"m{number}"
    rename = f"ALTER TYPE mood RENAME VALUE '{{}}' TO '{other}'"
    (labels,) = world.scene.sql("SELECT enum_range(NULL::mood)").splitlines()
    statements = world.random.choice(
        [
            [f"TRUNCATE {table}", f"INSERT INTO {table} SELECT g, 0 FROM generate_series(1, 9) g"],
            [f"VACUUM FULL {table}"],
            [f"CLUSTER {table} USING {table}_pkey"],
            [f"ALTER TABLE {table} ADD c{number} text DEFAULT 'constant {number}'"],
            [f"ALTER TABLE {table} ADD c{number} int", f"ALTER TABLE {table} DROP c{number}"],
            [f"ALTER TABLE {table} ALTER n TYPE bigint", f"ALTER TABLE {table} ALTER n TYPE int"],
            [rename.format(labels.strip("{}").split(",")[number % 2])],
            [f"ALTER TABLE {table} SET UNLOGGED", f"ALTER TABLE {table} SET LOGGED"],
            # In one transaction: the table must not be missing because somebody was in the way.
            [f"DROP TABLE {table};" + _SCHEMA.strip().split("\n", 1)[1].format(table, _ROWS)],
        ]
    )
    world.run(*statements)


_WEIGHTS: dict[Step, float] = {
    write: 8,
    begin: 5,
    end: 6,
    prepare: 1.5,
    end_prepared: 4,
    savepoint: 2,
    vacuum: 0.7,
    truncate_by_vacuum: 0.5,
    wal: 2,
    define: 1,
    lose: 0.5,
}


def test_incremental_backups_of_a_random_history_equal_full_ones() -> None:
    happened: Counter[str] = Counter()
    everything = skipped = 0
    with told_how_to_repeat(happened), closing(Server(18, SETTINGS)) as server:
        world = World(server, SEED)
        for _ in range(BACKUPS):
            count = world.random.randrange(1, _STEPS + 1)
            for step in world.random.choices([*_WEIGHTS], [*_WEIGHTS.values()], k=count):
                happened[step.__name__] += 1
                step(world)
            during = world.random.choice([lambda: None, world.end, lambda: write(world)])
            taken = world.scene.back_up(meanwhile=during)
            everything += len(taken.everything)
            skipped += len(taken.everything) - len(taken.read)
        world.lose_sessions()
        assert skipped >= _LEAST_SKIPPED * everything


@contextlib.contextmanager
def told_how_to_repeat(happened: Counter[str]) -> Iterator[None]:
    """Let a failure say what led to it."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"BROWNIE_TEST_SEED={SEED}, after {dict(happened)}")
        raise
