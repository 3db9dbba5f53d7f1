"""Progress as server-sent events: one for each change of an operation, of any API replica."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from brownie_backup.errors import BackupError
from brownie_backup_asgi import schemas
from brownie_backup_asgi.changes import ChangeTracker
from brownie_backup_asgi.requests import read_query
from brownie_backup_asgi.responses import NOT_CACHED, operation_document
from brownie_backup_asgi.state import MOST_OPERATIONS, AppState
from brownie_backup_asgi.tokens import Caller

_LOOK_SECONDS = 1.0
_SILENCE_LOOKS = 15
"""After this many reads without a change, send a comment so that proxies keep the connection."""


async def events(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Send changes until the client disconnects or the service ends."""
    del caller
    read_query(request, schemas.NOTHING)
    headers = {**NOT_CACHED, "X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(headers=headers, media_type="text/event-stream")
    return StreamingResponse(
        _changes(app_state, request), headers=headers, media_type="text/event-stream"
    )


async def _changes(app_state: AppState, request: Request) -> AsyncIterator[str]:
    changes = ChangeTracker(MOST_OPERATIONS)
    silent = 0
    yield "retry: 3000\n\n"
    while not app_state.manager.closing:
        try:
            records = await app_state.sharing.read("operations", app_state.operations)
        except BackupError as error:
            records = None
            yield f": {type(error).__name__}\n\n"
        for record in (
            changes.of(records, app_state.manager.operation_log.lost) if records is not None else ()
        ):
            silent = 0
            document = operation_document(request, record, app_state.manager.operation_log)
            kind = "progress" if document["state"] == "running" else "ended"
            yield f"event: {kind}\nid: {record.id}\ndata: {_text(document)}\n\n"
        silent += 1
        if silent >= _SILENCE_LOOKS:
            silent = 0
            yield ": nothing new\n\n"
        await asyncio.sleep(_LOOK_SECONDS)


def _text(document: dict[str, Any]) -> str:
    told = {name: value for name, value in document.items() if name != "heartbeat_at"}
    return json.dumps(told, separators=(",", ":"), allow_nan=False)
