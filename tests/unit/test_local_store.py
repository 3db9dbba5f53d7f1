"""What a folder as a store does besides what every store promises."""

import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from brownie_backup.errors import (
    AccessDenied,
    DamagedError,
    KeyExists,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from brownie_backup.hints import StoreHint
from brownie_backup.stores import LocalStore
from brownie_backup.stores.claims import CLAIM_SECONDS, name_once

UNFINISHED = ".unfinished"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def unfinished(store: LocalStore) -> list[Path]:
    return list((store.root / UNFINISHED).iterdir())


def fail_with(number: int) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


def test_only_the_owner_can_read_what_is_stored(store: LocalStore) -> None:
    store.put("a/b/c", b"secret")
    for path in [store.root, *store.root.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_nothing_is_made_before_the_first_write(store: LocalStore) -> None:
    assert list(store.list("")) == []
    store.delete("a/b")
    assert not store.root.exists()


def test_a_key_is_a_path(store: LocalStore) -> None:
    store.put("a/b", b"data")
    assert (store.root / "a" / "b").read_bytes() == b"data"
    assert unfinished(store) == []


def test_a_home_may_be_written_as_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store = LocalStore("~/backups")
    assert store.root == tmp_path / "backups"
    assert store.url == (tmp_path / "backups").as_uri()


@pytest.mark.parametrize(
    "key",
    ["", "/", "/etc/passwd", "a/", "a//b", "../a", "a/../../b", ".", "a/.", ".a", "a/.b", "\0"],
)
def test_no_key_leads_elsewhere(store: LocalStore, key: str) -> None:
    for call in (lambda: store.put(key, b""), lambda: store.get(key), lambda: store.delete(key)):
        with pytest.raises(StoreError):
            call()
    assert not store.root.exists()


@pytest.mark.parametrize("if_absent", [False, True])
@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EACCES, AccessDenied),
        (errno.EROFS, AccessDenied),
        (errno.EIO, StoreUnavailable),
        (errno.ESTALE, StoreUnavailable),
        (errno.EMFILE, StoreError),
    ],
)
def test_an_error_of_the_system_is_one_of_the_stores_and_leaves_nothing(
    store: LocalStore,
    number: int,
    error: type[StoreError],
    monkeypatch: pytest.MonkeyPatch,
    *,
    if_absent: bool,
) -> None:
    store.put("old", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_with(number))
        with pytest.raises(error) as caught:
            store.put("new", b"new", if_absent=if_absent)
    assert type(caught.value) is error
    assert "'new'" in caught.value.message
    assert os.strerror(number) in caught.value.message
    assert caught.value.hint
    assert unfinished(store) == []
    assert [found.key for found in store.list("")] == ["old"]


NO_LINKS = ("EPERM", "EACCES", "EIO", "EMLINK", "ENOTSUP", "ENOSYS", "EXDEV", "EINVAL")


@pytest.mark.parametrize("number", NO_LINKS)
def test_a_file_system_without_hard_links_takes_backups(
    store: LocalStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: str,
) -> None:
    monkeypatch.setattr(os, "link", fail_with(getattr(errno, number)))
    for key in ("one", "two"):
        store.put(key, b"first", if_absent=True)
        with pytest.raises(KeyExists):
            store.put(key, b"second", if_absent=True)
        assert store.get(key) == b"first"
    assert unfinished(store) == []
    assert [found.key for found in store.list("")] == ["one", "two"]
    assert [path.name for path in store.root.glob(".*")] == [UNFINISHED]  # no claim is left
    (record,) = (r for r in caplog.records if r.levelname == "WARNING")
    assert "has no hard links" in record.getMessage()


@pytest.mark.parametrize(
    ("number", "error", "hint"),
    [
        (errno.EACCES, AccessDenied, StoreHint.RIGHT_TO_WRITE),
        (errno.EPERM, AccessDenied, StoreHint.RIGHT_TO_WRITE),
        (errno.EIO, StoreUnavailable, StoreHint.CHECK_DISK),
        (errno.ENOSPC, StoreFull, StoreHint.FREE_SPACE),
    ],
)
def test_a_name_that_cannot_be_given_in_any_way_has_the_hint_of_that(
    store: LocalStore,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[StoreError],
    hint: StoreHint,
) -> None:
    monkeypatch.setattr(os, "link", fail_with(number))
    monkeypatch.setattr(Path, "replace", fail_with(number))
    with pytest.raises(error) as caught:
        store.put("new", b"", if_absent=True)
    assert caught.value.hint == hint()
    assert unfinished(store) == []
    assert list(store.list("")) == []


