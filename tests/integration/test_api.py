"""The API as its users meet it: uvicorn in a process of its own, PostgreSQL, a store."""

import json
import re
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from tests.integration.bulk import holding
from tests.integration.cli import PASSPHRASE, Cli
from tests.integration.serving import MAKER, READER, TOKEN, Api, serving
from tests.servers.running import Servers

pytestmark = pytest.mark.once

WAIT = {"Prefer": "wait=60"}


def both_at_once(*calls: "tuple[Api, dict[str, object]]") -> list[httpx.Response]:
    """Post to /backup/create from several clients at the same moment."""
    barrier = threading.Barrier(len(calls))

    def post(call: tuple[Api, dict[str, object]]) -> httpx.Response:
        barrier.wait()
        return call[0].post("/backup/create", call[1])

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(post, calls))


def test_the_seeds_calls_work_as_they_stand(servers: Servers, small: str, small_cli: Cli) -> None:
    with serving(small_cli) as api:
        made = api.post("/backup/create", {"backup_name": "my-backup-2024-01-15"})
        assert made.status_code == 202
        assert int(made.headers["retry-after"]) > 0
        assert api.ended(made.headers["location"])["state"] == "succeeded"
        names = [each["name"] for each in api.get("/backup/list").json()["backups"]]
        assert names == ["my-backup-2024-01-15"]
        body = {"backup_name": "my-backup-2024-01-15", "target_database": f"{small}_restored"}
        restored = api.post("/backup/restore", body, headers=WAIT)
        assert restored.status_code == 200
        assert restored.headers["preference-applied"] == "wait=60"
        assert servers.get(18).sql(f"{small}_restored", "SELECT count(*) FROM orders") == "1000\n"
        status = api.get("/backup/status").json()
        assert (status["retention_days"], status["state"], status["ready"]) == (30, "ok", True)
        run = api.post("/backup/run-now", headers=WAIT)
        assert run.status_code == 201
        shown = api.get(run.headers["location"]).json()
        assert shown["name"] == run.json()["backup"]
        verified = api.post(f"{run.headers['location']}/verify", headers=WAIT).json()
        assert verified["result"]["good"]
        assert api.get("/backup/status").json()["last_verified"] == shown["name"]
        cleaned = api.post("/backup/cleanup", headers=WAIT)
        assert cleaned.status_code == 200
        assert cleaned.json()["result"]["stores"][0]["deleted"] == []
        assert api.request("DELETE", "/backup/my-backup-2024-01-15").status_code == 200
        assert api.get("/backup/my-backup-2024-01-15").status_code == 404
        assert api.get("/backup/next-backup").json()["schedule"] == "0 2 * * *"
        assert api.get("/health", token=None).json() == {"status": "ok"}
        assert "backup_total" in api.get("/metrics").text


def test_an_existing_target_is_refused_unless_it_is_to_be_replaced(
    servers: Servers, small: str, small_cli: Cli
) -> None:
    with serving(small_cli) as api:
        api.post("/backup/create", {"backup_name": "one"}, headers=WAIT).raise_for_status()
        body = {"backup_name": "one", "target_database": small}
        refused = api.post("/backup/restore", body)
        assert refused.status_code == 409
        assert refused.json()["type"].endswith(":target-exists")
        assert "replace" in refused.json()["hint"]
        done = api.post("/backup/restore", body | {"replace": True}, headers=WAIT).json()
        assert done["result"]["replaced_database"] in servers.get(18).databases(f"{small}%")
        # The target may look like a connection string: it is a name all the same.
        body["target_database"] = f"{small} host=evil"
        assert api.post("/backup/restore", body, headers=WAIT).status_code == 200
        assert f"{small} host=evil" in servers.get(18).databases(f"{small}%")


def test_of_two_creates_at_once_one_is_begun(cli: Cli, servers: Servers) -> None:
    with serving(cli) as one, serving(cli) as other:
        for replicas in ((one, one), (one, other)):
            # So that the first can't be done before the second is asked for.
            with holding(servers.get(18), "bulky", "BEGIN; LOCK TABLE public.bulk;"):
                answers = both_at_once(*((api, {}) for api in replicas))
            assert sorted(answer.status_code for answer in answers) == [202, 409]
            (begun,) = (answer for answer in answers if answer.status_code == 202)
            (refused,) = (answer for answer in answers if answer.status_code == 409)
            assert refused.json()["type"].endswith(":busy")
            # Any replica answers for it.
            assert other.ended(begun.headers["location"])["state"] == "succeeded"
            time.sleep(0.2)
        taken = one.post("/backup/create", {"backup_name": "taken"}, headers=WAIT)
        assert taken.status_code == 201
        again = other.post("/backup/create", {"backup_name": "taken"})
        assert (again.status_code, again.json()["type"].split(":")[-1]) == (409, "backup-exists")


