"""A folder on a real file system that is a little different: FUSE, as NAS devices and shares are.

Run as a program, it serves one folder at another place until it is unmounted:
``python -m tests.servers.odd_folder BEHIND AT [keeps]``.
"""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.apt import unpacked

_START_SECONDS = 20.0
_STATUS = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_mtime", "st_atime", "st_ctime")


class OddFolder:
    """Makes no hard links, and does not sync folders: `link` answers EIO, and `fsync` EINVAL.

    Args:
        keeps: whether each file stays as it is once it has its name (WORM).
    """

    def __init__(self, *, keeps: bool = False) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="bb-odd-"))
        self.behind = self._home / "behind"
        """The folder that is served, as it is on the disk."""
        self.at = self._home / "at"
        """The folder as its users see it."""
        self.behind.mkdir()
        self.at.mkdir()
        library = unpacked("libfuse2", _take) / "libfuse.so.2"
        command = (sys.executable, "-m", "tests.servers.odd_folder", self.behind, self.at)
        self._server = subprocess.Popen(
            (*command, *(("keeps",) if keeps else ())),
            env=os.environ | {"FUSE_LIBRARY_PATH": str(library)},
            cwd=Path(__file__).parents[2],
        )
        until = time.monotonic() + _START_SECONDS
        while not self.at.is_mount():
            if self._server.poll() is not None or time.monotonic() > until:
                self.close()
                message = f"nothing is mounted at {self.at}"
                raise OSError(message)
            time.sleep(0.02)

    def close(self) -> None:
        """Unmount it, and remove all that it has stored."""
        if self.at.is_mount():
            subprocess.run(["umount", "--lazy", str(self.at)], check=True)
        self._server.kill()
        self._server.wait()
        shutil.rmtree(self._home)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def why_not() -> str:
    """Return why no such folder can be had here; empty if nothing speaks against it."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "there is no /dev/fuse here"
    return "" if os.geteuid() == 0 else "only root may mount"


def _take(package: Path, folder: Path) -> None:
    (library,) = (p for p in package.glob("**/libfuse.so.2.*") if not p.is_symlink())
    library.rename(folder / "libfuse.so.2")


class _Operations:
    """What the kernel asks for, passed on to the folder behind."""

    use_ns = True

    def __init__(self, behind: str, *, keeps: bool) -> None:
        self._behind = behind
        self._keeps = keeps

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        status = os.fstat(fh) if fh else self._at(path).lstat()
        times = {name: getattr(status, f"{name}_ns") for name in _STATUS if name.endswith("time")}
        return {name: getattr(status, name) for name in _STATUS} | times

    def readdir(self, path: str, _: int) -> list[str]:
        return [".", "..", *(each.name for each in self._at(path).iterdir())]

    def statfs(self, path: str) -> dict[str, int]:
        status = os.statvfs(self._at(path))
        names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_namemax")
        return {name: getattr(status, name) for name in names}

    def mkdir(self, path: str, mode: int) -> None:
        self._at(path).mkdir(mode)

    def rmdir(self, path: str) -> None:
        self._at(path).rmdir()

    def create(self, path: str, mode: int, _: object = None) -> int:
        return os.open(self._at(path), os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags)

    def read(self, _: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, _: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def release(self, _: str, fh: int) -> None:
        os.close(fh)

    def fsync(self, _: str, __: int, fh: int) -> None:
        os.fsync(fh)

    def fsyncdir(self, path: str, _: int, __: int) -> None:
        raise OSError(errno.EINVAL, path)

    def link(self, target: str, _: str) -> None:
        raise OSError(errno.EIO, target)

    def rename(self, old: str, new: str) -> None:
        self._refuse_change(old)
        self._refuse_change(new)
        self._at(old).rename(self._at(new))

    def unlink(self, path: str) -> None:
        self._refuse_change(path)
        self._at(path).unlink()

    def chmod(self, path: str, mode: int) -> None:
        self._at(path).chmod(mode)

    def utimens(self, path: str, times: tuple[int, int]) -> None:
        os.utime(self._at(path), ns=times)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(fh or self._at(path), length)

    def _at(self, path: str) -> Path:
        return Path(self._behind + path)

    def _refuse_change(self, path: str) -> None:
        """Refuse to change a file that is kept: one that has a name of a user's own."""
        hidden = any(part.startswith(".") for part in path.split("/"))
        if self._keeps and not hidden and self._at(path).is_file():
            raise OSError(errno.EPERM, path)


def _serve(behind: str, at: str, *, keeps: bool) -> None:
    import mfusepy  # noqa: PLC0415 - it loads the library when imported

    class Operations(_Operations, mfusepy.Operations):  # type: ignore[misc]  # it has no types
        """The rest is refused."""

    mfusepy.FUSE(Operations(behind, keeps=keeps), at, foreground=True, nothreads=True)


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], keeps="keeps" in sys.argv[3:])
