"""Responses about operations."""

from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from brownie_backup.repository import OperationLog, OperationRecord
from brownie_backup.repository.coordination.operations import CANCELLED, FAILED, SUCCEEDED
from brownie_backup.service.documents import instant
from brownie_backup_asgi.hints import ApiHint
from brownie_backup_asgi.json_response import JSONResponse
from brownie_backup_asgi.problems import (
    CANCELLED as WAS_CANCELLED,
)
from brownie_backup_asgi.problems import (
    LOST,
    RETRY_SECONDS,
    Problem,
    problem_response,
)

NOT_CACHED = {"Cache-Control": "no-store"}


def link(request: Request, *segments: str) -> str:
    """Return a path of this app as clients see it: below the path where it is mounted."""
    path = "/".join(quote(segment, safe="") for segment in segments)
    return f"{request.scope.get('root_path', '').rstrip('/')}/{path}"


def operation_document(
    request: Request, record: OperationRecord, operation_log: OperationLog
) -> dict[str, Any]:
    """Return an operation as JSON; one whose process died has failed."""
    lost = operation_log.lost(record)
    problem = lost_problem(record).document if lost else record.problem
    return {
        "id": record.id,
        "action": record.action,
        "state": FAILED if lost else record.state,
        "actor": record.actor,
        "backup": record.backup,
        "database": record.database,
        "phase": record.phase,
        "done_bytes": record.done_bytes,
        "total_bytes": record.total_bytes,
        "requested_at": instant(record.requested_at),
        "heartbeat_at": instant(record.heartbeat_at),
        "ended_at": instant(record.ended_at) if record.ended_at else None,
        "cancelled_by": record.cancelled_by,
        "result": dict(record.result) if record.result is not None else None,
        "problem": dict(problem) if problem is not None else None,
        "href": link(request, "backup", "operations", record.id),
    }


def lost_problem(record: OperationRecord) -> Problem:
    """Return the problem of an operation whose process died."""
    seen = instant(record.heartbeat_at)
    return Problem(
        LOST,
        f"the process that ran the operation has died; it was last seen at {seen}",
        hint=ApiHint.NOTHING_VISIBLE,
    )


def answer_operation(
    request: Request, record: OperationRecord, operation_log: OperationLog, *, waited: int | None
) -> Response:
    """Return the response to a request for an operation: its progress or its result.

    Args:
        request: the request for the operation.
        record: the operation.
        operation_log: knows whether its process died.
        waited: the seconds that the caller was ready to wait; None if it did not wait.
    """
    document = operation_document(request, record, operation_log)
    headers = {**NOT_CACHED, "Location": document["href"]}
    if waited is not None:
        headers["Preference-Applied"] = f"wait={waited}"
    if document["state"] == FAILED:
        problem = document["problem"]
        if problem["type"].endswith(":busy"):
            headers["Retry-After"] = str(RETRY_SECONDS)
        return problem_response(problem, headers)
    if record.state == CANCELLED:
        msg = f"the operation was cancelled by {record.cancelled_by}"
        problem = Problem(WAS_CANCELLED, msg, hint=ApiHint.REQUEST_AGAIN)
        return problem_response(problem.document, headers)
    if record.state == SUCCEEDED and waited is not None:
        if record.action != "backup" or record.backup is None:
            return JSONResponse(document, 200, headers)
        headers["Location"] = link(request, "backup", record.backup)
        return JSONResponse(document, 201, headers)
    headers["Retry-After"] = str(RETRY_SECONDS)
    return JSONResponse(document, 202, headers)
