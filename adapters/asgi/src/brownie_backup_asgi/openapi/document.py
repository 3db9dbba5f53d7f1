"""The OpenAPI 3.1 document of this API, written by hand. A test compares it with the routes."""

from typing import Any

from brownie_backup.version import TOOL_VERSION
from brownie_backup_asgi.openapi.paths import PATHS
from brownie_backup_asgi.openapi.schemas import _SCHEMAS


def document(server: str) -> dict[str, Any]:
    """Return the OpenAPI document.

    Args:
        server: the path where the app is mounted, or ``/``.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "brownie-backup",
            "version": TOOL_VERSION,
            "description": "PostgreSQL backups over REST.",
        },
        "servers": [{"url": server}],
        "security": [{"bearer": []}],
        "paths": PATHS,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
