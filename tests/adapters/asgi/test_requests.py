"""Requests are read strictly: what is not understood is refused, and nothing is guessed."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from brownie_backup.config.settings import Settings
from brownie_backup.secret import Secret
from brownie_backup.stores.location import Location
from brownie_backup_asgi import create_app
from brownie_backup_asgi.requests import violations
from brownie_backup_asgi.schemas import CREATE, DATABASE, NAME, RESTORE, VERIFY

ADMIN = "planted-admin"
JSON = {"Content-Type": "application/json"}


def ask(
    method: str,
    path: str,
    *,
    token: str | None = ADMIN,
    **more: Any,  # noqa: ANN401 - of httpx
) -> httpx.Response:
    """Ask an app whose store and database are nowhere: it must refuse before it needs them."""
    tokens = Secret("reader:read:planted-r,maker:read+backup:planted:m")
    settings = Settings(
        primary=Location("file", path="/nowhere/at/all"),
        api_token=Secret(ADMIN),
        api_tokens=tokens,
        pg_bin="/nowhere",
    )
    headers = more.pop("headers", {})
    if token:
        headers = {"Authorization": f"Bearer {token}", **headers}

    async def run() -> httpx.Response:
        app = create_app(settings)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.request(method, path, headers=headers, **more)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b'{"backup_name": NaN}', 400),
        (b'{"backup_name": "a", "backup_name": "b"}', 400),
        (b"[" * 50_000, 400),
        (b'{"x":' + b"9" * 5000 + b"}", 400),
        (b"[]", 422),
        (b'"a"', 422),
        (b"null", 422),
        (b'{"backup_name": 1}', 422),
        (b'{"backup_name": ""}', 422),
        (b'{"backup_name": "../x"}', 422),
        (b'{"backup_name": "a\\n"}', 422),
        (b'{"backup_name": "a", "full": 1}', 422),
        (b'{"backup_name": "a", "full": "true"}', 422),
        (b'{"labels": {"a": 1}}', 422),
        (b'{"labels": {"a b": "c"}}', 422),
        (b'{"labels": {"a": "\\ud800"}}', 422),
        (b'{"\\ud800": 1}', 422),
        (b'{"labels": {"\\ud800": "x"}}', 422),
        (b'{"labels": {"a": {"\\ud800": "x"}}}', 422),
        (b'{"store": "s3://elsewhere/x"}', 422),
        (b'{"database_url": "postgresql://elsewhere"}', 422),
        (b'{"path": "/etc/passwd"}', 422),
        (b'{"command": "sh"}', 422),
        (b" " * 70_000, 413),
    ],
)
def test_a_body_that_is_not_right_is_refused(body: bytes, status: int) -> None:
    answer = ask("POST", "/backup/create", content=body, headers=JSON)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["hint"]


def test_a_body_must_say_that_it_is_json() -> None:
    assert ask("POST", "/backup/create", content=b"{}").status_code == 415
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ask("POST", "/backup/create", content=b"a=b", headers=form).status_code == 415


@pytest.mark.parametrize("path", ["/backup/list?x=1", "/backup/status?ready=1", "/metrics?name=x"])
def test_a_query_that_is_not_known_is_refused(path: str) -> None:
    assert ask("GET", path).status_code == 422
    assert ask("GET", f"{path}&{path.partition('?')[2]}").status_code == 400


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\t"])
def test_an_idempotency_key_is_short_and_printable(key: str) -> None:
    answer = ask("POST", "/backup/cleanup", headers={"Idempotency-Key": key})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("GET", "/backup/list", None, 401),
        ("GET", "/backup/list", "planted-wrong", 401),
        ("GET", "/metrics", None, 401),
        ("GET", "/openapi.json", None, 401),
        ("GET", "/backup/events", None, 401),
        ("POST", "/backup/create", "planted-r", 403),
        ("POST", "/backup/run-now", "planted-r", 403),
        ("POST", "/backup/x/verify", "planted-r", 403),
        ("POST", "/backup/restore", "planted:m", 403),
        ("POST", "/backup/cleanup", "planted:m", 403),
        ("DELETE", "/backup/x", "planted:m", 403),
    ],
)
def test_a_token_may_do_what_its_scopes_say(
    method: str, path: str, token: str | None, status: int
) -> None:
    answer = ask(method, path, token=token)
    assert answer.status_code == status
    assert answer.headers["www-authenticate"].startswith('Bearer realm="brownie-backup"')
    assert "planted" not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    "given", ["Basic cGxhbnRlZC1hZG1pbg==", ADMIN, "Bearer", f"Bearer {ADMIN} x", "Bearer é"]
)
def test_other_ways_to_say_who_one_is_are_refused(given: str) -> None:
    headers = {"Authorization": given.encode()}
    assert ask("GET", "/backup/next-backup", token=None, headers=headers).status_code == 401


def test_the_scheme_is_known_in_any_case() -> None:
    headers = {"Authorization": f"bEARER {ADMIN}"}
    assert ask("GET", "/backup/next-backup", token=None, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "query", [f"a={ADMIN}", f"{ADMIN}=1", "token=x", "ACCESS_TOKEN=", "api_key=1"]
)
def test_a_token_in_the_url_is_refused_even_beside_a_good_one(query: str) -> None:
    answer = ask("GET", f"/backup/next-backup?{query}")
    assert answer.status_code == 400
    assert answer.json()["type"].endswith(":token-in-url")
    assert ADMIN not in answer.text


def test_health_touches_nothing_and_needs_no_token() -> None:
    assert ask("GET", "/health", token=None).json() == {"status": "ok"}
    assert ask("HEAD", "/health", token=None).status_code == 200


def test_what_is_not_there_is_a_problem_too() -> None:
    for method, path, status in (("GET", "/no", 404), ("PUT", "/backup/list", 405)):
        answer = ask(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
    allowed = ask("PUT", "/backup/x").headers["allow"]
    assert set(allowed.split(", ")) == {"GET", "HEAD", "DELETE"}


def test_a_number_must_be_in_its_range() -> None:
    for wrong in ("0", "101", "1e999", "true", '"50"'):
        answer = ask(
            "POST", "/backup/x/verify", content=f'{{"sample_percent": {wrong}}}', headers=JSON
        )
        assert answer.status_code == 422, wrong
    assert not list(violations({"sample_percent": 12.5}, VERIFY, "it"))


def test_names_of_databases_fit_into_63_bytes() -> None:
    for good in ("shop", "host=evil dbname=x", "größe", "店" * 15, "\U0001f600" * 15, "x" * 63):
        assert not list(violations(good, DATABASE, "it")), good
        assert len(good.encode()) <= 63
    for bad in ("", "x" * 64, "店" * 22, "a\nb", "a\0", "\x7f", "\ud800"):
        assert list(violations(bad, DATABASE, "it")), bad


def test_labels_that_pass_are_ones_that_the_library_takes() -> None:
    pattern = CREATE["properties"]["labels"]["additionalProperties"]
    for number in range(0x20, 0x180):
        if not list(violations(chr(number), pattern, "it")):
            assert chr(number).isprintable(), hex(number)


def test_every_field_that_is_required_is_asked_for() -> None:
    assert list(violations({}, RESTORE, "it")) == ["it lacks 'backup_name'"]
    assert not list(violations("a.b-c_d", NAME, "it"))
    assert json.dumps(RESTORE)


def test_no_answer_is_taken_for_another_type_than_it_says() -> None:
    for path in ("/health", "/openapi.json", "/nowhere", "/backup/status?x=1"):
        assert ask("GET", path).headers["x-content-type-options"] == "nosniff"
