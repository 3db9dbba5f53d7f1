"""Handlers of requests that only read."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from brownie_backup.schedule import next_run_in
from brownie_backup.service.documents import backup_document, instant, status_document
from brownie_backup_asgi import schemas
from brownie_backup_asgi.json_response import JSONResponse
from brownie_backup_asgi.problems import RETRY_SECONDS
from brownie_backup_asgi.requests import read_query
from brownie_backup_asgi.responses import NOT_CACHED, link, operation_document
from brownie_backup_asgi.state import AppState
from brownie_backup_asgi.tokens import Caller
from brownie_backup_asgi.vocabulary import WORDS


async def health(app_state: AppState, request: Request, caller: Caller | None) -> Response:
    """Report that the process is alive, without using the store or the database."""
    del app_state, request, caller
    return JSONResponse({"status": "ok"}, headers=NOT_CACHED)


async def status(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Show the status; with ?ready, answer 503 if no good backup is recent enough."""
    query = read_query(request, schemas.STATUS_QUERY)
    service = app_state.service_for(caller, request)
    report = await app_state.sharing.read("status", lambda: service.status(check_blobs=False))
    late = "ready" in query and not report.ready
    return JSONResponse(status_document(report, WORDS), 503 if late else 200, NOT_CACHED)


async def list_(app_state: AppState, request: Request, caller: Caller) -> Response:
    """List the backups."""
    read_query(request, schemas.NOTHING)
    service = app_state.service_for(caller, request)
    backups = await app_state.sharing.read("list", service.list)
    documents = [backup_document(backup) for backup in backups]
    return JSONResponse({"backups": documents}, headers=NOT_CACHED)


async def show(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Show one backup."""
    read_query(request, schemas.NOTHING)
    service = app_state.service_for(caller, request)
    found = await app_state.thread(lambda: service.find(request.path_params["name"]))
    return JSONResponse(backup_document(found.backup), headers=NOT_CACHED)


async def next_backup(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Show when the next backup is due."""
    del caller
    read_query(request, schemas.NOTHING)
    settings, now = app_state.service.settings, datetime.now(UTC)
    due = next_run_in(settings.schedule, settings.timezone, now).astimezone(UTC)
    document = {
        "next_backup": instant(due),
        "in_seconds": (due - now).total_seconds(),
        "schedule": settings.schedule,
        "timezone": settings.timezone,
    }
    return JSONResponse(document, headers=NOT_CACHED)


async def operations(app_state: AppState, request: Request, caller: Caller) -> Response:
    """List the newest operations."""
    del caller
    read_query(request, schemas.NOTHING)
    records = await app_state.sharing.read("operations", app_state.operations)
    operation_log = app_state.manager.operation_log
    documents = [operation_document(request, record, operation_log) for record in records]
    return JSONResponse({"operations": documents}, headers=NOT_CACHED)


async def operation(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Show one operation."""
    del caller
    read_query(request, schemas.NOTHING)
    record = await app_state.find(request.path_params["id"])
    document = operation_document(request, record, app_state.manager.operation_log)
    headers = dict(NOT_CACHED)
    if document["state"] == "running":
        headers["Retry-After"] = str(RETRY_SECONDS)
    return JSONResponse(document, headers=headers)


async def metrics(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Return the metrics, for Prometheus."""
    del caller
    read_query(request, schemas.NOTHING)
    from brownie_backup.telemetry import prometheus_text

    stores = app_state.service.context.stores
    data, kind = await app_state.sharing.read("metrics", lambda: prometheus_text(stores))
    return Response(data, headers={**NOT_CACHED, "Content-Type": kind})


async def openapi(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Return the description of this API."""
    del app_state, caller
    read_query(request, schemas.NOTHING)
    from brownie_backup_asgi.openapi.document import document

    return JSONResponse(document(link(request).rstrip("/") or "/"))
