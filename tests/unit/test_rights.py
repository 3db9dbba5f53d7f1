"""What this role may not restore, and what the database needs of a server's locales."""

import pytest

from brownie_backup.dumpers.postgres.restore.contents import parse_contents
from brownie_backup.dumpers.postgres.restore.database_script import DatabaseScript
from brownie_backup.dumpers.postgres.restore.rights import check_grants, check_superuser
from brownie_backup.dumpers.postgres.restore.statements import without_tablespace
from brownie_backup.model.findings import Level

LISTING = """
10; 3466 16400 EVENT TRIGGER - watch postgres
11; 2616 16401 OPERATOR CLASS public order_of_int postgres
12; 1259 16402 TABLE public t postgres
"""
ORDINARY = {"superuser": False, "managed": False, "me": "restorer"}
CREATE = "CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8'"


def test_what_only_a_superuser_may_create_is_named() -> None:
    entries = parse_contents(LISTING).values()
    first, second = check_superuser(ORDINARY, entries)
    assert (first.subject, first.level) == ("operator classes", Level.ERROR)
    assert (second.subject, second.level) == ("event triggers", Level.ERROR)
    assert "watch" in second.message
    assert not [*check_superuser(ORDINARY | {"superuser": True}, entries)]


def test_on_a_managed_service_it_may_succeed() -> None:
    found = check_superuser(ORDINARY | {"managed": True}, parse_contents(LISTING).values())
    assert {each.level for each in found} == {Level.WARNING}


def test_grants_to_one_dropped_role_are_one_finding() -> None:
    grants = [f'GRANT SELECT ON TABLE public.t{n} TO "16385"' for n in range(9)]
    (found,) = check_grants([*grants, 'GRANT SELECT ON TABLE public.t TO "123"'], {"123"})
    assert found.message.startswith("9 grants")
    assert 'CREATE ROLE "16385"' in str(found.hint)


@pytest.mark.parametrize(
    ("clauses", "locales", "collation"),
    [
        (" LOCALE_PROVIDER = libc LOCALE = 'de_DE.utf8'", ["de_DE.utf8"], None),
        (" LOCALE_PROVIDER = libc LC_COLLATE = 'C' LC_CTYPE = 'a''b'", ["C", "a''b"], None),
        (
            " LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'de' ICU_RULES = '&a < b'",
            ["C"],
            "provider = icu, locale = 'de', rules = '&a < b'",
        ),
        (
            " LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8'",
            ["C"],
            "provider = builtin, locale = 'C.UTF-8'",
        ),
    ],
)
def test_the_locales_of_a_database_are_found(
    clauses: str, locales: list[str], collation: str | None
) -> None:
    script = DatabaseScript(CREATE + clauses, (), (), ())
    assert [*script.locales()] == locales
    assert script.collation() == collation


def test_a_database_can_be_made_without_its_tablespace() -> None:
    assert without_tablespace(f'{CREATE} TABLESPACE = "a b" LOCALE = x') == f"{CREATE} LOCALE = x"