def test_the_same_key_is_the_same_operation(small_cli: Cli) -> None:
    key = {"Idempotency-Key": "nightly-1"}
    with serving(small_cli) as one, serving(small_cli) as other:
        first = one.post("/backup/create", {"labels": {"a": "b"}}, headers=key)
        second = other.post("/backup/create", {"labels": {"a": "b"}}, headers=key | WAIT)
        assert first.status_code == 202
        assert second.status_code == 201
        assert second.json()["id"] == first.json()["id"]
        changed = other.post("/backup/create", {"labels": {"a": "c"}}, headers=key)
        assert (changed.status_code, changed.json()["type"].split(":")[-1]) == (
            422,
            "idempotency-key",
        )
    with serving(small_cli) as later:
        third = later.post("/backup/create", {"labels": {"a": "b"}}, headers=key | WAIT)
        assert third.json()["id"] == first.json()["id"]
        assert len(later.get("/backup/list").json()["backups"]) == 1


def test_a_cancelled_backup_leaves_nothing_visible(cli: Cli, servers: Servers) -> None:
    with serving(cli) as one, serving(cli) as other:
        # So that it can't be done too soon.
        with holding(servers.get(18), "bulky", "BEGIN; LOCK TABLE public.bulk;"):
            begun = one.post("/backup/create", {"backup_name": "cut-short"})
            assert begun.status_code == 202
            # By the other replica: the one that runs it finds out.
            asked = other.request("DELETE", begun.headers["location"])
            assert (asked.status_code, asked.json()["cancelled_by"]) == (202, "admin")
            wait_until(lambda: one.get(begun.headers["location"]).json()["cancelled_by"] == "admin")
        ended = other.ended(begun.headers["location"], limit=15)
        assert ended["state"] == "cancelled"
        assert one.get("/backup/list").json()["backups"] == []
        assert not list(cli.store.glob("leases/*"))
        assert servers.get(18).sessions("bulky") == 0
        late = one.request("DELETE", begun.headers["location"])
        assert (late.status_code, late.json()["type"].split(":")[-1]) == (409, "operation-ended")
        # And the database is free again.
        assert one.post("/backup/create", headers=WAIT).status_code == 201


def wait_until(true: Callable[[], bool], limit: float = 30) -> None:
    """Wait for something."""
    deadline = time.monotonic() + limit
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_sigterm_cancels_what_runs_and_records_it(cli: Cli, servers: Servers) -> None:
    with serving(cli) as api:
        begun = api.post("/backup/create", {"backup_name": "cut-short"})
        began = time.monotonic()
        assert api.end() == -signal.SIGTERM
        assert time.monotonic() - began < 25
    assert cli.backups() == {}
    assert not list(cli.store.glob("leases/*"))
    wait_until(lambda: servers.get(18).sessions("bulky") == 0)
    with serving(cli) as api:
        ended = api.get(begun.headers["location"]).json()
        assert (ended["state"], ended["cancelled_by"]) == ("cancelled", "the end of the service")


def test_what_died_with_its_process_has_failed(cli: Cli) -> None:
    with serving(cli) as api:
        begun = api.post("/backup/create", {"backup_name": "killed"})
        assert begun.status_code == 202
        api.end(signal.SIGKILL)
    with serving(cli) as api:
        assert api.get(begun.headers["location"]).json()["state"] == "running"
        (stored,) = cli.store.glob("operations/*.json")
        record = json.loads(stored.read_text(encoding="utf-8"))
        seen = datetime.fromisoformat(record["heartbeat_at"]) - timedelta(minutes=2)
        stored.write_text(json.dumps(record | {"heartbeat_at": seen.isoformat()}), encoding="utf-8")
        ended = api.ended(begun.headers["location"], limit=10)
        assert ended["state"] == "failed"
        assert ended["problem"]["type"].endswith(":operation-lost")
        assert api.get("/backup/list").json()["backups"] == []
        # Its lease is still there, and keeps nobody from another backup.
        assert list(cli.store.glob("leases/*"))
        assert api.post("/backup/create", headers=WAIT).status_code == 201


def test_events_tell_how_far_an_operation_is(cli: Cli) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    seen: list[tuple[str, str]] = []
    with serving(cli) as api:
        with httpx.stream("GET", f"{api.url}/backup/events", headers=headers, timeout=60) as events:
            assert events.headers["content-type"].startswith("text/event-stream")
            begun = api.post("/backup/create", {}, token=MAKER).json()
            kind = ""
            for line in events.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    document = json.loads(value)
                    assert document["id"] == begun["id"]
                    seen.append((kind, document["state"]))
                if kind == "ended" and name == "data":
                    break
        assert seen[0] == ("progress", "running")
        assert seen[-1] == ("ended", "succeeded")
        # A stream that is open keeps no service from its end.
        with httpx.stream("GET", f"{api.url}/backup/events", headers=headers, timeout=60) as events:
            next(events.iter_lines())
            api.end(limit=20)


