"""The description, the routes and the reference page say the same."""

import re
from pathlib import Path

import jsonschema
import pytest

from brownie_backup_asgi.app import ENDPOINTS
from brownie_backup_asgi.openapi.document import document
from brownie_backup_asgi.openapi.paths import PATHS
from brownie_backup_asgi.problems import BY_ERROR, OURS, PREFIX
from brownie_backup_asgi.schemas import CLEANUP, CREATE, RESTORE, VERIFY

pytestmark = pytest.mark.once

PAGE = Path("docs/reference/rest-api.md").read_text(encoding="utf-8")


def test_every_route_is_described_and_nothing_else() -> None:
    routes = {(endpoint.path, endpoint.method.lower()) for endpoint in ENDPOINTS}
    assert routes == {(path, method) for path, methods in PATHS.items() for method in methods}


def test_the_scope_that_is_described_is_the_one_that_is_asked_for() -> None:
    for endpoint in ENDPOINTS:
        told = PATHS[endpoint.path][endpoint.method.lower()].get("description", "")
        if endpoint.scope:
            assert f"scope `{endpoint.scope}`" in told, endpoint


def test_every_schema_is_one() -> None:
    described = document("/")
    for schema in (*described["components"]["schemas"].values(), CREATE, RESTORE, VERIFY, CLEANUP):
        jsonschema.Draft202012Validator.check_schema(schema)
    references = set(re.findall(r"#/components/schemas/(\w+)", str(described)))
    assert references == described["components"]["schemas"].keys()


def test_the_page_has_every_route_with_its_scope() -> None:
    rows = {
        (path, method): scope
        for method, path, scope in re.findall(
            r"^\| `(GET|POST|DELETE) (\S+)` \| ([^|]+) \|", PAGE, re.MULTILINE
        )
    }
    expected = {(endpoint.path, endpoint.method): endpoint.scope for endpoint in ENDPOINTS}
    assert rows.keys() == expected.keys()
    for key, scope in expected.items():
        if scope:
            assert f"`{scope}`" in rows[key]


def test_the_page_has_every_type_of_problem_with_its_status() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", PAGE, re.MULTILINE))
    kinds = (*BY_ERROR.values(), *OURS)
    assert rows == {kind.name: str(kind.status) for kind in kinds}
    assert PREFIX in PAGE


@pytest.mark.parametrize(
    ("title", "schema"),
    [("create", CREATE), ("restore", RESTORE), ("verify", VERIFY), ("cleanup", CLEANUP)],
)
def test_the_page_has_every_field_of_a_body(title: str, schema: dict[str, object]) -> None:
    section = PAGE.partition(f"\n### {title}\n")[2].partition("\n#")[0]
    fields = re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert fields == [*properties]
