"""A program in the background of a plain machine: a process id in a file, and a log beside it.

The program holds a lock on that file for as long as it lives; the system gives it free, however the
program ends. So what a file says that was left behind counts for nothing, whoever has that id now.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from brownie_backup.errors import BackupError, Busy, ConfigurationError

_LOOK_AGAIN_SECONDS = 0.1
_STARTING_SECONDS = 60
_ENDING_SECONDS = 40
_LAST_LINES = 10


@frozen
class Daemon:
    """A program that is in the background, or may be.

    Args:
        folder: where its files are.
        name: what they are called.
    """

    folder: Path
    name: str

    @property
    def pid_file(self) -> Path:
        """The file that it holds while it lives."""
        return self.folder / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        """Where it says what it does."""
        return self.folder / f"{self.name}.log"

    def pid(self) -> int | None:
        """Return its process id, or None if it does not run."""
        try:
            descriptor = os.open(self.pid_file, os.O_RDWR)
        except OSError:
            return None
        with contextlib.closing(os.fdopen(descriptor)) as file:
            if _lock(descriptor, fcntl.LOCK_SH):  # several may look at once
                return None
            content = file.read().strip()
        return int(content) if content.isdecimal() else None

    def start(self, argv: Sequence[str], is_ready: Callable[[int], bool]) -> int:
        """Start it in a session of its own; return its process id once it is ready.

        Args:
            argv: the program.
            is_ready: whether the one with that process id is.

        Raises:
            Busy: it runs already.
            BackupError: it ended again; the message has its last words.
        """
        with self._held() as descriptor, self._log() as log:
            begin = log.tell()
            os.ftruncate(descriptor, 0)  # it is held from here on, so no old id may be in it
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(descriptor,),  # it has the lock from us, and its children don't get it
            )
            os.pwrite(descriptor, f"{process.pid}\n".encode(), 0)
        end = time.monotonic() + _STARTING_SECONDS
        while time.monotonic() < end:
            status = process.poll()
            if status is not None:
                raise self._ended(status, begin)
            if is_ready(process.pid):
                return process.pid
            time.sleep(_LOOK_AGAIN_SECONDS)
        msg = f"process {process.pid} was started and is not ready after {_STARTING_SECONDS} s"
        raise BackupError(msg, hint=f"Look at {self.log_file}")

    def stop(self) -> int | None:
        """Ask it to end, and wait until it has; return its process id, or None if it did not run.

        Raises:
            BackupError: it does not end.
        """
        pid = self.pid()
        if pid is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + _ENDING_SECONDS
        while self.pid() == pid:
            if time.monotonic() >= end:
                msg = f"process {pid} has not ended after {_ENDING_SECONDS} s"
                raise BackupError(msg, hint=f"Look at {self.log_file}, or kill it")
            time.sleep(_LOOK_AGAIN_SECONDS)
        return pid

    @contextlib.contextmanager
    def _held(self) -> Iterator[int]:
        """Have the locked file; whoever inherits it keeps the lock."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.pid_file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            problem = f"{self.pid_file} cannot be written: {error.strerror}"
            raise ConfigurationError([problem], hint="Use another --directory") from None
        try:
            held = _lock(descriptor, fcntl.LOCK_EX)
            if not held:  # somebody may just be looking
                time.sleep(_LOOK_AGAIN_SECONDS)
                held = _lock(descriptor, fcntl.LOCK_EX)
            if not held:
                content = os.pread(descriptor, 20, 0).decode().strip()
                msg = f"it runs already, as process {content or 'that is just being started'}"
                raise Busy(msg, hint="End it by --stop, or use another --directory")
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _log(self) -> Iterator[BinaryIO]:
        descriptor = os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.seek(0, os.SEEK_END)
            yield file

    def _ended(self, status: int, begin: int) -> BackupError:
        with self.log_file.open("rb") as file:
            file.seek(begin)
            lines = file.read().decode(errors="replace").splitlines()[-_LAST_LINES:]
        msg = "\n".join([f"it ended at once, with status {status}:", *lines])
        return BackupError(msg, hint=f"Its log is {self.log_file}")


def _lock(descriptor: int, kind: int) -> bool:
    """Lock a file, if nobody has a lock that forbids it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
