"""PostgreSQL's client programs: which version they are, and which fits a server."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup.errors import ProgramMissing
from brownie_backup.postgres import programs
from brownie_backup.postgres.programs import (
    NEEDED,
    SAFE_MINORS,
    Programs,
    Version,
    choose_programs,
    installed_programs,
    parse_version,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("pg_dump (PostgreSQL) 18.6\n", (18, 6)),
        ("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", (15, 14)),
        ("pg_dump (PostgreSQL) 17.4 (Ubuntu 17.4-1.pgdg22.04+2)", (17, 4)),
        ("psql (PostgreSQL) 16.10 (Homebrew)", (16, 10)),
        ("18.6 (Debian 18.6-1.pgdg13+1)", (18, 6)),
        ("18beta2", (18, 0)),
        ("pg_dump (PostgreSQL) 19devel", (19, 0)),
        ("17rc1", (17, 0)),
        ("9.6.24", (9, 6)),
        ("13.4.8", (13, 4)),
    ],
)
def test_a_version_is_read_from_what_programs_and_servers_say(
    text: str, version: tuple[int, int]
) -> None:
    assert parse_version(text) == Version(*version)


@pytest.mark.parametrize("text", ["", "pg_dump", "pg_dump: error: out of memory", "18"])
def test_what_is_no_version_is_an_error(text: str) -> None:
    with pytest.raises(ProgramMissing):
        parse_version(text)


@given(st.integers(1, 99), st.integers(0, 99))
def test_a_version_prints_as_it_reads(major: int, minor: int) -> None:
    assert parse_version(str(Version(major, minor))) == Version(major, minor)


def test_versions_are_ordered_by_number() -> None:
    assert Version(9, 6) < Version(15, 2) < Version(15, 10) < Version(18, 0)


@pytest.mark.parametrize("major", SAFE_MINORS)
def test_programs_with_known_holes_are_told(major: int) -> None:
    safe = SAFE_MINORS[major]
    assert Programs(Path(), Version(major, safe - 1)).vulnerable
    assert not Programs(Path(), Version(major, safe)).vulnerable


def test_a_major_that_is_not_known_yet_is_not_called_vulnerable() -> None:
    assert not Programs(Path(), Version(99, 0)).vulnerable


def fake_programs(folder: Path, says: str, *, without: str = "") -> None:
    folder.mkdir(parents=True)
    for name in set(NEEDED) - {without}:
        (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (folder / name).chmod(0o755)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with programs of 15, 16 and 18, which are all that is found."""
    for version in ("18.6", "15.19", "16.15"):
        major = version.partition(".")[0]
        fake_programs(tmp_path / major / "bin", f"pg_dump (PostgreSQL) {version}")
    folders = [tmp_path / major / "bin" for major in ("18", "15", "16")]
    monkeypatch.setattr(programs, "_candidates", lambda: iter(folders))
    installed_programs.cache_clear()
    return tmp_path


@pytest.mark.parametrize(("server", "chosen"), [(13, 15), (15, 15), (16, 16), (17, 18), (18, 18)])
@pytest.mark.usefixtures("installed")
def test_the_oldest_that_are_new_enough_are_chosen(server: int, chosen: int) -> None:
    assert choose_programs(Version(server, 0)).version.major == chosen


@pytest.mark.usefixtures("installed")
def test_a_server_that_is_too_new_names_both_versions_and_the_package() -> None:
    with pytest.raises(ProgramMissing) as caught:
        choose_programs(Version(19, 1))
    assert "PostgreSQL 19.1 needs client programs of 19" in caught.value.message
    assert "18.6" in caught.value.message
    assert "postgresql-client-19" in str(caught.value.hint)


def test_the_folder_that_was_named_is_the_only_one(installed: Path) -> None:
    folder = str(installed / "15" / "bin")
    assert choose_programs(Version(15, 0), folder).path("psql") == f"{folder}/psql"
    with pytest.raises(ProgramMissing) as caught:
        choose_programs(Version(18, 0), folder)
    assert folder in caught.value.message


@pytest.mark.parametrize("without", NEEDED)
def test_an_incomplete_set_does_not_count(tmp_path: Path, without: str) -> None:
    fake_programs(tmp_path / "bin", "18.6", without=without)
    assert installed_programs(str(tmp_path / "bin")) == ()
    with pytest.raises(ProgramMissing, match="none is installed"):
        choose_programs(Version(18, 0), str(tmp_path / "bin"))


def test_programs_that_do_not_say_their_version_do_not_count(tmp_path: Path) -> None:
    fake_programs(tmp_path / "bin", "Segmentation fault")
    assert installed_programs(str(tmp_path / "bin")) == ()
