"""Runs commands as a user would type them, shows them with their output, and records them."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from attrs import frozen

from brownie_backup_cli.output import Output

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_SECONDS = 15  # our own commands end their children and remove incomplete files
# The caller's variables for other databases and keys; the demo has its own.
_FOREIGN = ("BACKUP_", "GNUPGHOME", "PG")


class DemoFailed(Exception):
    """A step of the demo failed. `details` has its output, if that was not shown."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


@frozen
class Step:
    """A command that ran, and how it ended."""

    command: str
    exit_status: int
    seconds: float
    output: str


class Shell:
    """A separate environment, a current folder, and the steps that ran there."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.folder = Path()
        self.steps: list[Step] = []
        self._env = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}

    def enter(self, folder: Path) -> None:
        """Make `folder` the current folder; temporary files of commands go below it."""
        self.folder = folder
        temporary = folder / "tmp"
        temporary.mkdir(mode=0o700)
        self._env["TMPDIR"] = str(temporary)
        self._env["BACKUP_CACHE_DIR"] = str(folder / "cache")  # not in the caller's home
        self.show("# Everything happens in a temporary folder, which is removed at the end:")
        self.show(f"$ cd {shlex.quote(str(folder))}")

    def say(self, *lines: str) -> None:
        """Show a comment on the next step."""
        self.show("\n" + "\n".join(f"# {line}" for line in lines))

    def show(self, text: str) -> None:
        """Show text, unless the output is quiet or JSON."""
        if self._shows:
            print(text, flush=True)

    def export(self, **variables: str | Path) -> None:
        """Set environment variables."""
        for name, value in variables.items():
            self._env[name] = str(value)
            self.show(f"$ export {name}={shlex.quote(str(value))}")

    def add_to_path(self, name: str) -> None:
        """Put the folder that a variable names at the front of PATH."""
        self._env["PATH"] = os.pathsep.join((self._env[name], self._env.get("PATH", os.defpath)))
        self.show(f'$ export PATH="${name}:$PATH"')

    def run(self, *words: str, expect: int = 0) -> str:
        """Run a command; return its standard output.

        Raises:
            DemoFailed: its exit status is not the expected one.
        """
        command = shlex.join(words)
        self.show(f"$ {command}")
        started = time.monotonic()
        status, out, err = self._execute(words)
        seconds = time.monotonic() - started
        printed = (out + err).rstrip()
        if printed:
            self.show(printed)
        self.output.say(f"took {seconds:.2f} s: {command}")
        self.steps.append(Step(command, status, round(seconds, 3), printed))
        if status != expect:
            msg = f"exit status {status}, not {expect}, of: {command}"
            raise DemoFailed(msg, "" if self._shows else printed)
        return out

    @property
    def _shows(self) -> bool:
        return not (self.output.as_json or self.output.quiet)

    def _execute(self, words: tuple[str, ...]) -> tuple[int, str, str]:
        with ExitStack() as stack:
            with signals_held():
                child = subprocess.Popen(
                    self._resolved(*words),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                    cwd=self.folder,
                    env=self._env,
                    # Ctrl-C reaches us alone, and we end the child: it gets no second signal.
                    start_new_session=True,
                )
                stack.callback(_end, child)
            out, err = child.communicate()
            return child.returncode, out, err

    def _resolved(self, program: str, *arguments: str) -> list[str]:
        """Return the command line: for our own command, the same version that runs the demo."""
        if program == "brownie-backup":
            return [sys.executable, "-m", "brownie_backup_cli", *arguments]
        return [program, *arguments]


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold signals back while something is started or removed, so that nothing is left behind."""
    waiting: list[int] = []

    def wait(number: int, frame: FrameType | None) -> None:
        del frame
        waiting.append(number)

    handlers = {number: signal.signal(number, wait) for number in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        for number in waiting[:1]:
            signal.raise_signal(number)


def _end(child: subprocess.Popen[str]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.communicate(timeout=_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
