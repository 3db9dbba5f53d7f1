"""The reference pages and the code say the same."""

import argparse
import json
import re
from typing import Any

import attrs
import pytest

from brownie_backup import model
from brownie_backup.audit.record import AuditRecord
from brownie_backup.config.settings import Settings
from brownie_backup.config.variables import MOST_COPIES, PREFIX, VARIABLES
from brownie_backup.dumpers.postgres.generated_columns import GeneratedColumn
from brownie_backup.dumpers.postgres.inventory import Inventory
from brownie_backup.hints import (
    CODES,
    BackupHint,
    DatabaseHint,
    KeyHint,
    Plain,
    RestoreHint,
    SetupHint,
    StoreHint,
)
from brownie_backup.model.keys import KeyObject, KeyRing, Recipient
from brownie_backup.repository import Identity, LeaseRecord
from brownie_backup.repository.coordination.leadership import Term
from brownie_backup_asgi.hints import ApiHint
from brownie_backup_asgi.vocabulary import WORDS as REST
from brownie_backup_cli import exit_codes
from brownie_backup_cli.commands import COMMANDS
from brownie_backup_cli.parser import EPILOG, build_parser
from brownie_backup_cli.vocabulary import WORDS as COMMAND_WORDS
from brownie_backup_cron import main as runner
from brownie_backup_cron.metrics import RunnerMetrics, exposition
from tests.docs.pages import all_pages, page
from tests.docs.sandbox import Sandbox
from tests.hints import shown

pytestmark = pytest.mark.once

COMMAND_LINE = page("docs/reference/command-line.md")
SIGNALS = {129: "SIGHUP", 130: "SIGINT", 141: "SIGPIPE", 143: "SIGTERM"}
DOCUMENTS = page("docs/reference/json.md")
FORMAT = page("docs/format.md")
RUNNER = page("docs/reference/runner.md")
HINTS = page("docs/reference/hints.md")
HINT_CLASSES = (
    BackupHint,
    StoreHint,
    DatabaseHint,
    RestoreHint,
    KeyHint,
    SetupHint,
    ApiHint,
)

TYPOS = {"BACKUP_COMPRESION", "BACKUP_RETENTON_DAYS"}  # as pages show them, on purpose

