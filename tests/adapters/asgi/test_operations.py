"""What runs in this process is alive, whatever the store does or has been told."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from tests.unit.fakes import FakeClock

from brownie_backup.audit.operation import Actor
from brownie_backup.config.settings import Settings
from brownie_backup.errors import Busy, KeyNotFound, StoreUnavailable
from brownie_backup.model.reports import CountProgress
from brownie_backup.protocols import ObjectUse
from brownie_backup.repository import OperationLog, OperationRecord
from brownie_backup.repository.coordination.operations import (
    CANCELLED,
    FAILED,
    LOST_AFTER,
    SUCCEEDED,
)
from brownie_backup.service import Service
from brownie_backup.stores import MemoryStore
from brownie_backup.stores.location import Location
from brownie_backup_asgi.commands import cancel
from brownie_backup_asgi.operations import (
    MOST_AT_ONCE,
    OperationManager,
    OperationRequest,
    ReportProgress,
)
from brownie_backup_asgi.problems import FORBIDDEN, Problem
from brownie_backup_asgi.queries import operation
from brownie_backup_asgi.running_operation import RunningOperation
from brownie_backup_asgi.state import AppState
from brownie_backup_asgi.tokens import Caller, Scope, Tokens

SECOND = timedelta(seconds=1)


class MoodyStore(MemoryStore):
    """A store that replaces nothing, if it does not want to."""

    willing = True

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Put it, or not."""
        if not self.willing and not if_absent:
            msg = "not now"
            raise StoreUnavailable(msg)
        super().put(key, data, if_absent=if_absent, use=use)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> MoodyStore:
    return MoodyStore(clock)


@pytest.fixture
def manager(store: MoodyStore, clock: FakeClock, go: threading.Event) -> Iterator[OperationManager]:
    manager = OperationManager(
        lambda: OperationLog(store, clock),
        heartbeat=timedelta(milliseconds=5),
        recording_seconds=0.05,
        closing_seconds=1.0,
    )
    yield manager
    go.set()
    manager.close()


@pytest.fixture
def go() -> threading.Event:
    """Lets operations end."""
    return threading.Event()


def order(go: threading.Event, database: str | None = "shop", **more: Any) -> OperationRequest:  # noqa: ANN401
    """Return an order whose work lasts until it may end."""

    def work(_: str, tell: ReportProgress) -> dict[str, Any]:
        while not go.wait(0.005):
            tell(CountProgress("working", 0, 0))
        return {}

    given: dict[str, Any] = {
        "action": "backup",
        "work": work,
        "actor": "joe",
        "body": {},
        "database": database,
    }
    return OperationRequest(**(given | more))


def begin(manager: OperationManager, asked: OperationRequest) -> RunningOperation:
    """Begin it here."""
    running = manager.begin(asked)[1]
    assert running
    return running


