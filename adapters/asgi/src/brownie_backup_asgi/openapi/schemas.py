"""The schemas of responses."""

from brownie_backup_asgi.problems import BY_ERROR, OURS, PREFIX
from brownie_backup_asgi.schemas import Schema

_STRING: Schema = {"type": "string"}
_TEXT: Schema = {"type": ["string", "null"]}
_NUMBER: Schema = {"type": ["number", "null"]}
_OBJECT: Schema = {"type": ["object", "null"]}
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_MAYBE_INSTANT: Schema = {"type": ["string", "null"], "format": "date-time"}


def _answer(required: dict[str, Schema], **optional: Schema) -> Schema:
    return {"type": "object", "properties": required | optional, "required": [*required]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_SCHEMAS: dict[str, Schema] = {
    "Problem": _answer(
        {
            "type": {
                "type": "string",
                "enum": sorted({PREFIX + kind.name for kind in (*BY_ERROR.values(), *OURS)}),
            },
            "title": _STRING,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": _STRING | {"description": "what happened, and to which object"},
            "hint": _STRING | {"description": "what to do"},
            "hint_code": _TEXT | {"description": "a stable code of the hint, for programs"},
            "errors": {"type": "array", "items": _STRING},
        }
    ),
    "Backup": _answer(
        {
            "name": _STRING,
            "status": {"type": "string", "enum": ["good", "damaged", "unsupported"]},
            "problem": _TEXT,
            "verification": _OBJECT,
            "hold": _OBJECT,
        },
        created_at=_INSTANT,
        size_bytes={"type": "integer"},
        stored_bytes={"type": "integer"},
        labels={"type": "object"},
    ),
    "Backups": _answer({"backups": {"type": "array", "items": _ref("Backup")}}),
    "Operation": _answer(
        {
            "id": _STRING,
            "action": {"type": "string", "enum": ["backup", "restore", "verify", "cleanup"]},
            "state": {"type": "string", "enum": ["running", "succeeded", "failed", "cancelled"]},
            "actor": _STRING | {"description": "the name of the token"},
            "backup": _TEXT,
            "database": _TEXT,
            "phase": _TEXT,
            "done_bytes": {"type": "integer"},
            "total_bytes": {"type": ["integer", "null"]},
            "requested_at": _INSTANT,
            "heartbeat_at": _INSTANT,
            "ended_at": _MAYBE_INSTANT,
            "cancelled_by": _TEXT,
            "result": _OBJECT | {"description": "the same document as the command line's --json"},
            "problem": {"anyOf": [_ref("Problem"), {"type": "null"}]},
            "href": _STRING,
        }
    ),
    "Operations": _answer({"operations": {"type": "array", "items": _ref("Operation")}}),
    "Status": _answer(
        {
            "state": {"type": "string", "enum": ["ok", "degraded", "late"]},
            "ready": {"type": "boolean"},
            "store": _STRING,
            "reachable": {"type": "boolean"},
            "problem": _TEXT,
            "free_bytes": {"type": ["integer", "null"]},
            "database": _TEXT,
            "last_backup": {"anyOf": [_ref("Backup"), {"type": "null"}]},
            "last_success_at": _MAYBE_INSTANT,
            "last_success_age_seconds": _NUMBER,
            "last_verified": _TEXT,
            "last_verified_at": _MAYBE_INSTANT,
            "last_content_verified_at": _MAYBE_INSTANT,
            "next_backup": _INSTANT,
            "interval_seconds": {"type": "number"},
            "schedule": _STRING,
            "timezone": _STRING,
            "retention_days": {"type": ["integer", "null"]},
            "retention": _STRING,
            "would_delete": {"type": "array", "items": _STRING},
            "leases": {"type": "array", "items": {"type": "object"}},
            "copies": {"type": "array", "items": {"type": "object"}},
            "version": _STRING,
        }
    ),
    "NextBackup": _answer(
        {
            "next_backup": _INSTANT,
            "in_seconds": {"type": "number"},
            "schedule": _STRING,
            "timezone": _STRING,
        }
    ),
    "Deleted": _answer({"deleted": _STRING}),
    "Health": _answer({"status": {"const": "ok"}}),
}
