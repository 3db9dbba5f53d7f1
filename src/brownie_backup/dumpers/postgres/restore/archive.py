"""A pg_dump archive in a local file, and pg_restore reading it."""

import contextlib
import logging
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from brownie_backup.dumpers.postgres.restore.contents import Contents, lines_for
from brownie_backup.dumpers.postgres.restore.failures import (
    Failure,
    Failures,
    is_fatal,
    parse_failures,
)
from brownie_backup.errors import RestoreFailed
from brownie_backup.hints import RestoreHint, SetupHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.model.reports import RestoreOptions
from brownie_backup.postgres.client import Client
from brownie_backup.postgres.encoding import codec_of
from brownie_backup.postgres.limits import remedy, shortened
from brownie_backup.postgres.output import forgive, lines_of
from brownie_backup.postgres.programs import Programs

_log = logging.getLogger(__name__)

_TIMEOUT_SINCE = 17


class Archive:
    """A file that `pg_restore` can read from several processes.

    Args:
        path: of the file.
        client: of the server to restore to.
        programs: programs that know both the archive and the server.
        options: how to restore.
        encoding: of the archive, as PostgreSQL calls it.
    """

    def __init__(
        self, path: Path, client: Client, programs: Programs, options: RestoreOptions, encoding: str
    ) -> None:
        self.path = path
        self._client = client
        self._programs = programs
        self._options = options
        self._codec = codec_of(encoding)

    def spool(self, chunks: Iterable[bytes]) -> None:
        """Write the file."""
        with self._writing() as file:
            file.writelines(chunks)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[BinaryIO]:
        try:
            with open(self.path, "xb", opener=private) as file:
                yield file
        except OSError as error:
            msg = f"the archive does not fit into {self.path.parent}: {error.strerror}"
            raise RestoreFailed(msg, hint=SetupHint.SPACE_FOR_TMPDIR) from None

    def spool_contents(self, chunks: Iterable[bytes]) -> None:
        """Write as much of the beginning as has the table of contents: that comes before all rows.

        What `script` returns of it is complete, but for the rows.
        """
        with contextlib.closing(self._growing(chunks)) as sizes:
            tried = 0
            for size in sizes:
                if size < 2 * tried:
                    continue
                tried = size
                with contextlib.suppress(RestoreFailed):
                    self.script("--list")
                    return

    def _growing(self, chunks: Iterable[bytes]) -> Generator[int]:
        """Write the file; yield its size after each chunk."""
        size = 0
        with self._writing() as file:
            for chunk in chunks:
                file.write(chunk)
                file.flush()
                size += len(chunk)
                yield size

    def script(self, *arguments: str) -> str:
        """Return the output of pg_restore: a listing, or SQL."""
        argv = [os.fsdecode(word.encode(self._codec, "surrogateescape")) for word in arguments]
        status, output, said = self._client.output([*self._command(), *argv])
        if status != 0:
            msg = f"pg_restore cannot read the archive: {said}"
            raise RestoreFailed(msg, hint=RestoreHint.TARGET_UNCHANGED, errors=[said])
        return output.decode(self._codec, "surrogateescape")

    def use(self, contents: Contents, entries: frozenset[int], name: str = "some") -> str:
        """Return the option that restricts pg_restore to some entries."""
        return self.use_lines(lines_for(contents, entries), name)

    def use_lines(self, lines: str, name: str) -> str:
        """Return the option that restricts pg_restore to some lines of its listing."""
        path = self.path.with_name(f"{name}.list")
        path.write_text(lines, encoding=self._codec, errors="surrogateescape")
        return f"--use-list={path}"

    def restore(
        self,
        database: str,
        *arguments: str,
        what: str,
        contents: Contents,
        failures: Failures,
        jobs: int = 1,
        strict: bool = False,
        client: Client | None = None,
    ) -> Iterator[Finding]:
        """Restore into a database; yield pg_restore's messages, or raise `RestoreFailed`.

        Args:
            database: the target.
            arguments: more arguments of pg_restore, which restrict it.
            what: the restored section, for messages.
            contents: the contents of this archive, to name the objects that fail.
            failures: takes note of these.
            jobs: how many connections it may use.
            strict: end at the first error, if nothing would be kept anyway.
            client: another one of the same server.
        """
        client = client or self._client
        _log.info("restoring %s of '%s'", what, database)
        stops = strict and not failures.goes_on
        status, lines = self._run(client, database, *arguments, jobs=jobs, stops=stops)
        status, messages = forgive(status, lines)
        if status != 0:
            failed = list(parse_failures(messages, contents, self._commands))
            limited = remedy("\n".join(messages)) is not None  # that is no object's fault
            if not failed or limited or (failures.goes_on and is_fatal(lines)):
                raise _ended(what, status, messages)
            if jobs > 1 and not stops:
                failed = self._again(client, database, contents, failed)
            failures.add(*failed)
            messages = [message for message in messages if "warning: " in message[:30]]
        for message in messages:
            yield Finding(Level.WARNING, what, message, RestoreHint.DOES_IT_MATTER)

    def _run(
        self, client: Client, database: str, *arguments: str, jobs: int, stops: bool = False
    ) -> tuple[int, list[str]]:
        """Run pg_restore; return its status, and the lines that it says."""
        argv = [
            *arguments,
            "--no-password",
            f"--dbname={client.access.command_line(database)}",
        ]
        if not self._sets_what_the_server_lacks():
            argv += ["--exit-on-error"] if stops else []
            argv += [f"--jobs={jobs}"] if jobs > 1 else []
        status, _, said = client.output([*self._command(), *argv])
        return status, list(lines_of(said))

    def _again(
        self, client: Client, database: str, contents: Contents, failed: Sequence[Failure]
    ) -> list[Failure]:
        """Restore what failed once more, with one job; return what fails again.

        The jobs of pg_restore can block each other, as when one attaches the index of a partition
        while another looks at its table: then PostgreSQL ends one with "deadlock detected".
        """
        entries = frozenset(each.entry for each in failed if each.entry is not None)
        if not entries:
            return [*failed]
        only = self.use(contents, entries, "again")
        status, lines = self._run(client, database, only, jobs=1)
        status, messages = forgive(status, lines)
        if status == 0:
            return [each for each in failed if each.entry is None]
        named = {each.entry for each in parse_failures(messages, contents, self._commands)}
        if None in named or not named:  # something else went wrong
            return [*failed]
        # The first error of an object is its cause.
        return [each for each in failed if each.entry in {*named, None}]

    def _commands(self) -> str:
        """Return all commands but those of rows, each entry after a comment with its number."""
        return self.script("--verbose", "--section=pre-data", "--section=post-data", "--file=-")

    def _sets_what_the_server_lacks(self) -> bool:
        """Whether pg_restore will begin with a harmless error (see `forgive`)."""
        server = self._client.server_version
        return self._programs.version.major >= _TIMEOUT_SINCE > server.major

    def _command(self) -> list[str]:
        options = self._options
        return [
            self._programs.path("pg_restore"),
            *([] if options.owner else ["--no-owner"]),
            *([] if options.privileges else ["--no-acl"]),
            *([] if options.tablespaces else ["--no-tablespaces"]),
            str(self.path),
        ]


def _ended(what: str, status: int, messages: Sequence[str]) -> RestoreFailed:
    errors = [m for m in messages if "error" in m.lower()] or messages
    first = shortened(errors[0]) if errors else f"status {status}"
    many = f" with {len(errors)} errors, the first" if len(errors) > 1 else ""
    msg = f"restoring {what} failed{many}: {first}"
    hint = remedy("\n".join(errors)) or RestoreHint.TARGET_UNCHANGED()
    return RestoreFailed(msg, hint=hint, errors=[shortened(each) for each in errors])


def private(path: str, flags: int) -> int:
    """Open a file that only our user can read."""
    return os.open(path, flags, 0o600)
