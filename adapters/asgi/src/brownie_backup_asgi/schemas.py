"""The schemas of what is asked for: what /openapi.json shows is what requests are read by."""

from typing import Any

Schema = dict[str, Any]

NAME: Schema = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?$",
    "minLength": 1,
    "maxLength": 128,
    "description": "the name of a backup",
}
DATABASE: Schema = {
    "type": "string",
    # PostgreSQL's names are up to 63 bytes long.
    "pattern": (
        "^([ -~]{1,63}|[ -~\u00a1-\u07ff]{1,31}|[ -~\u00a1-\ud7ff\U00010000-\U0003ffff]{1,15})$"
    ),
    "minLength": 1,
    "maxLength": 63,
    "description": "the name of a database: never a connection string, whatever it looks like",
}
_FLAG: Schema = {"type": "boolean", "default": False}
_ON: Schema = {"type": "boolean", "default": True}


def _body(properties: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return schema | ({"required": list(required)} if required else {})


NOTHING = _body({})
CREATE = _body(
    {
        "backup_name": NAME | {"description": "by default, the database's, with the time"},
        "labels": {
            "type": "object",
            "maxProperties": 32,
            "propertyNames": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$"},
            "additionalProperties": {
                "type": "string",
                "pattern": "^[ -~\u00a1-\u00ac\u00ae-\u017f]{0,128}$",
                "maxLength": 128,
            },
            "description": "anything that helps people find it again",
        },
        "full": _FLAG
        | {"description": "read everything, including data that the WAL shows to be unchanged"},
    }
)
RESTORE = _body(
    {
        "backup_name": NAME | {"description": "the backup, or 'latest'"},
        "target_database": DATABASE | {"description": "by default, as the backup's was called"},
        "replace": _FLAG | {"description": "take the place of an existing one, which is kept"},
        "dry_run": _FLAG | {"description": "check what can be checked, and change nothing"},
        "with_roles": _FLAG | {"description": "create the roles that the server lacks"},
        "owner": _ON | {"description": "give objects to their owners"},
        "privileges": _ON | {"description": "grant what was granted"},
        "tablespaces": _ON | {"description": "use the tablespaces that were used"},
        "accept_unencrypted": _FLAG
        | {"description": "restore a backup in clear although encryption is on"},
    },
    ("backup_name",),
)
VERIFY = _body(
    {
        "sample_percent": {
            "type": "number",
            "minimum": 1,
            "maximum": 100,
            "default": 100,
            "description": "how many of the blobs are read",
        }
    }
)
CLEANUP = _body(
    {
        "dry_run": _FLAG | {"description": "change nothing, and say what would be done"},
        "yes_delete_many": _FLAG | {"description": "even if it is a large share of all"},
    }
)
STATUS_QUERY = _body(
    {"ready": {"type": "string", "enum": ["", "true"], "description": "503 unless all is well"}}
)
