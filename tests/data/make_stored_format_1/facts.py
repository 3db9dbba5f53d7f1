"""What readers of the repositories must find."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.integration.cli import Cli

from brownie_backup.repository import layout

AGE = timedelta(days=3)
"""How long ago objects were written, for the sweep and leases: the tests say the same."""
KEEP_ONE = {"BACKUP_KEEP_LAST": "1"}


def facts_of(kept: Path, cli: Cli) -> Mapping[str, Any]:
    """Keep a repository in a folder of the data; return what its readers must find."""
    _hide_place(cli.store)
    shutil.copytree(cli.store, kept, ignore=shutil.ignore_patterns(".*"))
    _backdate(cli.store)
    cleanup = cli.run(
        *("cleanup", "--dry-run", "--all-databases", "--yes-delete-many", "--json"), **KEEP_ONE
    )
    return {
        "objects": dict(Counter(prefix_of(key) for key in keys(kept))),
        "backups": {each["name"]: _lasting(each) for each in cli.json("list")["backups"]},
        "audit": _trail(kept),
        "records": sum(key.startswith("audit/") for key in keys(kept)),
        "operations": {
            key: json.loads((kept / key).read_bytes())
            for key in keys(kept)
            if key.startswith(layout.OPERATIONS)
        },
        "cleanup": {
            "status": cleanup.status,
            "kept": {each["name"]: each["keep"] for each in cleanup.json["decisions"]},
            "swept_blobs": cleanup.json["swept_blobs"],
            "swept_bytes": cleanup.json["swept_bytes"],
        },
    }


def _lasting(backup: dict[str, Any]) -> dict[str, Any]:
    """Return what a backup's document says for good: not in words that may be chosen better."""
    backup.pop("problem")
    if backup["verification"]:
        backup["verification"].pop("problems")
    return backup


def _trail(folder: Path) -> list[list[str | None]]:
    records = [json.loads((folder / key).read_bytes()) for key in keys(folder, "audit/")]
    ended = sorted((each["at"], each) for each in records if each["phase"] == "end")
    return [[each["action"], each["backup"], each["outcome"]] for _, each in ended]


def _backdate(store: Path) -> None:
    then = (datetime.now(UTC) - AGE).timestamp()
    for key in keys(store):
        os.utime(store / key, (then, then))


def _hide_place(store: Path) -> None:
    """Take the folder in which it was made out of what people are told of damage."""
    for path in store.glob("verifications/*"):
        path.write_text(path.read_text().replace(store.as_uri(), "file:///srv/backups"))


def keys(folder: Path, prefix: str = "") -> list[str]:
    """Return the keys of a store in a folder that begin so."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(key for key in found if key.startswith(prefix) and not key.startswith("."))


def prefix_of(key: str) -> str:
    """Return the first segment of a key, with its slash if there are more."""
    return key[: key.find("/") + 1] or key


def prefixes() -> set[str]:
    """Return the prefixes of all keys, and the keys that have none."""
    constants = {name: value for name, value in vars(layout).items() if name.isupper()}
    return {value for name, value in constants.items() if name[0] != "_" and isinstance(value, str)}