def test_a_link_whose_answer_was_lost_was_made(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def lose_the_answer(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)  # as a network file system does that repeats a request

    monkeypatch.setattr(os, "link", lose_the_answer)
    store.put("new", b"x", if_absent=True)
    assert store.get("new") == b"x"


def test_a_claim_that_a_killed_client_left_is_broken(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", fail_with(errno.EPERM))
    store.put("a/other", b"")
    claim = store.root / "a" / ".new.claim"
    claim.touch()
    long_ago = claim.stat().st_mtime - 2 * CLAIM_SECONDS
    os.utime(claim, (long_ago, long_ago))
    store.put("a/new", b"x", if_absent=True)
    assert store.get("a/new") == b"x"
    assert not claim.exists()
    assert unfinished(store) == []


def test_a_claim_that_another_client_holds_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, name = tmp_path / "new", tmp_path / "name"
    (tmp_path / ".name.claim").touch()
    new.write_bytes(b"x")
    waits = []

    def finish(seconds: float) -> None:
        waits.append(seconds)
        name.write_bytes(b"another's")
        (tmp_path / ".name.claim").unlink()

    monkeypatch.setattr(os, "link", fail_with(errno.EPERM))
    with pytest.raises(FileExistsError):
        name_once(new, name, sleep=finish)
    assert len(waits) == 1
    assert name.read_bytes() == b"another's"


def test_a_client_whose_claim_was_broken_gives_nothing_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, name, claim = tmp_path / "new", tmp_path / "name", tmp_path / ".name.claim"
    new.write_bytes(b"x")
    exists = Path.exists

    def stand_still(path: Path, **_: bool) -> bool:
        """Let another client break the claim and claim the name itself."""
        found = exists(path)
        if path == name:
            claim.rename(tmp_path / "aside")
            claim.touch()
        return found

    monkeypatch.setattr(os, "link", fail_with(errno.EPERM))
    monkeypatch.setattr(Path, "exists", stand_still)
    with pytest.raises(OSError, match="another process may write it"):
        name_once(new, name)
    assert not exists(name)
    assert exists(claim)  # it is the other's


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_syncs_no_folders_takes_backups(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "fsync", fail_with(number))
    store.put("a/b", b"x")
    store.put("a/c", b"x", if_absent=True)
    store.delete("a/c")
    assert [found.key for found in store.list("")] == ["a/b"]


def test_what_a_killed_client_left_is_not_listed_and_goes_in_the_end(store: LocalStore) -> None:
    store.put("a", b"x")
    left, fresh = store.root / UNFINISHED / "left", store.root / UNFINISHED / "fresh"
    for path in (left, fresh):
        path.write_bytes(b"half")
    two_days_ago = left.stat().st_mtime - 2 * 24 * 3600
    os.utime(left, (two_days_ago, two_days_ago))
    assert [found.key for found in store.list("")] == ["a"]
    store.put("b", b"x")
    assert unfinished(store) == [fresh]


def test_files_of_others_with_a_dot_are_not_listed(store: LocalStore) -> None:
    store.put("a/b", b"x")
    (store.root / ".DS_Store").write_bytes(b"")
    (store.root / "a" / ".b.swp").write_bytes(b"")
    assert [found.key for found in store.list("")] == ["a/b"]


def test_a_put_is_synced_before_it_has_its_name_and_its_folder_after(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("folder/other", b"")
    events: list[str] = []
    fsync, link, replace = os.fsync, os.link, Path.replace

    def log_fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append("sync folder" if is_folder else "sync file")
        fsync(descriptor)

    def log_link(source: Path, target: Path) -> None:
        events.append("name")
        link(source, target)

    def log_replace(source: Path, target: Path) -> Path:
        events.append("name")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", log_fsync)
    monkeypatch.setattr(os, "link", log_link)
    monkeypatch.setattr(Path, "replace", log_replace)
    for if_absent in (False, True):
        events.clear()
        store.put(f"folder/{if_absent}", b"x", if_absent=if_absent)
        assert events == ["sync file", "name", "sync folder"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a descriptor's path")
def test_new_folders_are_synced_into_theirs(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[str] = set()
    fsync = os.fsync

    def log(descriptor: int) -> None:
        synced.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", log)
    store.put("a/b/c", b"x")
    for folder in (store.root.parent, store.root, store.root / "a", store.root / "a" / "b"):
        assert str(folder) in synced


def test_a_destination_that_is_a_file_is_an_error_of_the_store(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"mine")
    with pytest.raises(StoreError):
        LocalStore(path).put("leases/x.json", b"")
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("kind", ["pipe", "socket", "link", "link to nothing", "device"])
def test_what_is_no_file_is_named_and_neither_followed_nor_waited_for(
    tmp_path: Path, kind: str
) -> None:
    store = LocalStore(tmp_path / "store")
    store.put("folder/good", b"data")
    (tmp_path / "secret").write_bytes(b"not in the store")
    path = tmp_path / "store" / "folder" / "bad"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            # A socket's path is short, so it is made by a name relative to the folder.
            with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(path.parent):
                made.bind("bad")
        case "device":
            try:
                os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # endless zeros
            except PermissionError:
                pytest.skip("only root may make devices")
        case _:
            path.symlink_to(tmp_path / ("secret" if kind == "link" else "nowhere"))
    with pytest.raises(DamagedError, match=r"'folder/bad' in .* is a .*, not a file"):
        store.get("folder/bad")
    assert {found.key for found in store.list("folder/")} == {"folder/good", "folder/bad"}
    store.put("folder/bad", b"a file again")
    assert store.get("folder/bad") == b"a file again"
    assert (tmp_path / "secret").read_bytes() == b"not in the store"


def test_files_whose_names_cannot_be_keys_are_not_objects(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("good", b"")
    for name in (b"\xff.json", "größe".encode(), b"a\nb", b"a\x1b[31m"):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).touch()  # noqa: PTH118 - bytes
    assert [found.key for found in store.list("")] == ["good"]
