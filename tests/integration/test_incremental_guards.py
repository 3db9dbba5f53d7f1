"""Each guard of the skipping is needed: without it a change goes unnoticed, and that is seen.

Where several guard against the same, each is shown to be enough, and none of them to be too few.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve
from tests.integration.incremental import (
    SETTINGS,
    Differs,
    Scene,
    crash_backend,
    set_aside,
    set_back,
    summaries,
)
from tests.integration.waiting import wait_until
from tests.servers.running import Server

from brownie_backup.dumpers.postgres.dump import large_tables, wal
from brownie_backup.dumpers.postgres.dump.wal import Seal, Tracker
from brownie_backup.model import WalPosition

pytestmark = pytest.mark.once

TABLE = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE t (id int PRIMARY KEY, x text NOT NULL, m mood);
INSERT INTO t SELECT g, repeat('x', 60), 'ok' FROM generate_series(1, 2000) g;
VACUUM (FREEZE, ANALYZE) t;
CHECKPOINT;
"""
UPDATE = "UPDATE t SET x = repeat('%s', 60) WHERE id = 700"
ELSEWHERE = "DELETE FROM t WHERE id = 10"

Patch = pytest.MonkeyPatch
History = Callable[[Scene, Path], None]
"""What happens; its last step compares, and finds a difference if a guard is missing."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that summarizes its WAL."""
    with closing(Server(18, SETTINGS)) as server:
        yield server


@pytest.fixture
def scene(server: Server) -> Iterator[Scene]:
    """A database with a table and a backup."""
    scene = Scene(server, f"d_{secrets.token_hex(4)}")
    server.create(scene.database)
    scene.sql(TABLE)
    scene.back_up(compare=False)
    yield scene
    server.drop(scene.database)


# --- guards that are taken away ------------------------------------------------------------------


def naive_position(patch: Patch) -> None:
    """What changes is counted from the snapshot on, not from before whoever ran then."""
    position = Tracker.position

    def naive(tracker: Tracker) -> WalPosition | None:
        found = position(tracker)
        return found and evolve(found, changes_from=tracker._seen_until)

    patch.setattr(Tracker, "position", naive)


def naive_number(patch: Patch) -> None:
    """The number behind all that are over is taken for one that nobody has."""
    naive = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid"
    patch.setattr(wal, "_NEXT", naive)


def no_end(patch: Patch) -> None:
    """Summaries need not reach up to the snapshot."""
    _no_checkpoint(patch)
    patch.setattr(wal, "check_gaps", lambda summaries, since, until: None)
    patch.setattr(wal, "check_seal", lambda base, summaries: None)


def no_seal(patch: Patch) -> None:
    """A backup is a base although what it saw is not on the server's disk."""
    patch.setattr(wal, "check_seal", lambda base, summaries: None)
    seal, count = Tracker._make_seal, iter(range(9))

    def first_without(tracker: Tracker) -> Seal:
        return Seal(tracker._seen_until) if next(count) == 0 else seal(tracker)

    patch.setattr(Tracker, "_make_seal", first_without)


def no_limits(patch: Patch) -> None:
    """That a table was cut short does not count."""
    _replace(
        patch, wal, "_CHANGES", "relforknumber = 0", "relforknumber = 0 AND NOT c.is_limit_block"
    )


def no_filenode(patch: Patch) -> None:
    """A table counts as the same whatever file it is in."""
    _replace(
        patch,
        large_tables,
        "_DESCRIPTION",
        "pg_relation_filenode(c.oid)::bigint AS filenode",
        "0 AS filenode",
    )


def no_signature(patch: Patch) -> None:
    """What its rows' bytes depend on does not count."""
    _replace(
        patch,
        large_tables,
        "_DESCRIPTION",
        "'hex') AS signature",
        "'hex') AS ignored, '' AS signature",
    )


def no_database(patch: Patch) -> None:
    """A database goes by its name alone."""
    _replace(
        patch,
        large_tables,
        "_DESCRIPTION",
        "current_setting('server_version'), d.oid::bigint,",
        "current_setting('server_version'),",
    )


def no_files(patch: Patch) -> None:
    """That all files of a database were replaced at once does not count."""
    patch.setattr(wal, "_ALL_FILES", 1)


