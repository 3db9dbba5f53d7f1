"""A background program on a plain machine, with a PID file and a log file beside it.

The program holds a lock on the PID file while it runs. The kernel releases the lock when the
program ends, however it ends. A PID file that is left behind is therefore ignored, even if another
process has that id now.
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
    """A background program, running or not.

    Args:
        folder: the folder of its files.
        name: the name of the files, without suffix.
    """

    folder: Path
    name: str

    @property
    def pid_file(self) -> Path:
        """The file that it locks while it runs."""
        return self.folder / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        """The file for its output."""
        return self.folder / f"{self.name}.log"

    def pid(self) -> int | None:
        """Return its process id, or None if it does not run."""
        try:
            descriptor = os.open(self.pid_file, os.O_RDWR)
        except OSError:
            return None
        with contextlib.closing(os.fdopen(descriptor)) as file:
            if _lock(descriptor, fcntl.LOCK_SH):  # several processes may check at once
                return None
            content = file.read().strip()
        return int(content) if content.isdecimal() else None

    def start(self, argv: Sequence[str], is_ready: Callable[[int], bool]) -> int:
        """Start it in a session of its own; return its process id once it is ready.

        Args:
            argv: the program.
            is_ready: whether the process with that id is ready.

        Raises:
            Busy: it is already running.
            BackupError: it ended at once; the message has the last lines of its output.
        """
        with self._held() as descriptor, self._log() as log:
            begin = log.tell()
            os.ftruncate(descriptor, 0)  # it is locked from here on, so it must not have an old id
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(descriptor,),  # it inherits the lock from us; its children do not
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
        msg = f"process {process.pid} was started, but is not ready after {_STARTING_SECONDS} s"
        raise BackupError(msg, hint=f"Look at {self.log_file}")

    def stop(self) -> int | None:
        """Stop it, and wait until it has ended; return its id, or None if it was not running.

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
        """Lock the file for the block. A process that inherits the descriptor keeps the lock."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.pid_file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            problem = f"{self.pid_file} cannot be written: {error.strerror}"
            raise ConfigurationError([problem], hint="Use another --directory") from None
        try:
            held = _lock(descriptor, fcntl.LOCK_EX)
            if not held:  # another process may be checking it right now
                time.sleep(_LOOK_AGAIN_SECONDS)
                held = _lock(descriptor, fcntl.LOCK_EX)
            if not held:
                content = os.pread(descriptor, 20, 0).decode().strip()
                which = f"process {content}" if content else "a process that is just starting"
                msg = f"it is already running as {which}"
                raise Busy(msg, hint="Stop it with --stop, or use another --directory")
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
    """Lock a file, unless another process has a conflicting lock."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
