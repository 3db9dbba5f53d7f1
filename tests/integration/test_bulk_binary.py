"""Binary rows of one major load in any other, and are the same values there."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.bulk import dumper_for, read_tables
from tests.servers.install import MAJORS
from tests.servers.running import Server, Servers

from brownie_backup.dumpers.postgres.dump.large_tables import BINARY_TYPES
from brownie_backup.postgres.copy_rows import BINARY_HEAD

pytestmark = pytest.mark.once

MOMENTS = ("infinity", "-infinity", "4713-01-01 BC", "0044-03-15 BC", "2000-01-01", "1969-12-31")
FLOATS = ("0", "-0", "NaN", "Infinity", "-Infinity", "1.5", "0.1")
TEXTS = ("", " ", "a", "ä表🙂", "\\", "\\N", '"', "'", "\t\n\r\b\f\v", "\x01\x7f", "x" * 9000)
VALUES: dict[str, tuple[str, ...]] = {
    "bool": ("t", "f"),
    '"char"': ("", "a", "\\200", "\\377", "\\"),
    "bytea": ("\\x", "\\x00", "\\x00ff5c0a", "\\x" + "00" * 9000),
    "name": ("", "a", "x" * 63, "ä"),
    "text": TEXTS,
    "varchar": TEXTS,
    "varchar(10)": ("", "0123456789", "ä" * 10),
    "bpchar": ("", "a  ", "ä"),
    "char(5)": ("", "a", "ab  "),
    "bit": ("0", "1"),
    "bit(9)": ("010101011",),
    "varbit": ("", "0", "1010101010101", "1" * 4000),
    "int2": ("0", "-32768", "32767"),
    "int4": ("0", "-2147483648", "2147483647"),
    "int8": ("0", "-9223372036854775808", "9223372036854775807"),
    "oid": ("0", "1", "4294967295"),
    "float4": (*FLOATS, "1e-45", "3.4028235e+38", "-1.1754944e-38"),
    "float8": (*FLOATS, "5e-324", "1.7976931348623157e+308", "2.2250738585072014e-308"),
    "numeric": (
        *("0", "0.000", "-0.00", "NaN", "Infinity", "-Infinity", "1e-16383", "1e131071"),
        *("12345678901234567890.123456789012345678901234567890", "1.10", "-9999", "10000"),
        "0." + "0" * 16000 + "1",
    ),
    "numeric(10,3)": ("0", "1234567.891", "-0.001", "NaN"),
    "numeric(3,-2)": ("12300",),
    "uuid": ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    "json": ('{"a":  1, "a": "\\u00e4"}', "null", '""', "[]", '"\\u0000"'),
    "jsonb": (
        *('{"b": 1, "a": "\\u00e4\\ud83d\\ude42\\"\\\\\\n"}', "null", '""', "[]", "{}", "1E400"),
        *("0.10", "-0", '[[[{"": [null, true, false]}]]]', '{"' + "k" * 300 + '": 1}'),
    ),
    "date": (*MOMENTS, "5874897-12-31"),
    "time": ("00:00", "24:00", "23:59:59.999999"),
    "time(2)": ("23:59:59.99",),
    "timetz": ("00:00+15:59:59", "24:00-15:59:59", "12:00:00.000001+00"),
    "timestamp": (*MOMENTS, "294276-12-31 23:59:59.999999", "2000-01-01 00:00:00.000001"),
    "timestamptz": (*MOMENTS, "294276-12-31 23:59:59.999999+00", "1900-01-01 00:00:00.5+00:19:32"),
    "inet": ("0.0.0.0/0", "1.2.3.4", "1.2.3.4/8", "::", "::1/64", "ffff::ffff:1.2.3.4"),
    "cidr": ("0.0.0.0/0", "10.0.0.0/8", "::/0", "2001:db8::/32"),
    "macaddr": ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"),
    "macaddr8": ("00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff"),
    "point": ("(0,-0)", "(NaN,Infinity)", "(1e-300,-1e300)"),
    "lseg": ("[(0,0),(1,0.1)]",),
    "path": ("((0,0),(1,1))", "[(0,0),(1,1)]", "((0,0))"),
    "box": ("(0,1),(1,0)", "(1,1),(1,1)", "(Infinity,0),(0,-Infinity)"),
    "polygon": ("((0,0))", "((0,0),(1,1),(0.1,-0))"),
    "line": ("{1,2,3}", "{0,1,-0.1}"),
    "circle": ("<(0,0),0>", "<(1,1),0.1>"),
}


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def array(kind: str, values: tuple[str, ...]) -> str:
    """Return arrays of a type: of all values, of none, of NULLs, and of odd bounds."""
    # As text, since an array of arrays of strings can't be written by its constructor alone.
    items = ", ".join(f"{literal(value)}::{kind}" for value in values)
    return f"(ARRAY[{items}]), (ARRAY[]::{kind}[]), (ARRAY[NULL]::{kind}[])"


def make_tables(server: Server, database: str) -> list[str]:
    """Create a table for each type, and fill it; return their names."""
    script = []
    for number, (kind, values) in enumerate(VALUES.items()):
        rows = ", ".join(f"({literal(value)}::{kind})" for value in values)
        first = f"{literal(values[0])}::{kind}"
        script.append(
            columns(number, kind) + f"INSERT INTO t{number} (one) VALUES {rows}, (NULL);"
            f"INSERT INTO t{number} (many) VALUES {array(kind, values)};"
            f"INSERT INTO t{number} (many) SELECT array_fill({first}, '{{2,3,1}}', '{{-5,7,0}}');"
        )
    server.sql(database, "".join(script))
    return [f"t{number}" for number in range(len(VALUES))]


def columns(number: int, kind: str) -> str:
    return f"CREATE TABLE t{number} (one {kind}, many {kind}[]);"


@pytest.fixture
def database(servers: Servers) -> Iterator[str]:
    """A database of the same name on every server."""
    name = f"binary_{secrets.token_hex(4)}"
    for major in MAJORS:
        servers.get(major).create(name)
    yield name
    for major in MAJORS:
        servers.get(major).drop(name)


def all_rows(server: Server, database: str, names: list[str]) -> list[str]:
    """Return the rows of tables as text, each table's after its name."""
    copies = "".join(f"\\echo {name}\nCOPY {name} TO STDOUT;\n" for name in names)
    settings = "SET extra_float_digits = 3; SET TimeZone = 'UTC';\n"
    return server.sql(database, settings + copies).splitlines()


def test_every_type_that_is_read_in_binary_has_values_here() -> None:
    assert {kind.partition("(")[0] for kind in VALUES} - {"char"} == set(BINARY_TYPES)


@pytest.mark.parametrize("major", MAJORS)
def test_binary_rows_are_the_same_values_on_every_other_major(
    servers: Servers, database: str, major: int, tmp_path: Path
) -> None:
    source = servers.get(major)
    names = make_tables(source, database)
    read = read_tables(dumper_for(source, database, binary=True, bulk_bytes=0), 1000)
    assert set(read) == set(names)
    files = {name: tmp_path / name for name in names}
    for name, rows in read.items():
        assert rows.text.startswith(BINARY_HEAD)
        files[name].write_bytes(rows.text)
    expected = all_rows(source, database, names)
    for other in MAJORS:
        if other == major:
            continue
        target = servers.get(other)
        create = "".join(columns(n, kind) for n, kind in enumerate(VALUES))
        target.sql(database, f"DROP SCHEMA public CASCADE; CREATE SCHEMA public; {create}")
        target.sql(
            database, "".join(f"\\copy {n} FROM '{files[n]}' (FORMAT binary)\n" for n in names)
        )
        assert all_rows(target, database, names) == expected, f"{major} -> {other}"
