"""The cache: it gives back exactly what was put, or nothing, whatever happens to its file."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve
from tests.unit.fakes import NOON

from brownie_backup.caches import SqliteCache, open_cache
from brownie_backup.protocols import StoredObject

FOUND = StoredObject("repository/manifests/one.json", 3, NOON)
URL = "s3://bucket/prefix"


@pytest.fixture
def cache(tmp_path: Path) -> SqliteCache:
    return open_cache(tmp_path, URL)


def number(index: int) -> StoredObject:
    return evolve(FOUND, key=f"repository/manifests/{index}.json")


def filled(folder: Path, count: int = 300) -> Path:
    """Fill a cache; return its file."""
    cache = open_cache(folder, URL)
    for index in range(count):
        cache.put(number(index), b"object %d " % index * 50)
    assert len(cache.known()) == count
    (path,) = folder.rglob("*.sqlite")
    return path


def test_what_was_put_is_got_by_this_process_and_the_next(tmp_path: Path) -> None:
    filled(tmp_path)
    again = open_cache(tmp_path, URL)
    assert [again.get(number(index)) for index in (0, 299, 300)] == [
        b"object 0 " * 50,
        b"object 299 " * 50,
        None,
    ]
    assert len(again.known()) == 300


@pytest.mark.parametrize(
    "other",
    [
        evolve(FOUND, size_bytes=4),
        evolve(FOUND, modified_at=NOON + timedelta(microseconds=1)),
        evolve(FOUND, key="other"),
    ],
    ids=repr,
)
def test_only_the_very_same_object_is_got(cache: SqliteCache, other: StoredObject) -> None:
    cache.put(FOUND, b"abc")
    cache.known()
    assert cache.get(FOUND) == b"abc"
    assert cache.get(other) is None


def test_a_later_put_takes_the_place_of_an_earlier_one(cache: SqliteCache) -> None:
    later = evolve(FOUND, modified_at=NOON + timedelta(seconds=1))
    for found, data in ((FOUND, b"abc"), (later, b"def")):
        cache.put(found, data)
        cache.known()
    assert (cache.get(FOUND), cache.get(later)) == (None, b"def")
    assert cache.known() == {FOUND.key}


def test_what_is_forgotten_is_gone(cache: SqliteCache) -> None:
    for index in range(5):
        cache.put(number(index), b"abc")
    cache.forget([number(0).key, number(3).key, "never put"])
    assert cache.known() == {number(index).key for index in (1, 2, 4)}
    assert cache.get(number(3)) is None
    assert cache.get(number(4)) == b"abc"


def test_each_store_has_a_file_of_its_own(tmp_path: Path) -> None:
    one, other = open_cache(tmp_path, URL), open_cache(tmp_path, f"{URL}/x")
    one.put(FOUND, b"abc")
    one.known()
    assert other.get(FOUND) is None
    assert other.known() == frozenset()
    assert len(list(tmp_path.rglob("*.sqlite"))) == 2
    assert not any("bucket" in str(path) for path in tmp_path.rglob("*"))


def test_nothing_is_made_before_it_is_used(tmp_path: Path) -> None:
    open_cache(tmp_path / "folder", URL)
    assert not (tmp_path / "folder").exists()


def test_names_that_are_no_text_are_keys_too(cache: SqliteCache) -> None:
    odd = evolve(FOUND, key=os.fsdecode(b"manifests/\xff.json"))
    cache.put(odd, b"abc")
    assert cache.known() == {odd.key}
    assert cache.get(odd) == b"abc"
    cache.forget([odd.key])
    assert cache.known() == frozenset()


def test_file_and_folders_are_the_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = filled(tmp_path / "deep" / "cache")
    finally:
        os.umask(before)
    modes = {oct(each.stat().st_mode & 0o777) for each in path.parent.iterdir()}
    assert modes == {"0o600"}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.chmod(0o666)
    assert open_cache(tmp_path, URL).get(number(1))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_others_could_write_to_is_not_used(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.parent.chmod(0o770)
    assert open_cache(tmp_path, URL).get(number(1)) is None


def no_use(folder: Path) -> None:
    """See that a cache below this folder does nothing, quickly and without an error."""
    started = time.monotonic()
    for _ in range(3):
        cache = open_cache(folder, URL)
        for index in range(250):
            cache.put(number(index), b"abc")
            assert cache.get(number(index)) is None
        cache.forget([number(1).key])
        assert cache.known() == frozenset()
    assert time.monotonic() - started < 30  # a wait for each call would take minutes


def _as_file(folder: Path) -> None:
    folder.write_bytes(b"")


def _as_folder(folder: Path) -> None:
    path = filled(folder)
    path.unlink()
    path.mkdir()


def _as_link(folder: Path) -> None:
    path = filled(folder)
    path.rename(folder / "moved")
    path.symlink_to(folder / "moved")


def _as_pipe(folder: Path) -> None:
    path = filled(folder)
    path.unlink()
    os.mkfifo(path)


def _as_linked_folder(folder: Path) -> None:
    path = filled(folder)
    path.parent.rename(folder / "elsewhere")
    path.parent.symlink_to(folder / "elsewhere")


@pytest.mark.parametrize("spoil", [_as_file, _as_folder, _as_link, _as_pipe, _as_linked_folder])
def test_a_place_that_is_no_place_for_a_cache_is_not_used(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(tmp_path / "cache")
    no_use(tmp_path / "cache")


def test_a_folder_that_cannot_be_made_is_not_used() -> None:
    no_use(Path("/proc/cache"))  # not even root can


def test_a_full_disk_ends_the_writing_and_not_the_reading(tmp_path: Path) -> None:
    filled(tmp_path, 100)
    cache = open_cache(tmp_path, URL, most_bytes=100_000)
    noise = random.Random(1)  # noqa: S311 - the same in every run
    for index in range(100, 1000):
        cache.put(number(index), noise.randbytes(1000))
    assert len(cache.known()) < 300
    assert cache.get(number(50)) == b"object 50 " * 50
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.sqlite*")) <= 100_000
    # The next one may write again, once there is room.
    cache.forget(cache.known())
    next_one = open_cache(tmp_path, URL, most_bytes=100_000)
    next_one.forget(next_one.known())
    next_one.put(number(1), b"abc")
    assert next_one.known() == {number(1).key}


def test_a_file_that_is_locked_is_waited_for_once(tmp_path: Path) -> None:
    path = filled(tmp_path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        no_use(tmp_path)
    finally:
        other.close()
    assert open_cache(tmp_path, URL).get(number(1))


def test_while_another_writes_it_is_still_read(tmp_path: Path) -> None:
    path = filled(tmp_path)
    cache = open_cache(tmp_path, URL)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        for index in range(300, 800):
            cache.put(number(index), b"abc")
        assert cache.get(number(1)) == b"object 1 " * 50
    finally:
        other.close()


def test_the_file_may_be_removed_at_any_time(tmp_path: Path) -> None:
    path = filled(tmp_path)
    old, new = open_cache(tmp_path, URL), open_cache(tmp_path, URL)
    assert old.get(number(1))
    shutil.rmtree(tmp_path)
    for index in range(300, 500):
        old.put(number(index), b"old")
        new.put(number(index), b"new")
    old.forget([number(1).key])
    old.known()
    assert len(new.known()) == 200
    assert new.get(number(301)) == b"new"
    assert path.exists()


@pytest.mark.parametrize("data", [b"", b"no database", b"SQLite format 3\0" + b"x" * 10_000])
def test_a_file_that_is_no_database_is_replaced(tmp_path: Path, data: bytes) -> None:
    path = filled(tmp_path)
    path.write_bytes(data)
    assert open_cache(tmp_path, URL).get(number(1)) is None
    filled(tmp_path)


def test_a_database_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE objects (something TEXT)")
    other.close()
    no_use(tmp_path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return filled(tmp_path_factory.mktemp("sound")).read_bytes()


@pytest.mark.once
@pytest.mark.parametrize("seed", range(10))
def test_damage_never_shows_but_as_absence(seed: int, sound: bytes, tmp_path: Path) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same in every run
    for attempt in range(20):
        path = filled(tmp_path / str(attempt), 1)
        spoiled = bytearray(sound)
        for _ in range(chance.randint(1, 20)):
            at = chance.randrange(len(sound))
            spoiled[at : at + 1] = chance.randbytes(chance.choice((1, 1, 1, 2, 50)))
        if attempt % 4 == 0:
            del spoiled[chance.randrange(len(sound)) :]
        path.write_bytes(spoiled)
        cache = open_cache(tmp_path / str(attempt), URL)
        for index in range(0, 300, 10):
            assert cache.get(number(index)) in {None, b"object %d " % index * 50}
        cache.put(number(1), b"abc")
        cache.forget([number(2).key])
        cache.known()


def test_many_threads_may_use_it(cache: SqliteCache) -> None:
    def use(index: int) -> bytes | None:
        cache.put(number(index), b"%d" % index)
        cache.get(number(index // 2))
        if index % 50 == 0:
            cache.forget([number(index).key])
        return cache.get(number(index // 4))

    with ThreadPoolExecutor(8) as pool:
        for index, got in enumerate(pool.map(use, range(1000))):
            assert got in {None, b"%d" % (index // 4)}
    assert len(cache.known()) == 980


WORK = """
import sys
from pathlib import Path
from tests.unit.test_cache import URL, number
from brownie_backup.caches import open_cache
cache = open_cache(Path(sys.argv[1]), URL)
for round in range(20):
    for index in range(200):
        cache.put(number(index), b"%d" % index)
        assert cache.get(number(index)) in {None, b"%d" % index}
    cache.forget(sorted(cache.known())[round::7])
print(len(cache.known()))
"""


def test_several_processes_may_use_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORK, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    outputs = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], outputs
    connection = sqlite3.connect(next(tmp_path.rglob("*.sqlite")))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