def no_gaps(patch: Patch) -> None:
    """Summaries may be missing."""
    patch.setattr(wal, "check_gaps", lambda summaries, since, until: None)


def _no_checkpoint(patch: Patch) -> None:
    patch.setattr(Tracker, "_make_seal", lambda tracker: Seal(tracker._seen_until))


def _replace(patch: Patch, module: object, name: str, old: str, new: str) -> None:
    sql = getattr(module, name)
    assert old in sql
    patch.setattr(module, name, sql.replace(old, new))


# --- what happens --------------------------------------------------------------------------------


def a_long_transaction(scene: Scene, _: Path) -> None:
    with scene.connect() as session:
        session.execute(UPDATE % "a")
        scene.back_up()
        session.commit()
    scene.back_up()


def a_change(scene: Scene, _: Path) -> None:
    scene.sql(UPDATE % "a")
    scene.back_up()


def a_lost_commit(scene: Scene, _: Path) -> None:
    scene.sql("SET synchronous_commit = off; " + UPDATE % "b")
    scene.back_up(compare=False)
    crash_backend(scene.server)
    assert scene.sql("SELECT x FROM t WHERE id = 700") != "b" * 60 + "\n"
    scene.sql("SELECT pg_switch_wal(); CHECKPOINT")
    scene.back_up()


def a_kept_commit(scene: Scene, _: Path) -> None:
    scene.sql("SET synchronous_commit = off; " + UPDATE % "a")
    scene.back_up(compare=False)
    crash_backend(scene.server)
    assert scene.sql("SELECT x FROM t WHERE id = 700") == "a" * 60 + "\n"
    scene.back_up()


def a_vacuum(scene: Scene, _: Path) -> None:
    last = int(scene.sql("SELECT max((ctid::text::point)[0]) FROM t"))
    # Beyond the middle of a range, so that something of it stays.
    scene.sql(f"DELETE FROM t WHERE (ctid::text::point)[0] > {last - last % 8 - 5}")
    scene.sql("VACUUM t")
    scene.back_up()


def a_rewrite(scene: Scene, _: Path) -> None:
    scene.sql("DELETE FROM t WHERE id % 2 = 0; VACUUM FULL t")
    scene.back_up()


def a_new_label(scene: Scene, _: Path) -> None:
    scene.sql("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'")
    scene.back_up()


def a_copy_takes_the_name(scene: Scene, _: Path) -> None:
    old, copy = f"{scene.database}_old", f"{scene.database}_copy"
    scene.server.create(copy, f"TEMPLATE {scene.database} STRATEGY FILE_COPY")
    scene.server.sql(copy, UPDATE % "a")
    scene.sql("CHECKPOINT")
    scene.back_up(compare=False)
    renames = ((scene.database, old), (copy, scene.database))
    for name, new in renames:
        scene.server.sql("postgres", f"ALTER DATABASE {name} RENAME TO {new}")
    try:
        scene.back_up()
    finally:
        scene.server.drop(old)


def a_copy_takes_the_number(scene: Scene, _: Path) -> None:
    name, copy = scene.database, f"{scene.database}_copy"
    number = scene.sql("SELECT oid FROM pg_database WHERE datname = current_database()").strip()
    scene.server.create(copy, f"TEMPLATE {name} STRATEGY FILE_COPY")
    scene.server.sql(copy, UPDATE % "a")
    scene.sql("CHECKPOINT")
    scene.back_up(compare=False)
    scene.server.drop(name)
    scene.server.create(name, f"OID {number} TEMPLATE {copy} STRATEGY FILE_COPY")
    try:
        scene.back_up()
    finally:
        scene.server.drop(copy)


def a_lost_summary(scene: Scene, _: Path) -> None:
    before = summaries(scene.server)
    scene.sql(UPDATE % "a" + "; CHECKPOINT")
    wait_until(lambda: summaries(scene.server) > before, what="a summary")
    for found in summaries(scene.server) - before:
        found.unlink()
    scene.back_up()


MUTATIONS = [
    (naive_position, a_long_transaction),
    (naive_number, a_long_transaction),
    (no_end, a_change),
    (no_limits, a_vacuum),
    (no_filenode, a_rewrite),
    (no_signature, a_new_label),
    (no_database, a_copy_takes_the_name),
    (no_files, a_copy_takes_the_number),
    (no_gaps, a_lost_summary),
]


