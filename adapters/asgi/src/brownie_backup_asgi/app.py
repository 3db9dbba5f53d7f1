"""The ASGI app: routes, and the handling that all requests share."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Any

from attrs import frozen
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from brownie_backup.audit.operation import Actor
from brownie_backup.config.redaction import api_tokens
from brownie_backup.config.settings import Settings
from brownie_backup.errors import redact
from brownie_backup.service import Service
from brownie_backup_asgi import commands, queries
from brownie_backup_asgi.events import events
from brownie_backup_asgi.hints import ApiHint
from brownie_backup_asgi.operations import OperationManager
from brownie_backup_asgi.problems import (
    FORBIDDEN,
    METHOD,
    NO_ROUTE,
    TOKEN_IN_URL,
    UNAUTHORIZED,
    UNEXPECTED,
    Problem,
    problem_of,
)
from brownie_backup_asgi.state import AppState, origin_of
from brownie_backup_asgi.tokens import Scope, read_tokens, require

_log = logging.getLogger(__name__)

_REFUSALS = (UNAUTHORIZED, FORBIDDEN, TOKEN_IN_URL)
_NOT_FOUND = 404
_NO_GUESSING = (b"x-content-type-options", b"nosniff")
"""A browser must not take a name in a document for a page with scripts."""

Handler = Callable[[AppState, Request, Any], Awaitable[Response]]
Message = MutableMapping[str, Any]


@frozen
class Endpoint:
    """A method of a path, and the scope that it needs; None if it needs none."""

    path: str
    method: str
    scope: Scope | None
    action: str
    """The action that the audit trail records for a refused attempt."""
    handler: Handler


# The order matters: a backup may be named 'status' or 'list'. GET then has these fixed paths, and
# the list shows the backup; DELETE and verify still find it by its name.
ENDPOINTS: Sequence[Endpoint] = (
    Endpoint("/health", "GET", None, "health", queries.health),
    Endpoint("/metrics", "GET", Scope.READ, "metrics", queries.metrics),
    Endpoint("/openapi.json", "GET", Scope.READ, "openapi", queries.openapi),
    Endpoint("/backup/status", "GET", Scope.READ, "status", queries.status),
    Endpoint("/backup/list", "GET", Scope.READ, "list", queries.list_),
    Endpoint("/backup/next-backup", "GET", Scope.READ, "next-backup", queries.next_backup),
    Endpoint("/backup/operations", "GET", Scope.READ, "operations", queries.operations),
    Endpoint("/backup/events", "GET", Scope.READ, "events", events),
    Endpoint("/backup/create", "POST", Scope.BACKUP, "backup", commands.create),
    Endpoint("/backup/run-now", "POST", Scope.BACKUP, "backup", commands.run_now),
    Endpoint("/backup/restore", "POST", Scope.RESTORE, "restore", commands.restore),
    Endpoint("/backup/cleanup", "POST", Scope.DELETE, "cleanup", commands.cleanup),
    Endpoint("/backup/operations/{id}", "GET", Scope.READ, "operation", queries.operation),
    # The scope depends on the operation: a token can cancel only what it could start.
    Endpoint("/backup/operations/{id}", "DELETE", None, "cancel", commands.cancel),
    Endpoint("/backup/{name}", "GET", Scope.READ, "show", queries.show),
    Endpoint("/backup/{name}", "DELETE", Scope.DELETE, "delete", commands.delete),
    Endpoint("/backup/{name}/verify", "POST", Scope.BACKUP, "verify", commands.verify),
)
_OPEN = frozenset({"/health"})
"""Paths that need no token."""


class BackupApp:
    """The app. When mounted in another app it gets no lifespan events: call `aclose` at the end.

    Args:
        service: does the work.
        closes: whether `aclose` also closes the service, because only this app uses it.
    """

    def __init__(self, service: Service, *, closes: bool = False) -> None:
        self._closes = closes
        self._house = AppState(
            service, read_tokens(service.settings), OperationManager(service.operation_log)
        )
        self._secrets = api_tokens(service.settings)
        self._app = Starlette(
            routes=[*self._routes()],
            lifespan=self._lifespan,
            exception_handlers={HTTPException: self._http_error},
        )
        self._app.router.redirect_slashes = False

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer a request."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _NO_GUESSING]
            await send(message)

        await self._app(scope, receive, send_safely)

    async def aclose(self) -> None:
        """Shut down: start nothing new; cancel running operations, and record that."""
        await asyncio.to_thread(self._house.manager.close)
        if self._closes:
            await asyncio.to_thread(self._house.service.close)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        await self.aclose()

    def _routes(self) -> Iterator[Route]:
        by_path: dict[str, dict[str, Endpoint]] = {}
        for endpoint in ENDPOINTS:
            by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
        for path, endpoints in by_path.items():
            yield Route(path, self._answering(endpoints), methods=[*endpoints])

    def _answering(
        self, endpoints: dict[str, Endpoint]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            endpoint = endpoints["GET" if request.method == "HEAD" else request.method]
            began = time.perf_counter()
            who = "anonymous"
            try:
                if endpoint.path in _OPEN:
                    response = await endpoint.handler(self._house, request, None)
                else:
                    caller = self._house.tokens.caller(request)
                    who = caller.name
                    if endpoint.scope:
                        require(caller, endpoint.scope)
                    response = await endpoint.handler(self._house, request, caller)
            except Exception as error:  # noqa: BLE001 - a bug of ours must not leave the app
                response = self._problem(request, endpoint, who, error)
            spent = (time.perf_counter() - began) * 1000
            status = response.status_code
            self._log(request, f"{status} for {who} ({origin_of(request)}) in {spent:.1f} ms")
            return response

        return answer

    def _problem(
        self, request: Request, endpoint: Endpoint, who: str, error: Exception
    ) -> Response:
        problem = problem_of(error)
        if problem.kind in _REFUSALS:
            # The name in the URL may be the token.
            told = problem.kind is not TOKEN_IN_URL
            name = request.path_params.get("name") if told else None
            self._house.refuse(request, who, endpoint.action, problem.detail, name)
        if problem.kind is UNEXPECTED:
            _log.error("unexpected %s: %s", type(error).__name__, redact(str(error), self._secrets))
            _log.debug("traceback of the unexpected error", exc_info=error)
        return problem.response()

    async def _http_error(self, request: Request, error: Exception) -> Response:
        """Answer a request for an unknown path, or with an unknown method."""
        assert isinstance(error, HTTPException)  # noqa: S101 - Starlette calls it for no other
        kind = NO_ROUTE if error.status_code == _NOT_FOUND else METHOD
        self._log(request, str(kind.status))
        detail = f"{request.method} is unknown for this path"
        return Problem(kind, detail, hint=ApiHint.SEE_PATHS, headers=error.headers).response()

    def _log(self, request: Request, what: str) -> None:
        """Log a request, but never its query: it may contain a token by mistake."""
        path = redact(request.url.path, self._secrets)
        _log.info("%s %s: %s", request.method, path.encode("unicode_escape").decode(), what)


def create_app(given: Settings | Service) -> BackupApp:
    """Return the app, for one database and its stores.

    Args:
        given: the settings, or a service that the caller made of them, and closes.

    Raises:
        ConfigurationError: no token is set, or the tokens cannot be read.
    """
    if isinstance(given, Service):
        return BackupApp(given)
    return BackupApp(Service(given, Actor("api", "api")), closes=True)