def eventually(true: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_store_that_takes_nothing_kills_no_operation(
    manager: OperationManager, store: MoodyStore, clock: FakeClock, go: threading.Event
) -> None:
    asked = order(go, key="once")
    running = begin(manager, asked)
    store.willing = False
    clock.advance(LOST_AFTER + SECOND)
    found = manager.find(running.record.id)
    assert found.heartbeat_at == clock()
    assert not manager.operation_log.lost(found)
    assert manager.recent(9, {}) == [manager.find(running.record.id)]
    assert manager.operation_log.lost(manager.operation_log.get(found.id))
    assert not manager.operation_log.lost(manager.begin(asked)[0])
    with pytest.raises(Busy, match=found.id):
        manager.begin(order(go))
    assert manager.cancel(found.id, "ann").cancelled_by == "ann"
    running.ended.result(10)
    assert running.record.state == CANCELLED


def test_the_beat_is_put_before_anything_is_looked_for(
    manager: OperationManager, store: MoodyStore, clock: FakeClock, go: threading.Event
) -> None:
    running = begin(manager, order(go))
    identifier = running.record.id
    wanted, getting = threading.Event(), store.get

    def get(key: str, most_bytes: int) -> bytes:
        if key.startswith("cancellations/"):
            wanted.wait(10)
        return getting(key, most_bytes)

    store.get = get  # type: ignore[assignment, method-assign]
    clock.advance(SECOND)
    eventually(lambda: manager.operation_log.get(identifier).heartbeat_at == clock())
    store.put(f"cancellations/{identifier}.json", b'{"by": "ann"}')
    wanted.set()
    running.ended.result(10)
    assert running.record.cancelled_by == "ann"


def test_how_it_ended_is_put_until_the_store_takes_it(
    manager: OperationManager, store: MoodyStore, clock: FakeClock, go: threading.Event
) -> None:
    running = begin(manager, order(go))
    identifier = running.record.id
    store.willing = False
    go.set()
    running.ended.result(10)  # nobody waits for the store
    clock.advance(LOST_AFTER + SECOND)
    assert manager.find(identifier).state == SUCCEEDED
    with pytest.raises(Problem, match="has ended"):
        manager.cancel(identifier, "ann")
    store.willing = True
    running.recorded.result(10)
    assert manager.here(identifier) is None
    assert manager.operation_log.get(identifier).state == SUCCEEDED


def test_what_is_never_recorded_does_not_outlive_the_desk(
    manager: OperationManager, store: MoodyStore, go: threading.Event
) -> None:
    running = begin(manager, order(go))
    store.willing = False
    manager.close()
    assert running.recorded.done()
    assert manager.here(running.record.id) is None


def test_old_ones_are_removed_in_a_try_of_its_own(
    manager: OperationManager,
    store: MoodyStore,
    go: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: OperationLog) -> None:
        msg = "not now"
        raise StoreUnavailable(msg)

    monkeypatch.setattr(OperationLog, "forget_old", fail)
    running = begin(manager, order(go))
    go.set()
    running.recorded.result(10)
    assert manager.operation_log.get(running.record.id).state == SUCCEEDED


def test_what_went_wrong_is_told_although_the_end_was_asked_for(
    manager: OperationManager, go: threading.Event
) -> None:
    def work(_: str, tell: ReportProgress) -> dict[str, Any]:
        go.wait(10)
        msg = "the disk is on fire"
        raise StoreUnavailable(msg)

    running = begin(manager, order(go, work=work))
    manager.cancel(running.record.id, "ann")
    go.set()
    running.ended.result(10)
    record = running.record
    assert (record.state, record.cancelled_by) == (FAILED, "ann")
    assert record.problem
    assert record.problem["detail"] == "the disk is on fire"


def test_so_many_operations_and_no_more(
    manager: OperationManager, store: MoodyStore, go: threading.Event
) -> None:
    for _ in range(MOST_AT_ONCE):
        begin(manager, order(go, database=None))
    with pytest.raises(Busy, match="16 operations") as refused:
        manager.begin(order(go, database=None))
    assert "Try again" in str(refused.value.hint)
    assert len(list(store.list("operations/"))) == MOST_AT_ONCE
    go.set()
    eventually(lambda: not any(manager.here(record.id) for record in manager.recent(99, {})))
    begin(manager, order(go, database=None))


def test_one_that_is_refused_leaves_no_trace(
    manager: OperationManager, store: MoodyStore, clock: FakeClock, go: threading.Event
) -> None:
    other = OperationManager(lambda: OperationLog(store, clock))
    begin(manager, order(go))
    asked = order(go, key="mine")
    with pytest.raises(Busy):
        other.begin(asked)
    assert other.here(asked.id) is None
    with pytest.raises(KeyNotFound):
        store.get(f"operations/{asked.id}.json")


def test_the_order_of_fields_makes_no_other_request(go: threading.Event) -> None:
    one = order(go, body={"labels": {"a": "1", "b": "2"}, "full": True})
    same = order(go, body={"full": True, "labels": {"b": "2", "a": "1"}})
    assert one.digest == same.digest
    assert one.digest != order(go, body={"labels": {"a": "1", "b": "3"}, "full": True}).digest


def test_what_is_known_here_is_told_when_no_thread_is_free(
    manager: OperationManager, go: threading.Event
) -> None:
    identifier = begin(manager, order(go)).record.id
    with ThreadPoolExecutor(1) as full:
        full.submit(go.wait, 10)
        assert b'"state":"running"' in ask(manager, full, operation, identifier, *Scope)
        assert b'"cancelled_by":"ann"' in ask(manager, full, cancel, identifier, *Scope)
        go.set()


def test_to_cancel_an_action_that_is_not_known_takes_the_highest_scope(
    manager: OperationManager,
) -> None:
    operation_log = manager.operation_log
    now = operation_log.clock()
    operation_log.enter(OperationRecord("a1", "conjure", "joe", now, now))
    with ThreadPoolExecutor(1) as threads:
        with pytest.raises(Problem) as refused:
            ask(manager, threads, cancel, "a1", Scope.READ, Scope.BACKUP, Scope.RESTORE)
        assert refused.value.kind is FORBIDDEN
        assert b'"cancelled_by":"ann"' in ask(manager, threads, cancel, "a1", Scope.DELETE)


def ask(
    manager: OperationManager,
    threads: Executor,
    handler: Callable[[AppState, Request, Caller], Awaitable[Response]],
    identifier: str,
    *scopes: Scope,
) -> bytes:
    """Ask for an operation; return the answer's body."""

    async def nothing() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    about = {"path": "/", "path_params": {"id": identifier}, "query_string": b"", "headers": []}
    request = Request({"type": "http", "method": "GET", **about}, receive=nothing)
    service = Service(
        Settings(primary=Location("file", path="/nowhere/at/all")), Actor("joe", "api")
    )
    app_state = AppState(service, Tokens(()), manager, threads)
    caller = Caller("ann", frozenset(scopes))
    answer = handler(app_state, request, caller)
    return bytes(asyncio.run(asyncio.wait_for(answer, 5)).body)
