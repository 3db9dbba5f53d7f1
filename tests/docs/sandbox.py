"""A place to run a page's examples in: a home, a folder, and a server with a database `shop`."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from brownie_backup.schedule import check_schedule
from tests.docs.pages import ROOT, Block, Command, Page
from tests.servers.running import Server

_TIMEOUT_SECONDS = 60
_CLEAN_UP = r"""
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
WHERE datname NOT IN ('postgres', 'sample', 'template0', 'template1') \gexec
SELECT format('DROP OWNED BY %I', rolname) FROM pg_roles
WHERE rolname !~ '^pg_' AND rolname <> current_user \gexec
SELECT format('DROP ROLE %I', rolname) FROM pg_roles
WHERE rolname !~ '^pg_' AND rolname <> current_user \gexec
ALTER SYSTEM RESET ALL;
SELECT pg_reload_conf() \g /dev/null
"""
_CRON_LINE = re.compile(r"((?:\S+ +){5})(\S.*)")
_ASSIGNMENT = re.compile(r"([A-Z_]+)=(.*)")

# What differs from run to run, and what is written in its place before the comparison.
_VARYING = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"(?<!\d)\d{8}T\d{6}Z(-[0-9a-f]{4})?", "<time>"),
        (r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?", "<time>"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uuid>"),
        (r"\b([0-9A-F]{40}|[0-9a-f]{64}|[0-9a-f]{32})\b", "<hash>"),
        (r"\b\d+(\.\d+)? (B|KiB|MiB|GiB|TiB)(?!\w)", "<size>"),
        (r"\b(\d+\.\d+ s|\d+:\d\d:\d\d)\b", "<span>"),
        (r"\b\d\d\.\d+\b", "<version>"),
        (r"-{3,}", "---"),
        (r"\s+", " "),
    )
)


class Sandbox:
    """Runs commands one after the other, as in one terminal: exports and `cd` last."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.root = Path(tempfile.mkdtemp(prefix="bb-docs-"))  # short, for gpg's sockets
        self.home = self.root / "home"
        self._state = self.root / "state"
        self.said = ""
        self._status = 0
        self._settings: dict[str, str] = {}
        self._substitutes = {
            "/etc/brownie-backup": str(self.root / "etc"),
            "/srv/backups": str(self.root / "srv"),
            "examples/keys": str(ROOT / "examples" / "keys"),
            "examples/sql": str(ROOT / "examples" / "sql"),
            "db.example.com:5432": f"127.0.0.1:{server.port}",
            "db.example.com": f"127.0.0.1:{server.port}",
            "/usr/lib/postgresql/18/bin": str(server.client),
        }
        for folder in (self.home, self._state, self.root / "etc", self.root / "tmp"):
            folder.mkdir()
        self._passfile = self.home / ".pgpass"
        self._passfile.touch(mode=0o600)
        self._know_password(server)
        server.sql("postgres", "CREATE DATABASE shop TEMPLATE sample")

    def close(self) -> None:
        """End gpg's agents, and remove everything."""
        with_agent = ["gpgconf", "--kill", "all"]
        subprocess.run(with_agent, env=self.environment, check=False, capture_output=True)
        shutil.rmtree(self.root, ignore_errors=True)
        self._server.sql("postgres", _CLEAN_UP)

    def substitute(self, real_by_documented: Mapping[str, str]) -> None:
        """Let something real stand for what a page names."""
        self._substitutes |= real_by_documented

    @contextmanager
    def beside(self, server: Server, documented: str) -> Iterator[None]:
        """Let another server stand for what a page names; clear it afterwards."""
        self.substitute({documented: f"127.0.0.1:{server.port}"})
        self._know_password(server)
        try:
            yield
        finally:
            server.sql("postgres", _CLEAN_UP)

    def set(self, **settings: str) -> None:
        """Set what a reader need not: for a page about a service that the tests can't reach."""
        self._settings |= settings

    @property
    def environment(self) -> dict[str, str]:
        """What a new terminal has."""
        programs = (str(Path(sys.executable).parent), str(self._server.client), os.defpath)
        return {
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(programs),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self._server.port),
            "PGUSER": "postgres",
            "TMPDIR": str(self.root / "tmp"),  # a page removes what is left there
            **self._settings,
        }

    def run_page(self, each: Page) -> None:
        """Run a page's examples, one after the other; skip it where a program is missing."""
        said = [block.directive("needs") or "" for block in each.examples]
        missing = sorted({name for text in said for name in text.split() if not shutil.which(name)})
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")
        for block in each.examples:
            problem = ""
            try:
                self.run_block(block)
            except AssertionError as error:
                problem = str(error)
            if problem:
                pytest.fail(f"{each.name}:{block.line}: {problem}", pytrace=False)

    def run_block(self, block: Block) -> None:
        """Run what a block says, by its language and directives."""
        target = block.directive("file")
        if target is not None:
            path = self.home / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._substitute(block.text), encoding="utf-8")
        elif block.directive("crontab") is not None:
            self._run_crontab(block.text)
        elif block.hidden:
            self.succeed(f"(\nset -eu\n{block.text})")  # in a shell of its own
        elif block.language == "console":
            self._run_console(block.commands)
        elif block.language == "python":
            script = self.home / ".example.py"  # beside what a page has saved
            script.write_text(self._substitute(block.text), encoding="utf-8")
            self.succeed(f"python {shlex.quote(str(script))}")
        else:
            self.succeed("set -eu\n" + block.text)

    def run(self, command: str) -> int:
        """Run a command; keep what it said and its exit status."""
        # By a trap, since the command may exit; `(exit N)` is what it finds in $?.
        script = (
            f"trap 'status=$?; export -p >{self._state}/env; pwd >{self._state}/cwd; exit $status'"
            f" EXIT\nif [ -e {self._state}/env ]; then . {self._state}/env;"
            f' cd "$(cat {self._state}/cwd)"; fi\n(exit {self._status})\n'
        )
        done = subprocess.run(
            ["/bin/bash", "-c", script + self._substitute(command)],
            check=False,
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=_TIMEOUT_SECONDS,
        )
        self.said, self._status = done.stdout, done.returncode
        return done.returncode

    def succeed(self, command: str) -> str:
        """Run a command that must succeed; return what it said."""
        status = self.run(command)
        assert status == 0, f"status {status} of: {command}\n{self.said}"
        return self.said

    def _know_password(self, server: Server) -> None:
        with self._passfile.open("a", encoding="utf-8") as file:
            file.write(f"127.0.0.1:{server.port}:*:postgres:{server.password.reveal()}\n")

    def _run_console(self, commands: Sequence[Command]) -> None:
        for command, following in zip(commands, [*commands[1:], None], strict=True):
            status = self.run(command.text)
            may_fail = following is not None and following.text == "echo $?"
            assert may_fail or status == 0, f"status {status} of: {command.text}\n{self.said}"
            if command.expected:
                problem = self._differs(command.expected)
                assert not problem, f"{problem}\nof: {command.text}\nwhich said:\n{self.said}"

    def _run_crontab(self, text: str) -> None:
        """Run each line as cron does: by sh, with next to nothing in the environment."""
        environment = {key: self.environment[key] for key in ("HOME", "PATH")}
        for line in self._substitute(text).splitlines():
            assignment, entry = _ASSIGNMENT.fullmatch(line), _CRON_LINE.fullmatch(line)
            if assignment:
                environment[assignment[1]] = assignment[2]
                if assignment[1] == "PATH":
                    environment["PATH"] = self.environment["PATH"]
            elif entry:
                assert check_schedule(entry[1].strip())
                command = ["/bin/sh", "-c", entry[2]]
                done = subprocess.run(
                    command, check=False, env=environment, capture_output=True, encoding="utf-8"
                )
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            else:
                assert not line or line.startswith("#"), f"not a line of a crontab: {line}"

    def _differs(self, expected: Iterable[str]) -> str:
        """Compare what was said: ``…`` is anything in a line, alone it is any lines."""
        pattern = ""
        for line in expected:
            if line.strip() == "…":
                pattern += "(?:.*\n)*"
            elif line.strip():
                parts = _normal(line).split("…")
                pattern += ".*".join(re.escape(part.strip()) for part in parts) + "\n"
        said = self.said
        for documented, real in self._substitutes.items():
            said = said.replace(real, documented)
        said = said.replace(str(self.home), "/home/ada").replace(":5432", "")
        lines = [_normal(line) for line in said.splitlines()]
        text = "".join(f"{line}\n" for line in lines if line)
        return "" if re.fullmatch(pattern, text) else "the output is not as documented"

    def _substitute(self, text: str) -> str:
        for documented, real in self._substitutes.items():
            text = text.replace(documented, real)
        return text


def _normal(line: str) -> str:
    for pattern, name in _VARYING:
        line = pattern.sub(name, line)
    return line.strip()
