"""Connection strings: read as libpq reads them, and never repeated."""

import contextlib
import re
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from brownie_backup.errors import ConfigurationError
from brownie_backup.postgres.conninfo import Conninfo, parse_conninfo

PLANTED = "s3cr3t-Pl4nted"
KEYWORDS = ["user", "password", "host", "port", "dbname", "sslmode", "options", "application_name"]
values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def ours(text: str) -> dict[str, str]:
    conninfo = parse_conninfo(text)
    password = {"password": conninfo.password.reveal()} if conninfo.password else {}
    return meaning({**conninfo.parameters, **password})


def libpq(text: str) -> dict[str, str]:
    return meaning({key: str(value) for key, value in conninfo_to_dict(text).items()})


def meaning(found: dict[str, str]) -> dict[str, str]:
    """Return it without what means the same as nothing: no password, and ports by default."""
    return {
        key: value
        for key, value in found.items()
        if not (key == "password" and not value) and not (key == "port" and not value.strip(","))
    }


@st.composite
def uris(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(["postgresql://", "postgres://"]))
    if draw(st.booleans()):
        text += quote(draw(values), safe="")
        text += draw(st.just("") | values.map(lambda value: ":" + quote(value, safe="!$*+;#")))
        text += "@"
    host = st.sampled_from(["", "localhost", "db.example.org", "[::1]", "%2Fvar%2Frun", "10.0.0.1"])
    port = st.just("") | st.integers(1, 65535).map(lambda number: f":{number}")
    text += ",".join(draw(st.lists(st.builds(str.__add__, host, port), max_size=3)))
    text += draw(st.just("") | values.map(lambda value: "/" + quote(value, safe="/:")))
    pairs = draw(st.lists(st.tuples(st.sampled_from([*KEYWORDS, "ssl"]), values), max_size=3))
    query = "&".join(f"{key}={quote(value, safe='/:?')}" for key, value in pairs if key != "ssl")
    query += "&ssl=true" if query and any(key == "ssl" for key, _ in pairs) else ""
    return f"{text}?{query}" if query else text


def quoted(value: str) -> str:
    return "'" + re.sub(r"(['\\])", r"\\\1", value) + "'"


def bare(value: str) -> str:
    # Which characters are spaces depends on whom one asks: so all of them are escaped.
    if not value or value[-1].isspace():
        return quoted(value)
    return re.sub(r"([\s'\\\x1c-\x1f\x85])", r"\\\1", value)


@st.composite
def pairs_(draw: st.DrawFn) -> str:
    spaces = st.sampled_from([" ", "  ", "\n", "\t "])
    equals = st.sampled_from(["=", " = ", "= "])
    written = st.tuples(st.sampled_from([quoted, bare]), values).map(lambda w: w[0](w[1]))
    pair = st.builds("".join, st.tuples(st.sampled_from(KEYWORDS), equals, written))
    pieces = draw(st.lists(pair, max_size=5))
    return "".join(piece + draw(spaces) for piece in pieces)


@given(uris())
def test_a_uri_is_read_as_libpq_reads_it(text: str) -> None:
    assert ours(text) == libpq(text)


@given(pairs_())
def test_pairs_are_read_as_libpq_reads_them(text: str) -> None:
    assert ours(text) == libpq(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "postgresql://",
        "postgresql:///db",
        "postgres://u@/db",
        "postgresql://u:p@h:5433/db?sslmode=require&application_name=a%20b",
        "postgresql://u:p%40%3A%2F%3F@h/db",
        "postgresql://a:1,b:2/db?target_session_attrs=any",
        "postgresql:///db?host=/tmp&port=5433",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/db",
        "postgresql://h/db?user=other&password=x",
        "host=a host=b",
        "host = a port = 5",
        "host='' user=''",
        r"password=a\ b\'c\\d user='it\'s'",
        "service=prod",
    ],
)
def test_these_are_read_as_libpq_reads_them(text: str) -> None:
    assert ours(text) == libpq(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("postgresql://u:p?w@h/db", id="question mark in a password"),
        pytest.param("postgresql://u:p?a=b@h/db", id="question mark and = in a password"),
        pytest.param("postgresql://[fe80::1%25eth0]:5/db", id="zone of an IPv6 address"),
        pytest.param("postgresql://h:%35432/db", id="escape in a port"),
        pytest.param("postgresql://h/db?sslmode=require&", id="ampersand at the end"),
        pytest.param("postgresql://h/db?%73sl=true", id="escape in ssl=true"),
        pytest.param("user=foo\\", id="backslash at the end"),
        pytest.param("host='a'port=5", id="no space after a quote"),
        pytest.param("password=ab\u00a0cd user=x", id="no-break space in a password"),
        pytest.param("password=ab\u00a0", id="no-break space at the end of a password"),
        pytest.param("user=a\x1fhost=b", id="unit separator in a name"),
        pytest.param("password=a\\ ", id="escaped space at the end of a password"),
    ],
)
def test_oddities_are_read_as_libpq_reads_them(text: str) -> None:
    assert ours(text) == libpq(text)


