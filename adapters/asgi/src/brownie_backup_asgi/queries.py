"""Handlers of requests that only look."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from brownie_backup.schedule import next_run_in
from brownie_backup.service.documents import backup_document, instant, status_document
from brownie_backup_asgi import schemas
from brownie_backup_asgi.problems import RETRY_SECONDS
from brownie_backup_asgi.requests import read_query
from brownie_backup_asgi.responses import NOT_CACHED, link, operation_document
from brownie_backup_asgi.state import House
from brownie_backup_asgi.tokens import Caller


async def health(house: House, request: Request, caller: Caller | None) -> Response:
    """Say that the process is alive. It touches nothing."""
    del house, request, caller
    return JSONResponse({"status": "ok"}, headers=NOT_CACHED)


async def status(house: House, request: Request, caller: Caller) -> Response:
    """Say how things stand; 503 if that is what was asked, and no backup is young enough."""
    query = read_query(request, schemas.STATUS_QUERY)
    service = house.service_for(caller, request)
    report = await house.sharing.read("status", lambda: service.status(check_blobs=False))
    late = "ready" in query and not report.ready
    return JSONResponse(status_document(report), 503 if late else 200, NOT_CACHED)


async def list_(house: House, request: Request, caller: Caller) -> Response:
    """List the backups."""
    read_query(request, schemas.NOTHING)
    service = house.service_for(caller, request)
    backups = await house.sharing.read("list", service.list)
    documents = [backup_document(backup) for backup in backups]
    return JSONResponse({"backups": documents}, headers=NOT_CACHED)


async def show(house: House, request: Request, caller: Caller) -> Response:
    """Show one backup."""
    read_query(request, schemas.NOTHING)
    service = house.service_for(caller, request)
    found = await house.thread(lambda: service.find(request.path_params["name"]))
    return JSONResponse(backup_document(found.backup), headers=NOT_CACHED)


async def next_backup(house: House, request: Request, caller: Caller) -> Response:
    """Say when the next backup is due."""
    del caller
    read_query(request, schemas.NOTHING)
    settings, now = house.service.settings, datetime.now(UTC)
    due = next_run_in(settings.schedule, settings.timezone, now).astimezone(UTC)
    document = {
        "next_backup": instant(due),
        "in_seconds": (due - now).total_seconds(),
        "schedule": settings.schedule,
        "timezone": settings.timezone,
    }
    return JSONResponse(document, headers=NOT_CACHED)


async def operations(house: House, request: Request, caller: Caller) -> Response:
    """List the newest operations."""
    del caller
    read_query(request, schemas.NOTHING)
    records = await house.sharing.read("operations", house.operations)
    register = house.desk.register
    documents = [operation_document(request, record, register) for record in records]
    return JSONResponse({"operations": documents}, headers=NOT_CACHED)


async def operation(house: House, request: Request, caller: Caller) -> Response:
    """Show one operation."""
    del caller
    read_query(request, schemas.NOTHING)
    record = await house.find(request.path_params["id"])
    document = operation_document(request, record, house.desk.register)
    headers = dict(NOT_CACHED)
    if document["state"] == "running":
        headers["Retry-After"] = str(RETRY_SECONDS)
    return JSONResponse(document, headers=headers)


async def metrics(house: House, request: Request, caller: Caller) -> Response:
    """Return the metrics, for Prometheus."""
    del caller
    read_query(request, schemas.NOTHING)
    from brownie_backup.telemetry import prometheus_text

    settings = house.service.settings
    data, kind = await house.sharing.read("metrics", lambda: prometheus_text(settings))
    return Response(data, headers={**NOT_CACHED, "Content-Type": kind})


async def openapi(house: House, request: Request, caller: Caller) -> Response:
    """Return the description of this API."""
    del house, caller
    read_query(request, schemas.NOTHING)
    from brownie_backup_asgi.openapi.document import document

    return JSONResponse(document(link(request).rstrip("/") or "/"))
