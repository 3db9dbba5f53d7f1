"""Backups while everything happens to their tables: consistent, or refused, and never hanging."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.servers.running import Server

from brownie_backup import Repository, RestoreOptions, create_backup, list_backups, restore
from brownie_backup.compressors import Zstd
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import DatabaseError
from brownie_backup.stores import LocalStore

pytestmark = pytest.mark.once

SECONDS = 20.0
ENOUGH = 5
LONGEST_BACKUP_SECONDS = 60.0
ACCOUNTS = 20_000
SETUP = f"""
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, note text);
INSERT INTO accounts SELECT g, 1000, repeat('x', 200) FROM generate_series(1, {ACCOUNTS}) g;
CREATE TABLE entries (id bigserial PRIMARY KEY, account int, amount bigint, note text);
INSERT INTO entries (account, amount, note)
  SELECT g, 0, repeat('y', 200) FROM generate_series(1, 10000) g;
CREATE TABLE batch (n int, filler text);
INSERT INTO batch VALUES (1, 'b');
CREATE TABLE batch_size (n bigint);
INSERT INTO batch_size VALUES (1);
CREATE TABLE events (day int, what text) PARTITION BY LIST (day);
CREATE TABLE events_0 PARTITION OF events FOR VALUES IN (0);
CREATE TABLE days (day int PRIMARY KEY, rows bigint);
INSERT INTO days VALUES (0, 0);
"""
# In one snapshot: money is neither made nor lost; what is counted is there.
INVARIANTS = """
SELECT (SELECT sum(balance) FROM accounts), (SELECT count(*) FROM accounts),
  (SELECT sum(amount) FROM entries),
  (SELECT count(*) FROM batch) - (SELECT n FROM batch_size),
  (SELECT count(*) FROM days d WHERE d.rows <>
    (SELECT count(*) FROM events e WHERE e.day = d.day)),
  (SELECT count(*) FROM events) - (SELECT sum(rows) FROM days)
