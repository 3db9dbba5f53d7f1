"""The SQL of pg_dump and pg_dumpall, cut into statements, and renamed where it must be."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup.dumpers.postgres.restore.statements import (
    for_a_role,
    for_database,
    for_roles,
    function_settings,
    roles_created,
    roles_to_create,
    split_statements,
    to_dropped_roles,
    unquote_name,
)
from brownie_backup.errors import DamagedError
from brownie_backup.postgres.client import quote_name, quote_text

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
TRICKY = [
    "shop",
    "Shop",
    "my shop",
    'a"b',
    '"',
    "a;b",
    "a--b",
    "a'b",
    "E'x",
    "a$$b",
    "$tag$",
    "a\\b",
    "zürich",
    "x IS 'y'",
    "DATABASE x",
]


def split(script: str) -> list[str]:
    return list(split_statements(script))


def written(name: str) -> str:
    """Return an identifier as PostgreSQL's programs write it: quoted only if it must be."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else quote_name(name)


def literal(text: str) -> str:
    """Return a string as pg_dump writes it, which sets standard_conforming_strings on."""
    if "\\" in text:
        return " E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    return "'" + text.replace("'", "''") + "'"


DUMP = """\
--
-- PostgreSQL database dump
--

\\restrict abc;DEF

-- Dumped from database version 18.6; it isn't "old"

SET statement_timeout = 0;
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

--
-- Name: shop; Type: DATABASE; Schema: -; Owner: boss
--

CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8';


ALTER DATABASE shop OWNER TO boss;

\\connect shop

COMMENT ON DATABASE shop IS 'the DATABASE shop; it''s -- big';
ALTER DATABASE shop SET "my.setting" TO 'a;b', 'c';
ALTER ROLE reporter IN DATABASE shop SET search_path TO 'public';
ALTER ROLE "Odd; one" IN DATABASE shop SET work_mem TO '1GB';
REVOKE CONNECT,TEMPORARY ON DATABASE shop FROM PUBLIC;
GRANT CREATE ON DATABASE shop TO reporter WITH GRANT OPTION;
SECURITY LABEL FOR provider ON DATABASE shop IS 'DATABASE shop';
\\unrestrict abc;DEF
"""


def test_a_dump_is_cut_into_its_statements() -> None:
    statements = split(DUMP)
    assert statements[0] == "SET statement_timeout = 0"
    assert statements[2] == "SELECT pg_catalog.set_config('search_path', '', false)"
    assert statements[5] == "COMMENT ON DATABASE shop IS 'the DATABASE shop; it''s -- big'"
    assert len(statements) == 12
    assert not [s for s in statements if "restrict" in s or "connect shop" in s]


@given(texts, texts)
def test_no_name_and_no_text_ends_a_statement(name: str, text: str) -> None:
    first = f"COMMENT ON ROLE {quote_name(name)} IS {literal(text)}"
    second = f"ALTER ROLE {quote_name(name)} SET a TO {quote_text(text)}"
    assert split(f"-- it's;\n{first};\n{second};\n") == [first, second]


@given(texts.filter(lambda text: "$body$" not in text + "$"))
def test_no_body_of_a_function_ends_a_statement(text: str) -> None:
    statement = f"DO $body${text}$body$"
    assert split(f"{statement};\nSET a = 1;") == [statement, "SET a = 1"]


@given(st.text("-eE'\"$\\; \nab"))
def test_nothing_but_comments_is_lost(script: str) -> None:
    # Whatever it is, it ends, or is refused; and no statement is made of nothing.
    with contextlib.suppress(DamagedError):
        statements = split(script)
        assert sum(map(len, statements)) <= len(script)


@pytest.mark.parametrize(
    "script",
    [
        "\\! touch file",
        "SELECT 1;\n\\! touch file\n",
        "SELECT 1 \\! touch file\n;",
        "-- a comment\n\\o |touch file\nSELECT 1;",
        "\\copy t FROM PROGRAM 'touch file'",
        "SELECT 'DROP TABLE t' \\gexec",
        "\\restrict key\nSELECT 1;\n\\unrestrict key \\! touch file\n",
        "\\i file",
        "COMMENT ON DATABASE shop IS 'ends here'\n\\! touch file\n;",
    ],
)
def test_a_command_of_psql_is_refused(script: str) -> None:
    with pytest.raises(DamagedError, match="a command of psql where only SQL belongs"):
        split(script)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT '\n\\! touch file\n'",
        'SELECT "\n\\! touch file"',
        "SELECT $$\n\\! touch file\n$$",
        "SELECT E'\\\\! it''s a text'",
    ],
)
def test_what_looks_like_one_in_quotes_is_text(statement: str) -> None:
    assert split(statement + ";\n-- \\! touch file") == [statement]


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("", []),
        ("\n-- only a comment", []),
        ("SET a = 1", ["SET a = 1"]),
        ("SELECT 1 -- one; two\n, 2;", ["SELECT 1 \n, 2"]),
        ("SELECT 2-1;", ["SELECT 2-1"]),
        ("SELECT E'a\\';b';SELECT 2;", ["SELECT E'a\\';b'", "SELECT 2"]),
        ("SELECT 'a\\';SELECT 2;", ["SELECT 'a\\'", "SELECT 2"]),
        ("SELECT $$;$$, $a$;$$;$a$;", ["SELECT $$;$$, $a$;$$;$a$"]),
        ("\\restrict x'y\nSELECT 1;\n\\unrestrict x'y\n", ["SELECT 1"]),
    ],
)
def test_small_scripts(script: str, statements: list[str]) -> None:
    assert split(script) == statements