_CODE = re.compile(r"`([^`]+)`")
_VARIABLE = re.compile(rf"\b{PREFIX}[A-Z_]*[A-Z]\b")
_COMMAND = re.compile(r"\bbrownie-backup ((?:[a-z]+\b)(?: [^`'|&;>()\n]*)?)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def in_code(cell: str) -> str:
    """Return the first text of a cell that is set as code."""
    found = _CODE.search(cell)
    return found[1] if found else cell


def fields(cls: type) -> set[str]:
    """Return the names of a class's stored fields."""
    return {field.name for field in attrs.fields(cls)} - {"unknown"}


# --- configuration -------------------------------------------------------------------------------


def test_variables_and_their_defaults() -> None:
    defaults = Settings()
    expected = {}
    for variable in VARIABLES:
        value = defaults.value(variable.name.lower())
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        expected[PREFIX + variable.name] = "none" if value in (None, (), {}) else shown
    expected[f"{PREFIX}PARALLEL_JOBS"] = "processors"  # each machine has its own
    documented = {
        each: row[1].strip("`")
        for row in page("docs/reference/configuration.md").rows("Variables")
        for each in each_copy(in_code(row[0]))
    }
    assert documented == expected


def each_copy(name: str) -> list[str]:
    """Return the variables that a name with `COPYn` stands for."""
    if "COPYn" not in name:
        return [name]
    return [name.replace("COPYn", f"COPY{number}") for number in range(1, MOST_COPIES + 1)]


def test_secret_variables() -> None:
    (sentence,) = (
        text
        for _, text in page("docs/reference/configuration.md").prose
        if text.startswith("Secrets are ")
    )

    secret = {PREFIX + variable.name for variable in VARIABLES if variable.secret}
    assert {each for name in _CODE.findall(sentence) for each in each_copy(name)} == secret


def test_no_page_names_a_variable_that_is_not_there() -> None:
    known = {PREFIX + variable.name for variable in VARIABLES}
    known |= {f"{name}_FILE" for name in known} | TYPOS
    for each in all_pages():
        text = each.path.read_text(encoding="utf-8")
        assert set(_VARIABLE.findall(text)) <= known, each.name


# --- command line --------------------------------------------------------------------------------


def options(parser: argparse.ArgumentParser) -> set[str]:
    """Return what a parser takes: options, and names of what is not an option."""
    taken: set[str] = set()
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or isinstance(action, argparse._SubParsersAction):
            continue
        taken |= set(action.option_strings) or {"NAME"}
    return taken


def documented_options(heading: str) -> set[str]:
    """Return what the page says that a command takes."""
    spelled = [word for row in COMMAND_LINE.rows(heading) for word in _CODE.findall(row[0])]
    return {word.split()[0] for word in spelled}


def subparsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    (action,) = (
        action
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(action.choices)


def test_every_command_is_documented_and_no_other() -> None:
    headings = [text for level, text in COMMAND_LINE.headings if level == 2]
    commands = {text.partition(" ")[2] for text in headings if text.startswith("brownie-backup ")}
    assert commands == set(subparsers()) == set(COMMANDS)
    assert documented_options("brownie-backup") == options(build_parser())


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_option_is_documented_and_no_other(command: str) -> None:
    common = documented_options("Options of every command")
    documented = documented_options(f"brownie-backup {command}")
    assert documented | common == options(subparsers()[command])
    assert not documented & common


def test_options_endpoints_and_metrics_of_the_runner() -> None:
    spelled = {_CODE.findall(row[0])[0].split()[0] for row in RUNNER.rows("Options")}
    assert spelled | {"-h"} == options(runner.build_parser())
    codes = {int(row[0]) for row in RUNNER.rows("Exit codes of the runner")}
    assert {int(number) for number in re.findall(r"^  (\d+)", runner.EPILOG, re.MULTILINE)} <= codes
    shown = set(re.findall(r"^# TYPE (\w+)", exposition(RunnerMetrics()), re.MULTILINE))
    listed = re.findall(r"^\| `(backup_runner_\w+)", RUNNER.path.read_text("utf-8"), re.MULTILINE)
    assert set(listed) == shown


def test_no_page_shows_a_command_or_option_that_is_not_there() -> None:
    parsers = subparsers()
    for each in all_pages():
        text = each.path.read_text(encoding="utf-8")
        for command in _COMMAND.findall(text):
            verb, _, rest = command.partition(" ")
            if verb in parsers:
                used = set(_OPTION.findall(rest))
                assert used <= options(parsers[verb]), f"{each.name}: brownie-backup {command}"


def test_commands_in_code_exist() -> None:
    for each in all_pages():
        for number, text in each.prose:
            for code in _CODE.findall(text):
                words = code.split()
                if words[:1] == ["brownie-backup"] and len(words) > 1 and words[1].islower():
                    known = {*subparsers(), *options(build_parser())}
                    assert words[1] in known, f"{each.name}:{number}: {code}"


def test_exit_codes() -> None:
    codes = {int(row[0]) for row in COMMAND_LINE.rows("Exit codes")}
    assert len(codes) == len(COMMAND_LINE.rows("Exit codes"))

    ours = {
        value for key, value in vars(exit_codes).items() if key.isupper() and isinstance(value, int)
    }
    assert ours == codes - set(SIGNALS)
    in_help = {int(number) for number in re.findall(r"\d+", EPILOG)}
    assert in_help <= codes


# --- JSON documents ------------------------------------------------------------------------------


def documented_fields(heading: str) -> set[str]:
    """Return the fields of a document."""
    return {in_code(row[0]) for row in DOCUMENTS.rows(heading)}


def inner_fields(heading: str, field: str) -> set[str]:
    """Return the fields of the object, or objects, that a field holds."""
    (meaning,) = (row[1] for row in DOCUMENTS.rows(heading) if in_code(row[0]) == field)
    return set(_CODE.findall(meaning.partition(", see")[0]))


def test_json_documents(sandbox: Sandbox) -> None:
    def document(command: str, *, fails: bool = False) -> dict[str, Any]:
        assert (sandbox.run(f"brownie-backup {command} --json 2>/dev/null") != 0) == fails
        printed: dict[str, Any] = json.loads(sandbox.said)
        return printed

    sandbox.succeed("export BACKUP_DATABASE_URL=postgresql:///shop BACKUP_DESTINATION=$HOME/store")
    found = {"keygen": document("keygen")}
    sandbox.succeed("export BACKUP_GPG_PRIVATE_KEY_FILE=brownie-backup-private.asc")
    found["backup"] = document("backup --name monday")
    found["verify"] = document("verify --all")
    for command in ("list", "status", "config", "doctor"):
        found[command] = document(command)
    found["restore"] = document("restore monday --target-db other")
    found["cleanup"] = document("cleanup")
    found["hold"] = document("hold monday")
    shown = document("show monday")
    sandbox.succeed("brownie-backup keygen --directory other --quiet")
    sandbox.succeed("export BACKUP_GPG_PRIVATE_KEY_FILE=other/brownie-backup-private.asc")
    wrong_key = document("verify --all", fails=True)
    sandbox.succeed("unset BACKUP_GPG_PRIVATE_KEY_FILE")
    found["release"] = document("release monday")
    found["delete"] = document("delete monday")
    error = document("show monday", fails=True)
    found["audit"] = document("audit --verify")

    for command, printed in found.items():
        assert set(printed) == documented_fields(command), command
    assert set(wrong_key["unread"][0]) == inner_fields("verify", "unread")
    assert set(error) == documented_fields("An error")
    assert set(error["error"]) <= inner_fields("An error", "error")
    for backup in (shown, found["backup"]["backup"], *found["list"]["backups"]):
        assert set(backup) == documented_fields("A backup")
    for field in ("database", "encryption"):
        assert set(shown[field]) == inner_fields("A backup", field)
    assert set(shown["parts"][0]) == inner_fields("A backup", "parts")
    for hold in (shown["hold"], found["hold"]["hold"]):
        assert set(hold) == documented_fields("A hold")
    for verification in (shown["verification"], *found["verify"]["verifications"]):
        assert set(verification) == documented_fields("A verification")
    for finding in (*found["doctor"]["findings"], *found["restore"]["findings"]):
        assert set(finding) == documented_fields("A finding")
    assert set(found["cleanup"]["decisions"][0]) == inner_fields("cleanup", "decisions")
    assert set(found["audit"]["entries"][0]) <= inner_fields("audit", "entries")
    assert set(found["audit"]["proofs"][0]) <= inner_fields("audit", "proofs")
    assert set(found["config"]["settings"][0]) == inner_fields("config", "settings")


def test_every_command_has_its_document() -> None:
    headings = {text for level, text in DOCUMENTS.headings if level == 2}
    assert headings - {"An error", "A backup", "A hold", "A verification", "A finding"} == set(
        COMMANDS
    )


# --- the stored format ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "cls", "more"),
    [
        ("repository.json", Identity, set()),
        ("Manifest", model.Manifest, {"digest"}),
        ("Database", model.Database, set()),
        ("Cluster", model.Cluster, set()),
        ("Encryption", model.Encryption, set()),
        ("Part", model.Part, set()),
        ("Blob reference", model.BlobRef, set()),
        ("Table", model.Table, set()),
        ("Row range", model.RowRange, set()),
        ("Block range", model.BlockRange, set()),
        ("Position in the WAL", model.WalPosition, set()),
        ("Relation", model.Relation, set()),
        ("Inventory", Inventory, set()),
        ("Generated column", GeneratedColumn, set()),
        ("Verification", model.Verification, set()),
        ("Hold", model.Hold, set()),
        ("Attempt", model.Attempt, set()),
        ("Audit record", AuditRecord, set()),
        ("Lease", LeaseRecord, set()),
        ("Term", Term, set()),
        ("Key ring", KeyRing, set()),
        ("Recipient", Recipient, set()),
        ("Key object", KeyObject, set()),
    ],
)
def test_stored_fields(heading: str, cls: type, more: set[str]) -> None:
    assert {in_code(row[0]) for row in FORMAT.rows(heading)} == fields(cls) | more


def test_stored_format_number() -> None:
    assert any(f"It describes format {model.FORMAT}." in text for _, text in FORMAT.prose)


# --- hints ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(HINTS.headings) - 1))
def test_every_hint_is_documented_in_the_words_of_its_interface(number: int) -> None:
    _, heading = HINTS.headings[number + 1]
    codes = HINT_CLASSES[number]
    words = REST if codes is ApiHint else COMMAND_WORDS
    expected = {str(code): code(**shown(code)).worded(words) for code in codes}
    assert {in_code(row[0]): row[1] for row in HINTS.rows(heading)} == expected


def test_no_kind_of_hint_is_left_out() -> None:
    assert len(HINTS.headings) - 1 == len(HINT_CLASSES)
    assert {code for each in HINT_CLASSES for code in each} == {*CODES, *ApiHint} - {Plain.TEXT}