@pytest.mark.parametrize(("mutate", "history"), MUTATIONS)
def test_without_a_guard_a_change_goes_unnoticed(
    scene: Scene,
    monkeypatch: Patch,
    tmp_path: Path,
    mutate: Callable[[Patch], None],
    history: History,
) -> None:
    mutate(monkeypatch)
    scene.back_up(compare=False)
    with pytest.raises(Differs):
        history(scene, tmp_path)


@pytest.mark.parametrize("history", dict.fromkeys(history for _, history in MUTATIONS))
def test_with_all_guards_each_change_is_noticed(
    scene: Scene, tmp_path: Path, history: History
) -> None:
    history(scene, tmp_path)


# --- servers that lose what they had -------------------------------------------------------------


@pytest.fixture
def own_scene() -> Iterator[Scene]:
    """A scene on a server of its own."""
    with closing(Server(18, SETTINGS)) as server:
        scene = Scene(server, "postgres")
        scene.sql(TABLE)
        scene.back_up(compare=False)
        yield scene


def test_what_a_backup_has_seen_must_be_on_the_servers_disk(
    own_scene: Scene, monkeypatch: Patch, tmp_path: Path
) -> None:
    a_kept_commit(own_scene, tmp_path)
    with monkeypatch.context() as patch:
        no_seal(patch)
        with pytest.raises(Differs):
            a_lost_commit(own_scene, tmp_path)


def a_setback(scene: Scene, aside: Path) -> None:
    """A server is set back, and writes as many bytes, with a checkpoint at the very same place."""
    scene.sql(UPDATE % "a" + "; CHECKPOINT")
    scene.back_up(compare=False)
    set_back(scene.server, aside)
    scene.sql(UPDATE % "b" + "; CHECKPOINT")
    scene.sql("SELECT pg_current_xact_id(); CHECKPOINT")
    scene.sql(ELSEWHERE)
    scene.back_up()


def a_promotion(scene: Scene, aside: Path) -> None:
    """One that was set back goes on as a standby's successor."""
    scene.sql("SELECT pg_switch_wal()")
    scene.sql(UPDATE % "a")
    scene.back_up(compare=False)
    set_back(scene.server, aside, standby=True)
    scene.sql("SELECT pg_promote()")
    scene.sql(UPDATE % "b")
    scene.sql("SELECT pg_switch_wal(); CHECKPOINT")
    scene.back_up()


@pytest.mark.parametrize("history", [a_setback, a_promotion])
def test_a_server_that_is_set_back_must_be_noticed(
    own_scene: Scene, monkeypatch: Patch, tmp_path: Path, history: History
) -> None:
    aside = tmp_path / "aside"
    set_aside(own_scene.server, aside)
    history(own_scene, aside)
    set_back(own_scene.server, aside)
    with monkeypatch.context() as patch:
        # Another history may well have a checkpoint at the same place: the seal is not enough.
        patch.setattr(wal, "check_server", lambda base, now: None)
        if history is a_promotion:
            no_gaps(patch)
            patch.setattr(wal, "check_seal", lambda base, summaries: None)
            _replace(patch, wal, "_SUMMARIES", "WHERE tli = %d AND", "WHERE %d > 0 AND")
            _replace(patch, wal, "_CHANGES", "WHERE s.tli = %d AND", "WHERE %d > 0 AND")
        with pytest.raises(Differs):
            history(own_scene, aside)


@pytest.mark.parametrize("guard", ["check_server", "check_seal"])
def test_each_guard_against_being_set_back_is_enough_elsewhere(
    own_scene: Scene, monkeypatch: Patch, tmp_path: Path, guard: str
) -> None:
    """The seal notices what goes on at other places; the start notices all that needs one."""
    aside = tmp_path / "aside"
    set_aside(own_scene.server, aside)
    own_scene.sql(UPDATE % "a")
    own_scene.back_up(compare=False)
    set_back(own_scene.server, aside)
    own_scene.sql(UPDATE % "b")
    own_scene.sql(ELSEWHERE)
    other = {"check_server": "check_seal", "check_seal": "check_server"}[guard]
    monkeypatch.setattr(wal, other, lambda *_: None)
    own_scene.back_up()