"""
EXPECTED = f"{ACCOUNTS * 1000}|{ACCOUNTS}|0|0|0|0"

Act = Callable[[psycopg.Connection, random.Random], None]


def transfer(db: psycopg.Connection, rng: random.Random) -> None:
    """Move money between rows that lie far apart; change keys too."""
    one, other = rng.sample(range(1, ACCOUNTS + 1), 2)
    amount = rng.randrange(1, 500)
    with db.transaction():
        db.execute("UPDATE accounts SET balance = balance - %s WHERE id = %s", (amount, one))
        db.execute(
            "INSERT INTO entries (account, amount, note) VALUES (%s, %s, repeat('z', 300))",
            (one, -amount),
        )
        db.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", (amount, other))
        db.execute("INSERT INTO entries (account, amount) VALUES (%s, %s)", (other, amount))
        if rng.random() < 0.2:
            db.execute("UPDATE accounts SET id = -id WHERE id = %s", (one,))
            db.execute("UPDATE accounts SET id = -id WHERE id = %s", (-one,))


def forget(db: psycopg.Connection, _: random.Random) -> None:
    """Delete entries, and put their sum in place."""
    with db.transaction():
        (total,) = db.execute(
            "WITH gone AS (DELETE FROM entries WHERE id IN (SELECT id FROM entries ORDER BY id"
            " LIMIT 50) RETURNING amount) SELECT coalesce(sum(amount), 0) FROM gone"
        ).fetchone() or (0,)
        db.execute("INSERT INTO entries (account, amount) VALUES (0, %s)", (total,))


def refill(db: psycopg.Connection, rng: random.Random) -> None:
    """Empty a table and fill it again, all at once."""
    rows = rng.choice((0, 1, rng.randrange(2000)))
    with db.transaction():
        db.execute("TRUNCATE batch")
        db.execute(
            "INSERT INTO batch SELECT g, repeat('b', 500) FROM generate_series(1, %s) g", (rows,)
        )
        db.execute("UPDATE batch_size SET n = %s", (rows,))


def rewrite(db: psycopg.Connection, rng: random.Random) -> None:
    """Give a table another file, or its rows another form."""
    table = rng.choice(("accounts", "entries", "batch"))
    statement = rng.choice(
        (
            f"VACUUM FULL {table}",
            f"VACUUM {table}",
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS extra int DEFAULT 7",
            f"ALTER TABLE {table} DROP COLUMN IF EXISTS extra",
            "ALTER TABLE accounts ALTER COLUMN balance TYPE numeric",
            "ALTER TABLE accounts ALTER COLUMN balance TYPE bigint",
            "CLUSTER accounts USING accounts_pkey",
        )
    )
    db.execute(statement)


def partition(db: psycopg.Connection, rng: random.Random) -> None:
    """Add a partition with rows, or drop one."""
    with db.transaction():
        days = [day for (day,) in db.execute("SELECT day FROM days WHERE day > 0").fetchall()]
        if days and rng.random() < 0.5:
            day = rng.choice(days)
            db.execute(f"DROP TABLE events_{day}")
            db.execute("DELETE FROM days WHERE day = %s", (day,))
            return
        day = max(days, default=0) + 1
        db.execute(f"CREATE TABLE events_{day} PARTITION OF events FOR VALUES IN ({day})")
        db.execute(
            f"INSERT INTO events SELECT {day}, repeat('e', 400) FROM generate_series(1, 1000)"
        )
        db.execute("INSERT INTO days VALUES (%s, 1000)", (day,))


@contextlib.contextmanager
def writers(url: str) -> Iterator[dict[str, int]]:
    """Let all of them loose while the block runs; count what each has done."""
    stop = threading.Event()
    done: dict[str, int] = {}

    def run(act: Act, pause_seconds: float, seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311 - a test repeats with it
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("SET lock_timeout = '3s'; SET deadlock_timeout = '200ms'")
            while not stop.is_set():
                with contextlib.suppress(psycopg.Error):
                    act(db, rng)
                    done[act.__name__] = done.get(act.__name__, 0) + 1
                time.sleep(pause_seconds)

    acts: tuple[tuple[Act, float], ...] = (
        (transfer, 0.002), (transfer, 0.002), (forget, 0.05), (refill, 0.1), (rewrite, 0.3),
        (partition, 0.2),
    )  # fmt: skip
    threads = [threading.Thread(target=run, args=(*act, n)) for n, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of its own that summarizes its WAL."""
    server = Server(18, settings={"summarize_wal": "on"})
    try:
        server.create("bank")
        server.sql("bank", SETUP)
        yield server
    finally:
        server.close()


def test_every_backup_restores_with_nothing_made_or_lost_or_failed_clearly(
    server: Server, tmp_path: Path
) -> None:
    repository = Repository(LocalStore(tmp_path / "store"), Zstd(), Cleartext())
    dumper = server.dumper("bank", bulk_table_bytes=256 << 10)  # and the archive has tables, too
    names: list[str] = []
    failures: list[DatabaseError] = []
    until = time.monotonic() + SECONDS
    with writers(server.url("bank")) as done:
        while time.monotonic() < until or len(names) < ENOUGH:  # a busy machine takes longer
            began = time.monotonic()
            try:
                names.append(create_backup(repository, dumper, jobs=4).manifest.name)
            except DatabaseError as error:
                failures.append(error)
            assert time.monotonic() - began < LONGEST_BACKUP_SECONDS
    assert server.sessions("bank") == 0
    assert {backup.name for backup in list_backups(repository)} == set(names)
    assert all(error.hint for error in failures)
    assert {act.__name__ for act in (transfer, forget, refill, rewrite, partition)} == done.keys()
    for name in names:
        restore(repository, dumper, name, target_database="again", options=RestoreOptions(jobs=4))
        assert server.sql("again", INVARIANTS).strip() == EXPECTED, name
        server.drop("again")
