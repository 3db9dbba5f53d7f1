"""The state that the handlers of all requests share."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from attrs import define, evolve, field
from starlette.requests import Request

from brownie_backup.audit.operation import Actor
from brownie_backup.repository import OperationRecord
from brownie_backup.service import Service
from brownie_backup_asgi.operations import OperationManager
from brownie_backup_asgi.single_flight import SingleFlight
from brownie_backup_asgi.tokens import Caller, Tokens

T = TypeVar("T")

READERS = 8
"""The maximum number of concurrent reads; others wait. Long operations have their own threads."""
MOST_REFUSALS_WAITING = 20
MOST_OPERATIONS = 100
"""The maximum length of the list of operations."""


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(READERS, thread_name_prefix="api")


@define
class AppState:
    """The service, the tokens, the operations and the threads: the event loop never waits."""

    service: Service
    tokens: Tokens
    manager: OperationManager
    executor: Executor = field(factory=_threads)
    sharing: SingleFlight = field(init=False)
    known: Mapping[str, OperationRecord] = field(factory=dict)
    """Operations of the last list, so that ended operations are not read again."""
    _refusing: threading.Semaphore = field(init=False)
    _refusal_recorder: Executor = field(init=False)
    """One thread that records refusals: a flood of them must not delay other requests."""

    def __attrs_post_init__(self) -> None:
        self.sharing = SingleFlight(self.executor)
        self._refusal_recorder = ThreadPoolExecutor(1, thread_name_prefix="refusals")
        self._refusing = threading.Semaphore(MOST_REFUSALS_WAITING)

    async def thread(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, done in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    def service_for(self, caller: Caller, request: Request) -> Service:
        """Return the service, acting for a caller."""
        return evolve(self.service, actor=Actor(caller.name, origin_of(request)))

    async def find(self, identifier: str) -> OperationRecord:
        """Return an operation of any API replica, without the store if it runs in this process."""
        running = self.manager.here(identifier)
        return (
            running.record if running else await self.thread(lambda: self.manager.find(identifier))
        )

    def operations(self) -> list[OperationRecord]:
        """Return the newest operations of all API replicas."""
        found = self.manager.recent(MOST_OPERATIONS, self.known)
        self.known = {record.id: record for record in found}
        return found

    def refuse(
        self, request: Request, caller: str, action: str, reason: str, backup: str | None
    ) -> None:
        """Record a refused attempt in the background; in a flood, not all are recorded."""
        actor = Actor(caller, origin_of(request))
        service = evolve(self.service, actor=actor)

        def record() -> None:
            try:
                service.refuse(action, reason, backup=backup)
            finally:
                self._refusing.release()

        if self._refusing.acquire(blocking=False):
            self._refusal_recorder.submit(record)


def origin_of(request: Request) -> str:
    """Return the origin of a request, with the client's address."""
    return f"api {request.client.host}" if request.client else "api"
