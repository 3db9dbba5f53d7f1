"""Handlers of requests that change something."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from brownie_backup.model.reports import RestoreOptions
from brownie_backup.operations.verify import ALL
from brownie_backup.service.documents import (
    cleanup_document,
    report_document,
    restore_document,
    verification_document,
)
from brownie_backup_asgi import schemas
from brownie_backup_asgi.json_response import JSONResponse
from brownie_backup_asgi.operations import OperationRequest, ReportProgress, propose_name
from brownie_backup_asgi.requests import idempotency_key, read_body, read_query, wait_seconds
from brownie_backup_asgi.responses import NOT_CACHED, answer_operation, operation_document
from brownie_backup_asgi.running_operation import RunningOperation
from brownie_backup_asgi.state import AppState
from brownie_backup_asgi.tokens import Caller, Scope, require
from brownie_backup_asgi.vocabulary import WORDS

SETTLE_SECONDS = 10.0
"""How long a response waits for an operation's first checks: it returns their errors at once."""
_POLL_SECONDS = 1.0

SCOPES = {
    "backup": Scope.BACKUP,
    "verify": Scope.BACKUP,
    "restore": Scope.RESTORE,
    "cleanup": Scope.DELETE,
}
"""The scope needed to start an operation, or to cancel it."""


async def create(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Start a backup."""
    body = await _body(request, schemas.CREATE)
    return await _back_up(app_state, request, caller, body)


async def run_now(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Start the backup that the schedule would make."""
    body = await _body(request, schemas.NOTHING)
    return await _back_up(app_state, request, caller, body)


async def restore(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Start a restore."""
    body = await _body(request, schemas.RESTORE)
    service = app_state.service_for(caller, request)
    name, target = body["backup_name"], body.get("target_database")
    options = _options(body, service.settings.parallel_jobs)
    dry_run = body.get("dry_run", False)

    def work(identifier: str, tell: ReportProgress) -> dict[str, Any]:
        report = service.restore(
            name,
            target_database=target,
            options=options,
            dry_run=dry_run,
            operation_id=identifier,
            on_progress=tell,
        )
        return restore_document(report, WORDS)

    def target_name() -> str | None:
        if dry_run or target:
            return None if dry_run else target
        manifest = service.find(name).backup.manifest
        return manifest.backup_set.database if manifest else None

    database = await app_state.thread(target_name)
    order = partial(
        OperationRequest, "restore", work, caller.name, body, backup=name, database=database
    )
    return await _begin(app_state, request, order)


async def verify(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Start a verification."""
    body = await _body(request, schemas.VERIFY)
    service = app_state.service_for(caller, request)
    name = request.path_params["name"]

    def work(identifier: str, tell: ReportProgress) -> dict[str, Any]:
        sample = body.get("sample_percent", ALL)
        outcome = service.verify(
            name,
            sample_percent=sample,
            structure=body.get("structure", False),
            operation_id=identifier,
            on_progress=tell,
        )
        return verification_document(outcome) or {}

    said = {"backup_name": name, **body}
    return await _begin(
        app_state,
        request,
        partial(OperationRequest, "verify", work, caller.name, said, backup=name),
    )


async def cleanup(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Start a cleanup."""
    body = await _body(request, schemas.CLEANUP)
    service = app_state.service_for(caller, request)

    def work(identifier: str, tell: ReportProgress) -> dict[str, Any]:
        stores = service.cleanup(
            dry_run=body.get("dry_run", False),
            yes_delete_many=body.get("yes_delete_many", False),
            operation_id=identifier,
            on_progress=tell,
        )
        documents = [cleanup_document(each, WORDS) for each in stores]
        return {"dry_run": body.get("dry_run", False), "stores": documents}

    return await _begin(
        app_state, request, partial(OperationRequest, "cleanup", work, caller.name, body)
    )


async def delete(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Delete a backup from every store."""
    await _body(request, schemas.NOTHING)
    name = request.path_params["name"]
    service = app_state.service_for(caller, request)
    await app_state.thread(lambda: service.delete(name))
    return JSONResponse({"deleted": name}, headers=NOT_CACHED)


async def cancel(app_state: AppState, request: Request, caller: Caller) -> Response:
    """Cancel an operation."""
    await _body(request, schemas.NOTHING)
    identifier = request.path_params["id"]
    found = await app_state.find(identifier)
    require(
        caller, SCOPES.get(found.action, Scope.DELETE)
    )  # the highest scope for an unknown action
    running = app_state.manager.here(identifier)
    if running and running.record.running:  # works even when all threads wait for the store
        record = running.cancel(caller.name)
    else:
        record = await app_state.thread(lambda: app_state.manager.cancel(identifier, caller.name))
    document = operation_document(request, record, app_state.manager.operation_log)
    return JSONResponse(document, 202, {**NOT_CACHED, "Location": document["href"]})


def _options(body: dict[str, Any], jobs: int) -> RestoreOptions:
    return RestoreOptions(
        jobs=jobs,
        replace=body.get("replace", False),
        with_roles=body.get("with_roles", False),
        owner=body.get("owner", True),
        privileges=body.get("privileges", True),
        tablespaces=body.get("tablespaces", True),
        accept_unencrypted=body.get("accept_unencrypted", False),
        accept_differences=body.get("accept_differences", False),
        accept_errors=body.get("accept_errors", False),
        exclude_extensions=tuple(body.get("exclude_extensions", ())),
        exclude_tables=tuple(body.get("exclude_tables", ())),
        exclude_table_data=tuple(body.get("exclude_table_data", ())),
        exclude_event_triggers=body.get("exclude_event_triggers", False),
        exclude_settings=body.get("exclude_settings", False),
        locale=body.get("locale"),
    )


async def _body(request: Request, schema: schemas.Schema) -> dict[str, Any]:
    read_query(request, schemas.NOTHING)
    return await read_body(request, schema)


async def _back_up(
    app_state: AppState, request: Request, caller: Caller, body: dict[str, Any]
) -> Response:
    service = app_state.service_for(caller, request)
    database = await app_state.thread(service.database_name)
    name = body.get("backup_name") or propose_name(database)

    def work(identifier: str, tell: ReportProgress) -> dict[str, Any]:
        report = service.create_backup(
            name=name,
            labels=body.get("labels"),
            full=body.get("full", False),
            operation_id=identifier,
            on_progress=tell,
        )
        return report_document(report, WORDS)

    order = partial(
        OperationRequest, "backup", work, caller.name, body, backup=name, database=database
    )
    return await _begin(app_state, request, order)


async def _begin(
    app_state: AppState, request: Request, order: Callable[..., OperationRequest]
) -> Response:
    """Start an operation; answer after its first checks, or after its end if the client asks so."""
    waited = wait_seconds(request)
    asked = order(key=idempotency_key(request))
    record, running = await app_state.thread(lambda: app_state.manager.begin(asked))
    if running:
        await _wait(running, waited)
        record = running.record
    elif waited:
        deadline = time.monotonic() + waited
        while (
            record.running
            and time.monotonic() < deadline
            and not app_state.manager.operation_log.lost(record)
        ):
            await asyncio.sleep(_POLL_SECONDS)
            record = await app_state.find(record.id)
    return answer_operation(request, record, app_state.manager.operation_log, waited=waited)


async def _wait(running: RunningOperation, waited: int | None) -> None:
    # A client that disconnects cancels nothing: the operation continues.
    begun, ended = asyncio.wrap_future(running.begun), asyncio.wrap_future(running.ended)
    await asyncio.wait({begun}, timeout=SETTLE_SECONDS)
    if waited:
        await asyncio.wait({ended}, timeout=waited)
