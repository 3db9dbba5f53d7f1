"""``brownie-backup --help`` is quick, because it imports next to nothing."""

import os
import re
import statistics
import subprocess
import sys
import time

ALLOWANCE_SECONDS = 0.1
ROUNDS = 9
HEAVY = re.compile(
    r"(attrs?|cattrs?|rich|shtab|gnupg|croniter|psycopg|boto(3|core)|google|azure)(\.|$)"
)


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, timeout=60
    )


def test_the_help_imports_neither_the_library_nor_anything_heavy() -> None:
    done = run("-X", "importtime", "-m", "brownie_backup_cli", "--help")
    assert "show this help message" in done.stdout
    imported = set(re.findall(r"^import time:.*\| *(\S+)$", done.stderr, re.MULTILINE))
    assert "argparse" in imported
    assert "brownie_backup_cli.parser" in imported
    assert {name for name in imported if HEAVY.match(name)} == set()
    assert {name for name in imported if re.match(r"brownie_backup(\.|$)", name)} == set()


def test_the_same_measurement_sees_the_library_when_it_is_imported() -> None:
    done = run("-X", "importtime", "-c", "import brownie_backup")
    imported = set(re.findall(r"^import time:.*\| *(\S+)$", done.stderr, re.MULTILINE))
    assert {"brownie_backup", "attrs", "cattrs"} <= imported
    # Although it opens any store, and any encryption: what is not chosen is not imported.
    assert not {name for name in imported if re.match(r"(gnupg|boto|google|azure)", name)}


def test_the_library_leaves_libpq_to_what_connects() -> None:
    asked = "import brownie_backup, brownie_backup.config, brownie_backup.dumpers, sys"
    done = run("-c", f"{asked}; print([name for name in sys.modules if 'psycopg' in name])")
    assert done.stdout == "[]\n"


def seconds(*arguments: str) -> float:
    started = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - started


def test_the_help_takes_at_most_twice_as_long_as_importing_argparse_and_a_tenth_of_a_second() -> (
    None
):
    # In turns, so that whatever else the machine does weighs on both alike.
    helps, argparses = [], []
    for _ in range(ROUNDS):
        argparses.append(seconds("-c", "import argparse"))
        helps.append(seconds("-m", "brownie_backup_cli", "--help"))
    limit = 2 * statistics.median(argparses) + ALLOWANCE_SECONDS
    assert statistics.median(helps) <= limit, (helps, argparses)


def test_the_command_that_is_installed_is_that_module() -> None:
    script = os.path.join(os.path.dirname(sys.executable), "brownie-backup")  # noqa: PTH118, PTH120 - the interpreter may be a link
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout == run("-m", "brownie_backup_cli", "--help").stdout