def test_reads_answer_while_a_backup_runs(cli: Cli) -> None:
    paths = ("/health", "/backup/status", "/backup/list", "/backup/operations")
    with serving(cli) as api:
        read_together(api, paths, 40)  # whatever is slow the first time only
        idle = read_together(api, paths, 200)
        with backing_up(api) as made:
            during = read_together(api, paths, 200)
        assert made
        most = statistics.quantiles(during, n=10)[-1]  # the slowest may wait for a busy machine
        told = (f"{statistics.median(idle):.3f} s idle", f"{most:.3f} s during a backup")
        assert most < 10 * statistics.median(idle), told


@contextmanager
def backing_up(api: Api) -> Iterator[list[str]]:
    """Make one backup after the other while the block runs; tell their names."""
    made: list[str] = []
    over = threading.Event()

    def back_up() -> None:
        while not over.is_set():
            done = api.post("/backup/create", headers=WAIT)
            made.append(done.json()["backup"])

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(back_up)
        try:
            yield made
        finally:
            over.set()
        working.result()


def read_together(api: Api, paths: tuple[str, ...], count: int) -> list[float]:
    """Read so many times at once; return how long each answer took."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    limits = httpx.Limits(max_connections=count)
    barrier = threading.Barrier(count)
    with httpx.Client(base_url=api.url, headers=headers, timeout=60, limits=limits) as client:

        def read(number: int) -> float:
            barrier.wait()
            began = time.perf_counter()
            assert client.get(paths[number % len(paths)]).status_code == 200
            return time.perf_counter() - began

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(read, range(count)))


def test_no_secret_is_in_any_answer_log_or_object(small_cli: Cli, servers: Servers) -> None:
    password = servers.get(18).password.reveal()
    secrets = (TOKEN, READER, MAKER, PASSPHRASE, password)
    said: list[str] = []
    with serving(small_cli.by_passphrase(), BACKUP_DEBUG="true") as api:
        answers = [
            api.post("/backup/create", {"backup_name": "one"}, headers=WAIT),
            *(api.get(f"/{path}") for path in ("health", "metrics", "openapi.json")),
            *(api.get(f"/backup/{p}") for p in ("status", "list", "one", "operations", "none")),
            api.get("/backup/list", token=TOKEN[:-1]),
            api.get(f"/backup/list?token={TOKEN}"),
            api.get(f"/backup/list?x={READER}", token=None),
            api.get(f"/backup/{MAKER}"),
            api.post("/backup/cleanup", token=MAKER),
            api.request("POST", "/backup/create", content=f'{{"backup_name": "{TOKEN}"'),
        ]
        said += [f"{answer.headers} {answer.text}" for answer in answers]
        codes = [answer.status_code for answer in answers[-6:]]
        assert codes == [401, 400, 400, 400, 403, 415]
    said.append(api.output())
    said += [path.read_bytes().decode("latin-1") for path in stored(small_cli)]
    for secret in secrets:
        for text in said:
            assert secret not in text, text[max(text.find(secret) - 200, 0) :][:300]
    refused = [text for text in said if '"outcome":"refused"' in text.replace(" ", "")]
    assert refused, "refused attempts are in the audit trail"
    assert any('"actor":"maker"' in text.replace(" ", "") for text in refused), "by whom, if known"


def stored(cli: Cli) -> list[Path]:
    """Return the files of the store that are no blobs."""
    return [path for path in cli.store.rglob("*") if path.is_file() and "blobs" not in path.parts]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"BACKUP_API_TOKEN": "", "BACKUP_API_TOKENS": ""}, "no API token is set"),
        ({"BACKUP_API_TOKENS": "ops:admin:planted-1"}, "token 1 is not name:scope+scope:token"),
        ({"BACKUP_API_TOKENS": f"ops:read:{TOKEN}"}, "one token twice"),
    ],
)
def test_it_does_not_start_without_good_tokens(
    small_cli: Cli, variables: dict[str, str], said: str
) -> None:
    with (
        pytest.raises(AssertionError, match=re.escape(said)) as caught,
        serving(small_cli, **variables),
    ):
        pass
    assert "planted" not in str(caught.value)


def test_anybody_may_look_if_that_is_what_is_wanted(small_cli: Cli) -> None:
    settings = {"BACKUP_API_TOKEN": "", "BACKUP_API_TOKENS": "", "BACKUP_API_ANONYMOUS": "read"}
    with serving(small_cli, **settings) as api:
        assert api.get("/backup/list", token=None).status_code == 200
        refused = api.post("/backup/create", token=None)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert api.get("/backup/list", token="wrong").status_code == 401


def test_ready_is_a_matter_of_the_last_good_backup(small_cli: Cli) -> None:
    with serving(small_cli) as api:
        assert api.get("/backup/status?ready").status_code == 503
        assert api.get("/backup/status").status_code == 200
        api.post("/backup/create", headers=WAIT).raise_for_status()
        assert api.get("/backup/status?ready").status_code == 200
