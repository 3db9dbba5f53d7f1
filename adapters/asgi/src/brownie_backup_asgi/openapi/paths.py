"""The endpoints and their responses."""

from typing import Any

from brownie_backup_asgi import schemas
from brownie_backup_asgi.openapi.schemas import _STRING, _ref
from brownie_backup_asgi.schemas import Schema

_PROBLEM = {"application/problem+json": {"schema": _ref("Problem")}}
_LOCATION = {"Location": {"schema": _STRING, "required": True}}
_RETRY = {"Retry-After": {"schema": {"type": "integer"}, "required": True}}
_CHALLENGE = {"WWW-Authenticate": {"schema": _STRING, "required": True}}

_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "wait=60 waits up to 60 seconds for the end of the operation",
    "schema": _STRING,
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "a unique key of this request: repeating it does not start a second operation",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$", "minLength": 1, "maxLength": 255},
}
_NAME = {"name": "name", "in": "path", "required": True, "schema": schemas.NAME}
_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$", "minLength": 1},
}


def _problem(description: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"description": description, "content": _PROBLEM, "headers": headers or {}}


def _json(description: str, schema: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    content = {"application/json": {"schema": _ref(schema)}}
    return {"description": description, "content": content, "headers": headers or {}}


_COMMON = {
    "400": _problem("the request cannot be read, or its URL contains a token"),
    "401": _problem("the token is missing or wrong", _CHALLENGE),
    "403": _problem("the token lacks the scope", _CHALLENGE),
    "422": _problem("the request does not match the schema"),
    "default": _problem("the request failed: see the type of the problem"),
}
_BODY = {
    "413": _problem("the body is too large"),
    "415": _problem("the body is not JSON"),
}


def _get(
    summary: str,
    scope: str,
    schema: str,
    *,
    parameters: tuple[Any, ...] = (),
    answers: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "summary": summary,
        "description": f"Needs the scope `{scope}`.",
        "parameters": [*parameters],
        "responses": {"200": _json("success", schema), **_COMMON, **(answers or {})},
    }


def _post(
    summary: str,
    scope: str,
    body: Schema | None,
    *,
    parameters: tuple[Any, ...] = (),
    required: bool = False,
    created: bool = False,
) -> dict[str, Any]:
    done = {"Location": {"schema": _STRING, "required": True}}
    answers = {
        "202": _json("the operation has started: see Location", "Operation", _LOCATION | _RETRY),
        ("201" if created else "200"): _json("the operation has succeeded", "Operation", done),
        "404": _problem("no such backup"),
        "409": _problem(
            "another operation is running, the target already exists, or the operation was refused"
        ),
        **_BODY,
        **_COMMON,
    }
    operation: dict[str, Any] = {
        "summary": summary,
        "description": f"Needs the scope `{scope}`.",
        "parameters": [*parameters, _PREFER, _KEY],
        "responses": answers,
    }
    if body is not None:
        content = {"application/json": {"schema": body}}
        operation["requestBody"] = {"required": required, "content": content}
    return operation


_NOT_FOUND = {"404": _problem("not found")}

PATHS: dict[str, dict[str, Any]] = {
    "/health": {
        "get": {
            "summary": "Check that the process is alive, without using the store or the database",
            "security": [],
            "responses": {"200": _json("alive", "Health"), "default": _problem("not alive")},
        }
    },
    "/metrics": {
        "get": {
            "summary": "Get metrics for Prometheus",
            "description": "Needs the scope `read`.",
            "responses": {
                "200": {
                    "description": "the metrics",
                    "content": {"text/plain": {"schema": _STRING}},
                },
                **_COMMON,
            },
        }
    },
    "/openapi.json": {
        "get": {
            "summary": "Get this document",
            "description": "Needs the scope `read`.",
            "responses": {
                "200": {
                    "description": "OpenAPI 3.1",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
                **_COMMON,
            },
        }
    },
    "/backup/status": {
        "get": _get(
            "Get the last backup, the next run, the policy and running operations",
            "read",
            "Status",
            parameters=(
                {
                    "name": "ready",
                    "in": "query",
                    "allowEmptyValue": True,
                    "schema": schemas.STATUS_QUERY["properties"]["ready"],
                },
            ),
            answers={
                "503": {
                    "description": "with ?ready: no good backup is recent enough",
                    "content": {
                        "application/json": {"schema": _ref("Status")},
                        "application/problem+json": {"schema": _ref("Problem")},
                    },
                }
            },
        )
    },
    "/backup/list": {"get": _get("List all backups", "read", "Backups")},
    "/backup/next-backup": {"get": _get("Get the time of the next backup", "read", "NextBackup")},
    "/backup/create": {"post": _post("Make a backup", "backup", schemas.CREATE, created=True)},
    "/backup/run-now": {
        "post": _post("Make the scheduled backup now", "backup", schemas.NOTHING, created=True)
    },
    "/backup/restore": {
        "post": _post("Restore a backup", "restore", schemas.RESTORE, required=True)
    },
    "/backup/cleanup": {"post": _post("Apply the retention policy", "delete", schemas.CLEANUP)},
    "/backup/operations": {"get": _get("List the newest 100 operations", "read", "Operations")},
    "/backup/operations/{id}": {
        "get": _get("Get an operation", "read", "Operation", parameters=(_ID,), answers=_NOT_FOUND),
        "delete": {
            "summary": "Cancel an operation",
            "description": "Needs the scope that was needed to start it.",
            "parameters": [_ID],
            "responses": {
                "202": _json("the operation was asked to end", "Operation", _LOCATION),
                "409": _problem("the operation has ended"),
                **_NOT_FOUND,
                **_COMMON,
            },
        },
    },
    "/backup/events": {
        "get": {
            "summary": "Stream server-sent events: one for each change of an operation",
            "description": "Needs the scope `read`. The stream does not end.",
            "responses": {
                "200": {
                    "description": "events `progress` and `ended`; the data is an Operation",
                    "content": {"text/event-stream": {"schema": _STRING}},
                },
                **_COMMON,
            },
        }
    },
    "/backup/{name}": {
        "get": _get("Get a backup", "read", "Backup", parameters=(_NAME,), answers=_NOT_FOUND),
        "delete": {
            "summary": "Delete a backup from every store",
            "description": "Needs the scope `delete`.",
            "parameters": [_NAME],
            "responses": {
                "200": _json("the backup was deleted", "Deleted"),
                "409": _problem("the backup is held, locked, or in use"),
                **_NOT_FOUND,
                **_COMMON,
            },
        },
    },
    "/backup/{name}/verify": {
        "post": _post(
            "Read a backup back and check every blob", "backup", schemas.VERIFY, parameters=(_NAME,)
        )
    },
}
