"""The library words no interface: its hints are codes, and each interface words every one."""

import argparse
import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter

import pytest
from tests.hints import shown

from brownie_backup.config.variables import PREFIX, VARIABLES
from brownie_backup.hints import CODES, LIBRARY, HintCode, Plain
from brownie_backup_asgi import schemas
from brownie_backup_asgi import vocabulary as rest
from brownie_backup_asgi.app import ENDPOINTS
from brownie_backup_asgi.hints import ApiHint
from brownie_backup_cli import vocabulary as command_line
from brownie_backup_cli.parser import build_parser
from brownie_backup_cron import vocabulary as runner

ROOT = Path(__file__).parents[2]
LIBRARY_FOLDER = ROOT / "src" / "brownie_backup"
SOURCES = [
    path
    for folder in (LIBRARY_FOLDER, *(ROOT / "adapters").glob("*/src"))
    for path in sorted(folder.rglob("*.py"))
]
WORDED = [
    path
    for path in SOURCES
    if path.is_relative_to(LIBRARY_FOLDER) and not path.is_relative_to(LIBRARY_FOLDER / "config")
]
"""The room of the environment may name variables."""
VOCABULARIES: Mapping[str, Mapping[str, str]] = {
    "library": LIBRARY,
    "command line": command_line.WORDS,
    "REST": rest.WORDS,
    "runner": runner.WORDS,
}

pytestmark = pytest.mark.once


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from parsers(each)


PARSERS = [*parsers(build_parser())]
FLAGS = {flag for parser in PARSERS for action in parser._actions for flag in action.option_strings}
COMMANDS = {parser.prog for parser in PARSERS[1:]}
OUR_WORDS = re.compile(
    "|".join(
        [
            *(rf"{PREFIX}{variable.name}\b" for variable in VARIABLES),
            *(rf"\b{command}\b" for command in COMMANDS),
            # An argument of a program stands at the beginning of its text, a flag in a message not.
            *(rf"(?<=[\s'\"(]){flag}\b(?!-)" for flag in FLAGS if flag.startswith("--")),
        ]
    )
)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the strings of a file that are not documentation, with their lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    # What stands alone is documentation.
    alone = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in alone:
            yield node.lineno, node.value


def references(template: str) -> set[str]:
    return {f"{kind}:{name}" for _, kind, name, _ in Formatter().parse(template) if name}


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("Set BACKUP_REGION", True),
        ("See 'brownie-backup list'", True),
        ("Restore with --replace", True),
        ("under another name (--target-db)", True),
        ("--replace", False),
        ("--schema=", False),
        ("gpg --armor --export NAME", False),
        ("BACKUP_", False),
    ],
)
def test_our_words_are_told_from_those_of_programs(text: str, ours: bool) -> None:  # noqa: FBT001
    assert bool(OUR_WORDS.search(text)) == ours


def test_the_library_names_no_variable_no_flag_and_no_command() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in WORDED
        for line, text in texts(path)
        if OUR_WORDS.search(text)
    ]
    assert found == []


@pytest.mark.parametrize("name", VOCABULARIES)
def test_every_interface_words_every_hint(name: str) -> None:
    words = VOCABULARIES[name]
    for code in (*CODES, *(ApiHint if name == "REST" else ())):
        sentence = code(**shown(code)).worded(words)
        assert sentence, code
        assert "{" not in sentence, code


@pytest.mark.parametrize("code", [*CODES, *ApiHint])
def test_no_hint_of_rest_is_for_the_command_line(code: HintCode) -> None:
    sentence = code(**shown(code)).worded(rest.WORDS)
    assert "--" not in sentence
    assert "brownie-backup " not in sentence


def test_no_word_is_left_over() -> None:
    used = {reference for code in (*CODES, *ApiHint) for reference in references(code.sentence)}
    known = {key for key in LIBRARY if not key.startswith("hint:")}
    assert known == used - {"setting:api_tokens"}
    sentences = {f"hint:{code}" for code in CODES}
    for words in VOCABULARIES.values():
        ours = {key for key in words if not key.startswith("setting:")}
        assert ours <= used | sentences


def test_no_two_codes_are_the_same() -> None:
    codes = [str(code) for code in (*CODES, *ApiHint)]
    assert len(set(codes)) == len(codes)


def advice(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what errors and findings are given as their hints."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (each.value for each in node.keywords if each.arg == "hint")
            if isinstance(node.func, ast.Name) and node.func.id == "Finding":
                yield from node.args[3:]
        # A text that is a hint a line later.
        if isinstance(node, ast.Assign) and "hint" in ast.unparse(node.targets[0]).lower():
            yield node.value


def test_every_hint_of_the_library_has_a_code() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in WORDED
        for node in advice(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    ]
    assert found == []


def test_every_hint_is_given_somewhere() -> None:
    given = {
        (node.value.id, node.attr)
        for path in SOURCES
        if "hints" not in path.relative_to(ROOT).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    for code in (*CODES, *ApiHint):
        if not isinstance(code, Plain):
            assert (type(code).__name__, code.name) in given


@pytest.mark.parametrize("words", [command_line.WORDS, runner.WORDS])
def test_the_flags_and_commands_that_hints_name_exist(words: Mapping[str, str]) -> None:
    for word in words.values():
        assert set(re.findall(r"--[\w-]+", word)) <= FLAGS
        assert {f"brownie-backup {verb}" for verb in re.findall(r"brownie-backup (\w+)", word)} <= (
            COMMANDS
        )


def test_the_fields_and_paths_that_hints_of_rest_name_exist() -> None:
    bodies = (schemas.CREATE, schemas.RESTORE, schemas.VERIFY, schemas.CLEANUP)
    fields = {name for body in bodies for name in body["properties"]}
    paths = {f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS}
    for word in (*rest.WORDS.values(), *(code.sentence for code in ApiHint)):
        assert set(re.findall(r'"(\w+)"', word)) <= fields
        assert set(re.findall(r"(?:GET|POST|DELETE) /[\w/.-]*\w", word)) <= paths


def test_a_secret_is_named_with_the_variable_of_its_file() -> None:
    assert command_line.WORDS["setting:passphrase"] == "BACKUP_PASSPHRASE (or …_FILE)"
    assert command_line.WORDS["setting:region"] == "BACKUP_REGION"
