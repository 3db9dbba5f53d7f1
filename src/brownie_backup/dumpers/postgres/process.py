"""Child processes: started without a shell, in a session of their own, ended on every way out."""

import contextlib
import logging
import shlex
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
        """Wait for the end; return the exit status and what was said on stderr."""
        status = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read(_LONGEST_STDERR).decode("utf-8", "replace")
        return status, redact(said).strip()


@contextlib.contextmanager
def running(
    argv: Sequence[str], env: Mapping[str, str], *, pipe: Literal["stdin", "stdout", "both"]
) -> Iterator[Child]:
    """Run a program; what is left of it when the block is left gets ended.

    A process of ours that is killed outright leaves its children with a closed pipe, which ends
    them too: so no COPY stays open on the server (eduardolat/pgbackweb#165).
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
            pipesize=PIPE_BYTES,
        )
        try:
            yield Child(process, errors)
        finally:
            _end(process)


def read_output(child: Child) -> Iterator[bytes]:
    """Yield what the program writes, as it comes."""
    stdout = child.process.stdout
    if stdout is None:
        return
    while piece := stdout.read1(PIPE_BYTES):  # type: ignore[attr-defined]
        yield piece


def feed(child: Child, chunks: Iterable[bytes]) -> None:
    """Write all chunks and close; a program that ended before has its say in its exit status."""
    stdin = child.process.stdin
    if stdin is None:
        return
    with contextlib.suppress(BrokenPipeError):
        for chunk in chunks:
            stdin.write(chunk)
        stdin.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except BaseException as error:
        process.kill()
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