def test_the_statements_about_the_database_get_its_new_name_and_nothing_else_does() -> None:
    understood, strange = for_database(split(DUMP), '"New"')
    assert strange == []
    assert understood[3:] == [
        "CREATE DATABASE \"New\" WITH TEMPLATE = template0 ENCODING = 'UTF8'",
        'ALTER DATABASE "New" OWNER TO boss',
        "COMMENT ON DATABASE \"New\" IS 'the DATABASE shop; it''s -- big'",
        "ALTER DATABASE \"New\" SET \"my.setting\" TO 'a;b', 'c'",
        "ALTER ROLE reporter IN DATABASE \"New\" SET search_path TO 'public'",
        'ALTER ROLE "Odd; one" IN DATABASE "New" SET work_mem TO \'1GB\'',
        'REVOKE CONNECT,TEMPORARY ON DATABASE "New" FROM PUBLIC',
        'GRANT CREATE ON DATABASE "New" TO reporter WITH GRANT OPTION',
        "SECURITY LABEL FOR provider ON DATABASE \"New\" IS 'DATABASE shop'",
    ]


@pytest.mark.parametrize("old", TRICKY)
@pytest.mark.parametrize("new", TRICKY)
def test_any_name_gives_way_to_any_other(old: str, new: str) -> None:
    name = written(old)
    script = (
        f"CREATE DATABASE {name} WITH TEMPLATE = template0;\n"
        f"COMMENT ON DATABASE {name} IS {literal(f'ALTER DATABASE {name};')};\n"
        f"ALTER ROLE {name} IN DATABASE {name} SET a TO {literal(name)};\n"
        f"GRANT CONNECT ON DATABASE {name} TO {name};\n"
    )
    expected = [statement.strip() for statement in (
        f"CREATE DATABASE {quote_name(new)} WITH TEMPLATE = template0",
        f"COMMENT ON DATABASE {quote_name(new)} IS {literal(f'ALTER DATABASE {name};')}",
        f"ALTER ROLE {name} IN DATABASE {quote_name(new)} SET a TO {literal(name)}",
        f"GRANT CONNECT ON DATABASE {quote_name(new)} TO {name}",
    )]  # fmt: skip
    assert for_database(split(script), quote_name(new)) == (expected, [])


@pytest.mark.parametrize(
    "statement",
    [
        "DROP DATABASE shop",
        "CREATE TABLE t (a text DEFAULT 'ALTER DATABASE shop')",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY t FROM PROGRAM 'ALTER DATABASE shop '",
        "SETTLE x",
        "ALTER TABLE t SET (fillfactor = 10)",
        "x ALTER DATABASE shop OWNER TO boss",
    ],
)
def test_what_is_not_understood_is_set_apart(statement: str) -> None:
    assert for_database([statement, "SET a = 1"], "x") == (["SET a = 1"], [statement])


def test_a_setting_that_older_servers_lack_is_left_out() -> None:
    statements = ["SET lock_timeout = 0", "SET transaction_timeout = 0", "RESET ALL"]
    assert for_database(statements, "x") == ([statements[0], statements[2]], [])


ROLES = """\
SET default_transaction_read_only = off;
CREATE ROLE reporter;
ALTER ROLE reporter WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:a;b==$c:d';
CREATE ROLE "Odd ""one"";";
ALTER ROLE "Odd ""one"";" WITH NOSUPERUSER;
COMMENT ON ROLE "Odd ""one"";" IS 'CREATE ROLE evil;';
CREATE ROLE zürich;
ALTER ROLE reporter SET work_mem TO '1GB';
GRANT reporter TO "Odd ""one"";" WITH ADMIN OPTION, INHERIT FALSE GRANTED BY postgres;
GRANT "Odd ""one"";" TO zürich GRANTED BY "a b";
GRANT SET ON PARAMETER work_mem TO reporter;
CREATE TABLESPACE fast OWNER reporter LOCATION '/fast';
"""


def test_the_statements_that_make_a_role_are_chosen() -> None:
    assert for_roles(split(ROLES), {"reporter"}, set()) == [
        "CREATE ROLE reporter",
        "ALTER ROLE reporter WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:a;b==$c:d'",
        "ALTER ROLE reporter SET work_mem TO '1GB'",
        "GRANT SET ON PARAMETER work_mem TO reporter",
    ]


