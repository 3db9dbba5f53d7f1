"""Rounds of backups and restores, one contestant after another, on one server."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.benchmarks import contestants as who
from tests.benchmarks.contestants import PRIVATE_KEY, Contestant, environ
from tests.benchmarks.databases import Shape, contents, grow, pages, settle, summarize
from tests.benchmarks.watching import Took, server_cpu_seconds, watch
from tests.servers.running import Server

_SMALL = "small_007"
_SAID_BYTES = 600


@frozen
class Run:
    """One contestant's work, once."""

    database: str
    name: str
    took: Took
    server_cpu_seconds: float
    stored_bytes: int
    """How much more there was afterwards than before."""
    said: str
    """The end of what it printed, if it failed."""

    @property
    def failed(self) -> bool:
        """Tell whether it says itself that it did not do it."""
        return self.took.status != 0

    @property
    def why(self) -> str:
        """The last line that it printed, for a table."""
        lines = self.said.replace("|", "/").splitlines()
        return lines[-1] if lines else f"status {self.took.status}"


class Arena:
    """A server, a place for files, and all that has been run on them."""

    def __init__(self, server: Server, place: Path) -> None:
        self.runs: list[Run] = []
        self.wrong: list[str] = []
        """What has been done and was not right."""
        self._server = server
        self._place = place
        for name in ("bin", "home", "tmp"):
            (place / name).mkdir()
        program = place / "bin" / "brownie-backup"
        python = shlex.quote(sys.executable)
        program.write_text(f'#!/bin/sh\nexec {python} -m brownie_backup_cli "$@"\n')
        program.chmod(0o755)
        subprocess.run([program, "keygen", "--quiet", f"--directory={place}"], check=True)

    def full_round(self, shape: Shape, number: int) -> None:
        """Back up and restore in all ways, with rows appended in between."""
        with self._folder(shape, number) as folder:
            first = [*self._first(shape), who.restic(), who.pgcopydb(self._server, shape.name)]
            (folder / "restic").mkdir()
            self._prepare("restic init -q", shape, folder)
            self._run_all(first, shape, folder, number)
            before = contents(self._server, shape.name)
            copy = folder / "store-copy"
            shutil.copytree(folder / "store", copy, copy_function=os.link)

            grow(self._server, shape)
            quick, reading = who.second_backups(copy)
            self._run_all([quick, who.restic(who.RESTIC_AGAIN)], shape, folder, number)
            summarize(self._server, on=False)
            self._run_all([reading], shape, folder, number)
            summarize(self._server, on=True)

            after = contents(self._server, shape.name)
            ours, peer = who.restores(self._place / PRIVATE_KEY)
            table = who.table_restore(_SMALL, self._place / PRIVATE_KEY)
            self._restore(ours, shape, folder, number, after)
            self._restore(peer, shape, folder, number, before)
            self._restore(table, shape, folder, number, {_SMALL: after[_SMALL]})

    def backup_round(self, shape: Shape, number: int) -> None:
        """Back up in all ways, once."""
        with self._folder(shape, number) as folder:
            self._run_all(self._first(shape), shape, folder, number)

    def own_round(self, shape: Shape, number: int) -> None:
        """Back up and restore, ours alone: for the memory that it takes."""
        with self._folder(shape, number) as folder:
            (backup,) = (each for each in who.first_backups() if each.name == who.OURS)
            self._run_all([backup], shape, folder, number)
            ours, _ = who.restores(self._place / PRIVATE_KEY)
            self._restore(ours, shape, folder, number, contents(self._server, shape.name))

    def _first(self, shape: Shape) -> list[Contestant]:
        return [who.floor(pages(self._server, shape)), *who.first_backups()]

    def _run_all(
        self, contestants: Sequence[Contestant], shape: Shape, folder: Path, number: int
    ) -> None:
        """Run those whose turn it is, another one first in each round."""
        turn = number % len(contestants)
        for contestant in (*contestants[turn:], *contestants[:turn]):
            if contestant.has_turn(number):
                self._run(contestant, shape, folder)
            self._server.drop(who.RESTORED)

    def _restore(
        self,
        contestant: Contestant,
        shape: Shape,
        folder: Path,
        number: int,
        expected: dict[str, str],
    ) -> None:
        """Run what restores, if it is its turn, and compare the rows."""
        if not contestant.has_turn(number):
            return
        run = self._run(contestant, shape, folder)
        if not run.failed and contents(self._server, who.RESTORED, expected) != expected:
            self.wrong.append(f"{contestant.name}, {shape.name}: other rows")
        self._server.drop(who.RESTORED)

    def _run(self, contestant: Contestant, shape: Shape, folder: Path) -> Run:
        env = environ(self._server, shape.name, self._place, folder) | contestant.environ
        stored = folder / contestant.stores if contestant.stores else None
        log = folder / "log"
        log.write_bytes(b"")
        had = _size(stored)
        settle(self._server)
        used = server_cpu_seconds(self._server.process_id)
        took = watch(contestant.command, folder, env, log)
        used = server_cpu_seconds(self._server.process_id) - used
        said = log.read_text(errors="replace")[-_SAID_BYTES:] if took.status else ""
        run = Run(shape.name, contestant.name, took, used, _size(stored) - had, said)
        self.runs.append(run)
        if run.failed and not contestant.optional:
            self.wrong.append(f"{contestant.name}, {shape.name}: status {took.status}: {said}")
        return run

    def _prepare(self, command: str, shape: Shape, folder: Path) -> None:
        env = environ(self._server, shape.name, self._place, folder)
        subprocess.run(shlex.split(command), check=True, cwd=folder, env=env)

    @contextmanager
    def _folder(self, shape: Shape, number: int) -> Iterator[Path]:
        folder = self._place / f"{shape.name}-{number}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _size(path: Path | None) -> int:
    if path is None or not path.exists():
        return 0
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
