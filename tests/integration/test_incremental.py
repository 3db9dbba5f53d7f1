"""What the WAL shows unchanged is not read again, and what may have changed is."""

import os
import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve
from tests.integration.incremental import (
    RANGE_BLOCKS,
    SETTINGS,
    Scene,
    blobs,
    crash,
    crash_backend,
    names,
    set_aside,
    set_back,
    summaries,
)
from tests.integration.waiting import wait_until
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup, delete_backup, list_backups, verify_backup
from brownie_backup.compressors import Gzip, Uncompressed
from brownie_backup.encryptors import Cleartext
from brownie_backup.format.converter import manifest_to_bytes
from brownie_backup.format.layout import blob_key, manifest_key
from brownie_backup.stores import MemoryStore

pytestmark = pytest.mark.once

# 74 blocks of 75 rows. A summary goes from checkpoint to checkpoint: what was written between the
# last one and the backup counts as changed, once.
TABLE = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE t (id int PRIMARY KEY, x text NOT NULL, n int NOT NULL DEFAULT 0, m mood);
ALTER TABLE t ALTER x SET STORAGE EXTERNAL;
INSERT INTO t SELECT g, repeat('x', 60), g, 'ok' FROM generate_series(1, 5500) g;
VACUUM (FREEZE, ANALYZE) t;
CHECKPOINT;
"""
LAST = ("t", 9)


@pytest.fixture(scope="module", params=[pytest.param(17, marks=pytest.mark.nightly), 18])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that summarizes its WAL."""
    with closing(Server(request.param, SETTINGS)) as server:
        yield server


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server for one test alone."""
    with closing(Server(18, SETTINGS)) as server:
        yield server


def begin(server: Server) -> Scene:
    """Make a database with a table in it, and a first backup."""
    scene = Scene(server, f"d_{secrets.token_hex(4)}")
    server.create(scene.database)
    scene.sql(TABLE)
    first = scene.back_up(compare=False)
    assert first.read == first.everything
    assert LAST in first.everything
    assert len(first.everything) == LAST[1] + 1
    return scene


@pytest.fixture
def scene(server: Server) -> Iterator[Scene]:
    """A database with a table and a backup."""
    scene = begin(server)
    yield scene
    server.drop(scene.database)


@pytest.fixture(scope="module")
def newest_server() -> Iterator[Server]:
    """A server of the newest major."""
    with closing(Server(18, SETTINGS)) as server:
        yield server


@pytest.fixture
def newest(newest_server: Server) -> Iterator[Scene]:
    """A database with a table and a backup, on the newest major."""
    scene = begin(newest_server)
    yield scene
    newest_server.drop(scene.database)


def range_of(scene: Scene, row: int) -> tuple[str, int]:
    """Return in which range a row is."""
    block = int(scene.sql(f"SELECT (ctid::text::point)[0] FROM t WHERE id = {row}"))
    return ("t", block // RANGE_BLOCKS)


def test_nothing_is_read_when_nothing_has_changed(scene: Scene) -> None:
    for _ in range(3):
        assert not scene.back_up().read


def test_rows_that_are_added_cost_the_last_range(scene: Scene) -> None:
    scene.sql("INSERT INTO t SELECT g, repeat('y', 60) FROM generate_series(7001, 7010) g")
    assert scene.back_up().read == {LAST}
    scene.sql("INSERT INTO t SELECT g, repeat('x', 60) FROM generate_series(8001, 9000) g")
    taken = scene.back_up()
    assert LAST in taken.read
    assert {number for _, number in taken.read} == set(range(LAST[1], len(taken.everything)))


def test_a_changed_row_costs_its_range(scene: Scene) -> None:
    before = range_of(scene, 3000)
    scene.sql("UPDATE t SET n = -1 WHERE id = 3000")
    places = {before, range_of(scene, 3000)}
    assert scene.back_up().read == places
    scene.sql("DELETE FROM t WHERE id = 10")
    # Whoever reads a page may tidy it, which is written to the WAL.
    assert {("t", 0)} <= scene.back_up().read <= {("t", 0), *places}


def test_a_value_out_of_line_costs_its_rows_range(scene: Scene) -> None:
    scene.sql("UPDATE t SET x = repeat(md5('1'), 200) WHERE id = 1")
    place = range_of(scene, 1)
    assert scene.back_up().read == {("t", 0), place}
    scene.sql("UPDATE t SET x = repeat(md5('2'), 200) WHERE id = 1")
    assert range_of(scene, 1) in scene.back_up().read


def test_a_transaction_open_across_backups_is_seen_once_it_commits(scene: Scene) -> None:
    place = range_of(scene, 3000)
    with scene.connect() as session:
        session.execute("UPDATE t SET n = -1 WHERE id = 3000")
        for _ in range(3):  # all read from before it, so its range is read each time
            scene.sql("UPDATE t SET n = n + 1 WHERE id = 100")
            assert place in scene.back_up().read
        session.commit()
    assert place in scene.back_up().read
    assert len(scene.back_up().read) < LAST[1]


def test_a_transaction_that_commits_during_a_backup_is_seen_by_the_next(scene: Scene) -> None:
    place = range_of(scene, 3000)
    with scene.connect() as session:
        session.execute("UPDATE t SET n = -1 WHERE id = 3000")
        scene.back_up(meanwhile=session.commit)
    assert place in scene.back_up().read


def test_a_transaction_older_than_all_that_is_known_makes_no_base(own_server: Server) -> None:
    scene = Scene(own_server, "postgres")
    scene.sql(TABLE)
    with scene.connect() as session:
        session.execute("UPDATE t SET n = -1 WHERE id = 3000")
        for _ in range(2):
            taken = scene.back_up(compare=False)
            assert taken.read == taken.everything
            assert taken.report.manifest.wal
            assert taken.report.manifest.wal.changes_from is None
        session.commit()
    scene.back_up()
    assert len(scene.back_up().read) < LAST[1]


def test_a_prepared_transaction_is_seen_once_it_commits(scene: Scene) -> None:
    place = range_of(scene, 3000)
    gid = scene.database
    scene.sql(f"BEGIN; UPDATE t SET n = -1 WHERE id = 3000; PREPARE TRANSACTION '{gid}'")
    assert place in scene.back_up().read
    scene.sql(f"COMMIT PREPARED '{gid}'")
    assert place in scene.back_up().read


def test_what_a_savepoint_rolled_back_makes_no_difference(scene: Scene) -> None:
    scene.sql(
        "BEGIN; UPDATE t SET n = -1 WHERE id = 3000; SAVEPOINT s;"
        "UPDATE t SET n = -2 WHERE id = 10; ROLLBACK TO s; COMMIT"
    )
    assert {("t", 0), range_of(scene, 3000)} <= scene.back_up().read


def test_a_commit_that_a_crash_has_lost_is_not_in_the_next_backup(own_server: Server) -> None:
    scene = begin(own_server)
    scene.sql("SET synchronous_commit = off; UPDATE t SET n = -1 WHERE id = 3000")
    scene.back_up()  # which has it, and has it written to disk
    scene.sql("SET synchronous_commit = off; UPDATE t SET n = -2 WHERE id = 3000")
    crash_backend(own_server)
    assert scene.sql("SELECT n FROM t WHERE id = 3000") == "-1\n"
    assert len(scene.back_up().read) < LAST[1]


def test_a_server_that_was_started_again_is_read_in_full(own_server: Server) -> None:
    scene = begin(own_server)
    crash(own_server)
    taken = scene.back_up(compare=False)
    assert taken.read == taken.everything
    assert not scene.back_up().read


@pytest.mark.parametrize(
    "change",
    [
        "TRUNCATE t; INSERT INTO t SELECT g, 'y' FROM generate_series(1, 6000) g",
        "DELETE FROM t WHERE id % 2 = 0; VACUUM FULL t",
        "DELETE FROM t WHERE id % 2 = 0; CLUSTER t USING t_pkey",
        "ALTER TABLE t ALTER n TYPE bigint",
        "ALTER TABLE t ALTER x TYPE varchar(1000)",
        "ALTER TABLE t ADD c text DEFAULT 'constant'",
        "ALTER TABLE t ADD c text DEFAULT 'constant'; ALTER TABLE t ALTER c SET DEFAULT 'other'",
        "ALTER TABLE t DROP n",
        "ALTER TABLE t RENAME n TO k",
        "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",
        "ALTER TYPE mood RENAME TO feeling",
        "ALTER TABLE t RENAME TO old; CREATE TABLE t AS TABLE old; DROP TABLE old",
        "ALTER TABLE t SET UNLOGGED; ALTER TABLE t SET LOGGED",
    ],
)
def test_a_table_that_is_made_anew_or_reads_otherwise_is_read_in_full(
    newest: Scene, change: str
) -> None:
    newest.sql(change)
    taken = newest.back_up(compare=False)
    assert taken.read == taken.everything


def test_a_label_renamed_while_rows_are_read_and_back_is_noticed(scene: Scene) -> None:
    def rename() -> None:
        scene.sql("ALTER TYPE mood RENAME VALUE 'ok' TO 'other'")

    # As with pg_dump, its rows have the new label: no lock keeps that from happening.
    scene.back_up(compare=False, meanwhile=rename)
    scene.sql("ALTER TYPE mood RENAME VALUE 'other' TO 'ok'")
    taken = scene.back_up(compare=False)
    assert taken.read == taken.everything


def test_a_table_whose_rows_name_others_is_always_read(scene: Scene) -> None:
    scene.sql("ALTER TABLE t ADD r regclass DEFAULT 't'::regclass")
    for _ in range(2):
        taken = scene.back_up(compare=False)
        assert taken.read == taken.everything


def test_a_table_without_a_log_is_always_read(scene: Scene) -> None:
    scene.sql("ALTER TABLE t SET UNLOGGED")
    for _ in range(2):
        taken = scene.back_up(compare=False)
        assert taken.read == taken.everything


def test_rows_cut_off_by_vacuum_are_noticed(scene: Scene) -> None:
    scene.sql("DELETE FROM t WHERE (ctid::text::point)[0] >= 68; VACUUM t")
    assert LAST not in scene.back_up().everything


def test_another_database_with_the_same_filenodes_makes_no_difference(scene: Scene) -> None:
    other = f"{scene.database}_copy"
    scene.server.create(other, f"TEMPLATE {scene.database} STRATEGY FILE_COPY")
    scene.server.sql(other, "UPDATE t SET n = -1 WHERE id = 3000")
    assert not scene.back_up().read
    # The copy takes the name: it is another database, whatever its tables are called inside.
    scene.sql("CHECKPOINT")
    scene.back_up()
    scene.server.sql(
        "postgres",
        f"ALTER DATABASE {scene.database} RENAME TO {other}_old;"
        f"ALTER DATABASE {other} RENAME TO {scene.database}",
    )
    taken = scene.back_up(compare=False)
    assert taken.read == taken.everything
    scene.server.drop(f"{other}_old")


# --- summaries -----------------------------------------------------------------------------------


def test_without_a_summary_everything_is_read(own_server: Server) -> None:
    scene = begin(own_server)
    scene.sql("UPDATE t SET n = -1 WHERE id = 3000; CHECKPOINT")
    before = summaries(own_server)
    scene.sql("UPDATE t SET n = -1 WHERE id = 10; CHECKPOINT")
    wait_until(lambda: summaries(own_server) > before, what="a summary")
    for found in summaries(own_server) - before:
        found.unlink()
    taken = scene.back_up(compare=False)
    assert taken.read == taken.everything
    assert len(scene.back_up().read) < LAST[1]


def test_summaries_that_are_switched_off_for_a_while_hide_nothing(own_server: Server) -> None:
    scene = begin(own_server)

    def switch(state: str) -> None:
        scene.sql(f"ALTER SYSTEM SET summarize_wal = {state}")
        scene.sql("SELECT pg_reload_conf()")
        wait_until(lambda: scene.sql("SHOW summarize_wal") == f"{state}\n", what="reload")

    switch("off")
    scene.sql("UPDATE t SET n = -1 WHERE id = 3000; CHECKPOINT")
    taken = scene.back_up(compare=False)
    assert taken.read == taken.everything
    assert taken.report.manifest.wal is None
    scene.sql("SELECT pg_switch_wal(); UPDATE t SET n = -1 WHERE id = 10; CHECKPOINT")
    switch("on")
    taken = scene.back_up(compare=False)
    assert taken.read == taken.everything  # the backup before is no base
    assert len(scene.back_up().read) < LAST[1]


def test_summaries_that_were_removed_for_their_age_hide_nothing(own_server: Server) -> None:
    scene = begin(own_server)
    scene.sql("UPDATE t SET n = -1 WHERE id = 3000; CHECKPOINT")
    old = summaries(own_server)
    for found in old:
        os.utime(found, (0, 0))
    scene.sql("ALTER SYSTEM SET wal_summary_keep_time = '1min'")
    scene.sql("SELECT pg_reload_conf()")

    def removed() -> bool:
        # A summary stays as long as its WAL, whatever its age; the server looks once a checkpoint.
        scene.sql("UPDATE t SET n = n - 1 WHERE id = 10; SELECT pg_switch_wal(); CHECKPOINT")
        return not old & summaries(own_server)

    wait_until(removed, what="they are removed")
    taken = scene.back_up(compare=False)
    assert taken.read == taken.everything
    assert len(scene.back_up().read) < LAST[1]


def test_a_role_that_may_not_checkpoint_reads_everything(scene: Scene) -> None:
    role = scene.database
    password = scene.server.password.reveal()
    scene.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'; GRANT pg_read_all_data TO {role}")
    dumper = scene.dumper(user=role)
    for _ in range(2):
        taken = scene.back_up(dumper)
        assert taken.read == taken.everything
        assert taken.report.manifest.wal is None
    scene.sql(f"GRANT pg_checkpoint TO {role}")
    scene.back_up(dumper)
    assert not scene.back_up(dumper).read
    scene.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_server_without_summaries_is_read_in_full(servers: Servers) -> None:
    scene = Scene(servers.get(16), f"d_{secrets.token_hex(4)}")
    scene.server.create(scene.database)
    scene.sql(TABLE)
    for _ in range(2):
        taken = scene.back_up(compare=False)
        assert taken.read == taken.everything
        assert taken.report.manifest.wal is None
    scene.server.drop(scene.database)


# --- servers that are set back -------------------------------------------------------------------


def test_a_server_that_was_set_back_is_read_in_full(own_server: Server, tmp_path: Path) -> None:
    scene = begin(own_server)
    set_aside(own_server, tmp_path / "aside")
    scene.sql("UPDATE t SET n = -1 WHERE id = 3000")
    scene.back_up()
    set_back(own_server, tmp_path / "aside")
    # As many bytes of WAL as before, a checkpoint just there, and then on past it.
    scene.sql("UPDATE t SET n = -2 WHERE id = 3000; SELECT pg_current_xact_id(); CHECKPOINT")
    scene.sql("UPDATE t SET n = -2 WHERE id = 10")
    taken = scene.back_up(compare=False)
    assert taken.read == taken.everything


def test_a_standby_is_read_in_full_and_its_successor_too(
    own_server: Server, tmp_path: Path
) -> None:
    scene = begin(own_server)
    set_aside(own_server, tmp_path / "aside")
    scene.sql("UPDATE t SET n = -1 WHERE id = 3000")
    scene.back_up()
    set_back(own_server, tmp_path / "aside", standby=True)
    taken = scene.back_up(compare=False)
    assert taken.read == taken.everything
    assert taken.report.manifest.wal is None
    scene.sql("SELECT pg_promote()")
    for _ in range(2):
        scene.sql("UPDATE t SET n = -2 WHERE id = 3000")
        taken = scene.back_up()
    assert len(taken.read) < LAST[1]


# --- bases ---------------------------------------------------------------------------------------


def test_a_base_that_is_deleted_gives_way_to_the_one_before(scene: Scene) -> None:
    scene.sql("UPDATE t SET n = -1 WHERE id = 10")
    gone = scene.back_up()
    delete_backup(scene.repository, gone.report.manifest.name)
    scene.sql("UPDATE t SET n = -1 WHERE id = 3000")
    assert gone.read < scene.back_up().read


def test_a_missing_blob_is_read_again(scene: Scene) -> None:
    (backup,) = list_backups(scene.repository)
    assert backup.manifest
    lost = next(part for part in backup.manifest.parts if part.table).blobs[3]
    scene.repository.store.delete(blob_key(lost.name))
    assert scene.back_up().report.manifest.blobs
    assert all(
        verify_backup(scene.repository, scene.dumper(), each.name).good
        for each in list_backups(scene.repository)
    )


def test_a_blob_that_was_found_damaged_is_read_again(scene: Scene) -> None:
    (backup,) = list_backups(scene.repository)
    assert backup.manifest
    bad = next(part for part in backup.manifest.parts if part.table).blobs[3]
    key = blob_key(bad.name)
    good = scene.repository.store.get(key)
    scene.repository.store.put(key, good[:-1] + bytes([good[-1] ^ 1]))
    assert not verify_backup(scene.repository, scene.dumper(), backup.name).good
    scene.back_up(compare=False)
    assert scene.repository.store.get(key) == good


def test_other_keys_and_compressors_have_other_blobs(scene: Scene) -> None:
    store = scene.repository.store
    scene.repository = Repository(store, Gzip(), Cleartext(), (Uncompressed(),))
    taken = scene.back_up(compare=False)
    assert taken.read == taken.everything
    assert not scene.back_up().read
    scene.repository = Repository(MemoryStore(), Uncompressed(), Cleartext(), ())
    taken = scene.back_up(compare=False)
    assert taken.read == taken.everything


def test_another_format_of_rows_is_read_in_full(scene: Scene) -> None:
    scene.sql("ALTER TABLE t DROP m")
    scene.back_up()
    taken = scene.back_up(scene.dumper(binary=False))
    assert taken.read == taken.everything
    assert not scene.back_up(scene.dumper(binary=False)).read


def test_everything_is_read_when_asked_for_and_after_a_while(scene: Scene) -> None:
    dumper = scene.dumper()
    skipped = create_backup(scene.repository, dumper)
    assert skipped.manifest.read_fully_at
    asked = create_backup(scene.repository, dumper, full=True)
    assert asked.manifest.read_fully_at is None
    assert create_backup(scene.repository, dumper).manifest.read_fully_at
    due = create_backup(scene.repository, dumper, full_every=timedelta(0))
    assert due.manifest.read_fully_at is None
    assert names(skipped) == names(asked) == names(due)


def test_bytes_that_changed_without_a_trace_are_told(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(list_backups(scene.repository)))
    place = range_of(scene, 3000)
    scene.sql("UPDATE t SET n = -1 WHERE id = 3000; CHECKPOINT")
    with monkeypatch.context() as blind:
        blind.setattr("brownie_backup.dumpers.postgres.dump.wal._CHANGES", NO_CHANGES)
        wrong = scene.back_up(compare=False)
        assert place not in wrong.read
    found = create_backup(scene.repository, scene.dumper(), full=True)
    (warning,) = found.warnings
    assert f"'{wrong.report.manifest.name}'" in warning
    assert warning in found.manifest.notes
    assert warning in caplog.text
    assert first.manifest
    assert f"{first.manifest.started_at:%Y-%m-%d %H:%M}" in warning
    assert blobs(found) != blobs(wrong.report)
    assert not create_backup(scene.repository, scene.dumper(), full=True).warnings


def test_rows_of_an_older_backup_put_into_the_newest_are_read_again(newest: Scene) -> None:
    """Anyone who can write to the store can do this, without any key."""
    (older,) = (backup.manifest for backup in list_backups(newest.repository))
    newest.sql("UPDATE t SET n = -1 WHERE id = 3000")
    manifest = newest.back_up().report.manifest
    assert older
    forged = evolve(
        manifest, parts=older.parts, read_fully_at=manifest.started_at + timedelta(days=9999)
    )
    store = newest.repository.store
    store.put(manifest_key(manifest.name), manifest_to_bytes(forged))
    taken = newest.back_up()  # and compare
    assert taken.read == taken.everything
    (warning,) = taken.report.warnings
    assert warning.startswith(f"'{manifest.name}' was changed since it was made")
    assert newest.back_up().read < taken.everything


def test_another_host_reads_everything_once(newest: Scene) -> None:
    ours, theirs = newest.repository, evolve(newest.repository, host_key=lambda: b"theirs")
    for repository in (theirs, ours, theirs):
        newest.repository = repository
        taken = newest.back_up(compare=False)
        assert not taken.report.warnings
    assert not taken.read
    assert (
        "known to be ours"
        in create_backup(evolve(ours, host_key=lambda: b"new"), newest.dumper()).all_read_because
    )


NO_CHANGES = "SELECT 1 WHERE ($$%s$$, %d, %d, %d) IS NULL"