def test_roles_with_odd_names_are_chosen_and_who_granted_is_left_out() -> None:
    assert for_roles(split(ROLES), {'Odd "one";'}, {"reporter"}) == [
        'CREATE ROLE "Odd ""one"";"',
        'ALTER ROLE "Odd ""one"";" WITH NOSUPERUSER',
        'COMMENT ON ROLE "Odd ""one"";" IS \'CREATE ROLE evil;\'',
        'GRANT reporter TO "Odd ""one"";" WITH ADMIN OPTION, INHERIT FALSE',
    ]
    assert for_roles(split(ROLES), {"zürich"}, {'Odd "one";'}) == [
        "CREATE ROLE zürich",
        'GRANT "Odd ""one"";" TO zürich',
    ]
    assert for_roles(split(ROLES), {"Reporter", "evil", "work_mem"}, set()) == []


def test_memberships_in_roles_that_will_not_be_there_are_left_out() -> None:
    assert for_roles(split(ROLES), {"zürich"}, set()) == ["CREATE ROLE zürich"]


def test_the_members_of_a_needed_role_are_created_too_and_no_others() -> None:
    assert roles_to_create(split(ROLES), {"reporter"}, set()) == {
        *("reporter", 'Odd "one";', "zürich")
    }
    assert roles_to_create(split(ROLES), {'Odd "one";', "gone"}, {"zürich"}) == {'Odd "one";'}
    assert roles_to_create(split(ROLES), set(), set()) == set()


def test_a_setting_of_the_database_is_tried_as_one_of_a_role() -> None:
    assert for_a_role("ALTER DATABASE \"a b\" SET work_mem TO '1GB'") == (
        "ALTER ROLE CURRENT_USER SET work_mem TO '1GB'",
        None,
    )
    assert for_a_role('ALTER ROLE "R ""x""" IN DATABASE d SET "a.b" TO 1') == (
        'ALTER ROLE "R ""x""" SET "a.b" TO 1',
        'R "x"',
    )


def test_the_settings_of_a_function_are_found_and_nothing_in_its_body() -> None:
    function = (
        "CREATE FUNCTION public.f(a integer) RETURNS integer\n    LANGUAGE sql\n"
        "    SET search_path TO 'a', 'b'\n    SET \"my.x\" TO '1'\n"
        "    AS $$\n    SET log_statement TO 'all'\n    AS x $$"
    )
    standard = "CREATE FUNCTION g() RETURNS int\n    LANGUAGE sql\n    SET work_mem TO '1'\n"
    found = [*function_settings([function, f"{standard}    RETURN 1", "CREATE TABLE t ()"])]
    assert found == [
        (
            "CREATE FUNCTION public.f(a integer) RETURNS integer",
            "ALTER ROLE CURRENT_USER SET search_path TO 'a', 'b'",
        ),
        (
            "CREATE FUNCTION public.f(a integer) RETURNS integer",
            "ALTER ROLE CURRENT_USER SET \"my.x\" TO '1'",
        ),
        ("CREATE FUNCTION g() RETURNS int", "ALTER ROLE CURRENT_USER SET work_mem TO '1'"),
    ]


def test_grants_to_dropped_roles_are_found() -> None:
    grants = [
        'GRANT SELECT ON TABLE public.t TO "16385"',
        'GRANT SELECT ON TABLE public."16386" TO reader',
        'ALTER DEFAULT PRIVILEGES FOR ROLE "16387" GRANT SELECT ON TABLES TO PUBLIC',
        'SET SESSION AUTHORIZATION "16388"',
        "CREATE TABLE public.t ()",
    ]
    assert [number for _, number in to_dropped_roles(grants)] == ["16385", "16387", "16388"]


def test_the_roles_that_are_created_are_named() -> None:
    assert roles_created(split(ROLES)) == ("reporter", 'Odd "one";', "zürich")


@given(texts)
def test_a_quoted_name_means_the_name(name: str) -> None:
    assert unquote_name(quote_name(name)) == name
    assert roles_created(split(f"CREATE ROLE {quote_name(name)};\n")) == (name,)


@pytest.mark.parametrize("piece", ["$a{}$ ", "$$", "'{}", '"', "E'", "e", "-", "$1 ", "\n"])
def test_no_script_takes_longer_than_its_length(piece: str) -> None:
    """A quadratic one would take hours for these."""
    script = "".join(piece.format(number) for number in range(200_000)) + "x"
    with contextlib.suppress(DamagedError):
        split(script)


def test_a_body_that_never_ends_is_damage() -> None:
    with pytest.raises(DamagedError, match="cut off"):
        split("CREATE FUNCTION f() AS $tag$ SELECT 1;")
    assert split("SELECT $1 + $2; SELECT $a$;$b$;$a$;") == ["SELECT $1 + $2", "SELECT $a$;$b$;$a$"]