@given(st.text("u:p@h/?&=%2[],.\\' \u00a0ab\t") | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, "postgresql://" + text.replace("%", "%25"), "user=" + text):
        with contextlib.suppress(ConfigurationError):
            parse_conninfo(candidate)


@pytest.mark.parametrize("text", ["postgresql://u:%ff@h/db", "postgresql://h/db?options=%e9"])
def test_an_escape_that_is_no_utf_8_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_conninfo(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:{}@[h/db",
        "postgresql://u:{}@h/db?x",
        "postgresql://u:{}%zz@h/db",
        "postgresql://u:{}%00@h/db",
        "postgresql://h/db?password={}&sslpassword={}",
        "password={} x",
        "password='{}",
        "password='{}'x",
        "={}",
        "{}",
        "sslpassword={}",
        "oauth_client_secret={}",
    ],
)
def test_a_refusal_does_not_repeat_the_password(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_conninfo(text.replace("{}", PLANTED))
    error: BaseException | None = caught.value
    while error:
        assert PLANTED not in str(error) + repr(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("postgresql://u:12345/{}@h/db", "'/'"),
        ("postgresql://u:/{}@h/db", "'/'"),
        ("postgresql://u:12@{}@h/db", "'@'"),
        ("postgresql://u:{}/12@h/db", "'/'"),
        ("postgresql://u/x:{}@h/db", "'/'"),
        ("postgresql://u:{}", "port is not a number"),
        ("mysql://u:{}@h/db", "scheme mysql:// is not PostgreSQL's"),
        ("postgresql+psycopg://u:{}@h/db", "postgresql+psycopg://"),
    ],
)
def test_a_url_that_would_show_its_password_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_conninfo(text.replace("{}", PLANTED))
    assert why in caught.value.message
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["postgresql:///a@b", "postgresql://h/a@b", "postgresql://h:5/db?user=me@realm"]
)
def test_an_at_sign_that_is_no_password_is_none(text: str) -> None:
    assert ours(text) == libpq(text)


@given(st.text("u:p@h/?&=%[]' ", max_size=8), st.text("u:p@h/?&=%[]' ", max_size=8))
def test_no_refusal_repeats_any_of_it(before: str, after: str) -> None:
    for start in ("postgresql://", "password=", ""):
        try:
            conninfo = parse_conninfo(start + before + PLANTED + after)
        except ConfigurationError as error:
            said = str(error)
        else:
            said = repr(conninfo.password)
        assert PLANTED not in said


@given(uris() | pairs_(), values)
def test_what_goes_to_a_command_line_reads_back_without_the_password(
    text: str, database: str
) -> None:
    conninfo = parse_conninfo(text).with_database(database)
    assert conninfo.database == database
    expected = {**libpq(text), "dbname": database}
    expected.pop("password", None)
    assert libpq(conninfo.to_string()) == expected
    assert ours(conninfo.to_string()) == expected


def test_the_password_is_neither_in_the_command_line_nor_shown() -> None:
    for text in (f"postgresql://u:{PLANTED}@h/db", f"user=u password='{PLANTED}' host=h dbname=db"):
        conninfo = parse_conninfo(text)
        assert conninfo.password
        assert conninfo.password.reveal() == PLANTED
        assert PLANTED not in conninfo.to_string() + repr(conninfo)
        assert conninfo.to_string() == "dbname='db' host='h' user='u'"


def test_nothing_given_leaves_all_to_libpq() -> None:
    assert parse_conninfo("") == parse_conninfo(" ") == Conninfo()
    assert Conninfo().to_string() == ""
    assert Conninfo().database is None


def test_the_oracle_refuses_what_is_wrong() -> None:
    with pytest.raises(psycopg.ProgrammingError):
        libpq("postgresql://u:p@[h/db")
