"""The schemas of requests: requests are read by the same schemas that /openapi.json shows."""

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
    "description": "the name of a database; it is never read as a connection string",
}
_FLAG: Schema = {"type": "boolean", "default": False}
_NAMES: Schema = {
    "type": "array",
    "maxItems": 1000,
    "items": {"type": "string", "pattern": "^[ -~\u00a1-\u017f]{1,63}$"},
}
_TABLES: Schema = {
    "type": "array",
    "maxItems": 1000,
    # Quoted as in SQL if it has dots: see `parse_table`.
    "items": {"type": "string", "pattern": "^[ -~\u00a1-\ud7ff\U00010000-\U0003ffff]{3,300}$"},
}
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
        "backup_name": NAME | {"description": "by default the database's name and the time"},
        "labels": {
            "type": "object",
            "maxProperties": 32,
            "propertyNames": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$"},
            "additionalProperties": {
                "type": "string",
                "pattern": "^[ -~\u00a1-\u00ac\u00ae-\u017f]{0,128}$",
                "maxLength": 128,
            },
            "description": "labels that help you find the backup again",
        },
        "full": _FLAG
        | {"description": "read everything, including data that the WAL shows to be unchanged"},
    }
)
RESTORE = _body(
    {
        "backup_name": NAME | {"description": "the backup, or 'latest'"},
        "target_database": DATABASE | {"description": "by default its original name"},
        "replace": _FLAG
        | {"description": "replace an existing database, and keep it under a dated name"},
        "dry_run": _FLAG
        | {"description": "check everything that can be checked, and change nothing"},
        "with_roles": _FLAG
        | {"description": "create the roles that the database needs and the server lacks"},
        "owner": _ON | {"description": "restore the owners of objects"},
        "privileges": _ON | {"description": "restore privileges"},
        "tablespaces": _ON | {"description": "use the original tablespaces"},
        "accept_unencrypted": _FLAG
        | {"description": "restore an unencrypted backup although encryption is on"},
        "accept_differences": _FLAG
        | {"description": "finish although the database differs from what was backed up"},
        "accept_errors": _FLAG
        | {"description": "finish without the objects that could not be restored"},
        "exclude_extensions": _NAMES
        | {"description": "leave out these extensions, and all that needs them"},
        "exclude_tables": _TABLES
        | {"description": "leave out these tables or views, and all that needs them"},
        "exclude_table_data": _TABLES | {"description": "leave out the rows of these tables"},
        "exclude_event_triggers": _FLAG | {"description": "leave out the event triggers"},
        "exclude_settings": _FLAG | {"description": "leave out the settings of the database"},
        "locale": {
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$",
            "description": "another locale, one that the server has",
        },
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
            "description": "the percentage of the blobs to read",
        },
        "structure": {
            "type": "boolean",
            "default": False,
            "description": "check only that every blob is there, as it was stored; without a key "
            "this is the default",
        },
    }
)
CLEANUP = _body(
    {
        "dry_run": _FLAG | {"description": "change nothing, and show what would be deleted"},
        "yes_delete_many": _FLAG
        | {"description": "delete even if that is a large share of a database's backups"},
    }
)
STATUS_QUERY = _body(
    {
        "ready": {
            "type": "string",
            "enum": ["", "true"],
            "description": "answer 503 unless there is a recent good backup",
        }
    }
)
