"""Child processes: started without a shell, in their own session, and ended on every exit path."""

import contextlib
import fcntl
import logging
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Literal

from attrs import frozen

from brownie_backup.errors import redact

# A pipe of this size saves context switches (Linux; elsewhere it is ignored).
PIPE_BYTES = 1 << 20
_LONGEST_STDERR = 256 << 10
_GRACE_SECONDS = 5

_log = logging.getLogger(__name__)


@frozen
class Child:
    """A running program."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return the exit status and the stderr output."""
        return self.process.wait(), self.said()

    def said(self) -> str:
        """Return the stderr output so far."""
        file = self.errors.fileno()
        said = os.pread(file, _LONGEST_STDERR, 0)
        after = os.fstat(file).st_size - len(said)
        if after > 0:  # the last line is the most telling
            *_, last = os.pread(file, _LONGEST_STDERR, len(said)).rstrip().rpartition(b"\n")
            said += b"\n" + last
        return redact(said.decode("utf-8", "replace")).strip()

    def interrupt(self) -> None:
        """Tell the program to end, from any thread; its reader sees the output end."""
        if self.process.poll() is None:
            _signal(self.process, signal.SIGTERM)


@contextlib.contextmanager
def running(
    argv: Sequence[str], env: Mapping[str, str], *, pipe: Literal["stdin", "stdout", "both"]
) -> Iterator[Child]:
    """Run a program; end it and its children when the block is left.

    If we are killed by SIGKILL, a program that reads from us or writes to us finds a closed pipe
    and ends: so no COPY of a dump stays open (eduardolat/pgbackweb#165). A program that does
    neither, such as pg_restore into a database, runs to its end.
    """
    _log.debug("run %s", shlex.join(argv))  # no secret is ever in a command line
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            argv,
            env=dict(env),
            stdin=subprocess.DEVNULL if pipe == "stdout" else subprocess.PIPE,
            stdout=subprocess.DEVNULL if pipe == "stdin" else subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        try:
            _widen(process.stdin)
            _widen(process.stdout)
            yield Child(process, errors)
        finally:
            _end(process)


def read_output(child: Child) -> Iterator[bytes]:
    """Yield the program's output, as it arrives."""
    stdout = child.process.stdout
    if stdout is None:
        return
    while piece := stdout.read1(PIPE_BYTES):  # type: ignore[attr-defined]
        yield piece


def feed(child: Child, chunks: Iterable[bytes]) -> None:
    """Write all chunks and close; the exit status explains a program that ended before."""
    stdin = child.process.stdin
    if stdin is None:
        return
    with contextlib.suppress(BrokenPipeError):
        for chunk in chunks:
            stdin.write(chunk)
        stdin.close()


def _widen(pipe: IO[bytes] | None) -> None:
    """Enlarge a pipe (Linux); a user who has many such pipes already gets an ordinary one."""
    if pipe and hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a program and its children: they are a process group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()
    if process.poll() is not None:
        return
    _signal(process, signal.SIGTERM)
    try:
        process.wait(_GRACE_SECONDS)
    except BaseException as error:
        _signal(process, signal.SIGKILL)
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
