"""How stored text is written: it may come from anyone who can write to a store."""

import json

import pytest

from brownie_backup.wording import as_unicode, visible
from brownie_backup_cli.output import Output, table

HOSTILE = "a\x1b[2J\x9b31m\r\u202egpj\udcff\ud800b"


def test_a_terminal_gets_no_escapes() -> None:
    assert visible(HOSTILE) == r"a\x1b[2J\x9b31m\x0d\u202egpj\xff\ud800b"
    assert visible("größe\tand\nlines ✓") == "größe\tand\nlines ✓"


def test_what_is_no_text_is_replaced() -> None:
    assert as_unicode("a\udcffb") == "a\ufffdb"


@pytest.mark.parametrize("as_json", [False, True])
def test_everything_that_a_command_prints_is_safe(
    as_json: bool,  # noqa: FBT001 - pytest passes it by name
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = Output(as_json=as_json, verbose=True)
    output.result({HOSTILE: HOSTILE}, [HOSTILE, *table(["name"], [[HOSTILE]])])
    output.error({"error": HOSTILE}, [HOSTILE])
    output.warn(HOSTILE)
    output.say(HOSTILE)
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        text.encode()
        assert not {*"\x1b\x9b\r\u202e"} & {*text}
    if as_json:
        document, _ = json.JSONDecoder().raw_decode(printed.out)
        assert document == {as_unicode(HOSTILE): as_unicode(HOSTILE)}
