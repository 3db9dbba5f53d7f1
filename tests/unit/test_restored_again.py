"""What pg_restore's jobs did to each other is restored once more, by one job."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from attrs import field, mutable

from brownie_backup import RestoreOptions
from brownie_backup.dumpers.postgres.restore.archive import Archive
from brownie_backup.dumpers.postgres.restore.contents import parse_contents
from brownie_backup.dumpers.postgres.restore.failures import Failures
from brownie_backup.errors import RestoreFailed

if TYPE_CHECKING:
    from brownie_backup.postgres.client import Client
    from brownie_backup.postgres.programs import Programs

CONTENTS = parse_contents("""
32; 2606 300 CONSTRAINT public orders orders_pkey postgres
33; 0 0 INDEX ATTACH public part_pkey postgres
""")
SCRIPT = b"""
-- TOC entry 32 (class 2606 OID 300)

ALTER TABLE public.orders ADD PRIMARY KEY (id);

-- TOC entry 33 (class 0 OID 0)

ALTER INDEX public.orders_pkey ATTACH PARTITION public.part_pkey;
"""


def said(error: str) -> str:
    return f"""pg_restore: error: could not execute query: ERROR:  {error}
Command was: ALTER INDEX public.orders_pkey ATTACH PARTITION public.part_pkey;
pg_restore: warning: errors ignored on restore: 1"""


@mutable
class FakeClient:
    """Answers each restore as it is told, and remembers its arguments."""

    answers: list[tuple[int, bytes, str]]
    runs: list[list[str]] = field(factory=list)
    access: SimpleNamespace = field(factory=lambda: SimpleNamespace(command_line=str))
    server_version: SimpleNamespace = field(factory=lambda: SimpleNamespace(major=18))

    def output(self, argv: Iterable[str]) -> tuple[int, bytes, str]:
        """Pretend to run pg_restore."""
        arguments = [*argv]
        if "--file=-" in arguments:
            return 0, SCRIPT, ""
        self.runs.append(arguments)
        return self.answers.pop(0)


def restored(folder: Path, client: FakeClient, jobs: int) -> Failures:
    programs = SimpleNamespace(path=str, version=SimpleNamespace(major=18))
    options = RestoreOptions(accept_errors=True)
    archive = Archive(
        folder / "a.dump", cast("Client", client), cast("Programs", programs), options, "UTF8"
    )
    failures = Failures(options)
    list(
        archive.restore(
            "d",
            "--section=post-data",
            what="post-data",
            contents=CONTENTS,
            failures=failures,
            jobs=jobs,
        )
    )
    return failures


def test_a_deadlock_between_its_jobs_costs_no_object(tmp_path: Path) -> None:
    client = FakeClient([(1, b"", said("deadlock detected")), (0, b"", "")])
    assert not len(restored(tmp_path, client, jobs=2))
    first, again = client.runs
    assert "--jobs=2" in first
    assert not any(each.startswith("--jobs") for each in again)
    (only,) = (each for each in again if each.startswith("--use-list="))
    assert [line[:3] for line in Path(only[11:]).read_text().splitlines()] == ["33;"]


def test_an_object_that_fails_again_is_reported_with_its_first_error(tmp_path: Path) -> None:
    client = FakeClient([(1, b"", said("too bad")), (1, b"", said("it exists already"))])
    assert [str(each.error) for each in restored(tmp_path, client, jobs=2)] == ["ERROR: too bad"]


def test_if_the_second_run_ends_early_all_that_failed_is_reported(tmp_path: Path) -> None:
    lost = "pg_restore: error: connection to server failed"
    client = FakeClient([(1, b"", said("too bad")), (1, b"", lost)])
    assert len(restored(tmp_path, client, jobs=2)) == 1


def test_one_job_is_not_repeated(tmp_path: Path) -> None:
    client = FakeClient([(1, b"", said("too bad"))])
    assert len(restored(tmp_path, client, jobs=1)) == 1
    assert len(client.runs) == 1


def test_a_lost_server_ends_the_restore(tmp_path: Path) -> None:
    client = FakeClient([(1, b"", "pg_restore: error: connection to server failed")])
    with pytest.raises(RestoreFailed):
        restored(tmp_path, client, jobs=2)
