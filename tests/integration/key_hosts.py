"""Hosts that share a store, each with some of the keys of its backups."""

import base64
import json
from pathlib import Path
from typing import Any

from tests.integration.cli import PASSPHRASE, Cli
from tests.servers.running import Server
from tests.unit.keys import plain_pair

_KEYS = ("BACKUP_GPG_PRIVATE_KEY_FILE", "BACKUP_PASSPHRASE")
BY_PASSPHRASE = {"BACKUP_PASSPHRASE": PASSPHRASE}


def host(cli: Cli, **settings: str) -> Cli:
    """Return a host with the store and the database, and no keys but those that are given."""
    return Cli({name: value for name, value in cli.env.items() if name not in _KEYS} | settings)


def private_key(cli: Cli) -> dict[str, str]:
    """Return the setting of a host that can open what is for the OpenPGP key."""
    return {"BACKUP_GPG_PRIVATE_KEY_FILE": cli.env["BACKUP_GPG_PRIVATE_KEY_FILE"]}


def public_key(folder: Path) -> dict[str, str]:
    """Return the settings of a host that can only encrypt for the OpenPGP key."""
    path = folder / "public.asc"
    path.write_text(plain_pair().public)
    return {"BACKUP_GPG_PUBLIC_KEY_FILE": str(path), "BACKUP_KEY_RECIPIENTS": "openpgp"}


def opens(cli: Cli, server: Server, database: str, name: str = "latest") -> None:
    """Assert that this host can verify a backup and restore it."""
    verified = cli.json("verify", name)["verifications"]
    assert [(each["good"], each["checked"]) for each in verified] == [(True, "content")]
    target = f"{database}_restored"
    cli.json("restore", name, "--target-db", target)
    # Several workers load a large table, in any order.
    assert sorted(server.plain_dump(target)) == sorted(server.plain_dump(database))
    server.drop(target)


def stored(cli: Cli) -> list[str]:
    """Return what a store has that a backup consists of."""
    found = [*cli.store.glob("manifests/*"), *cli.store.glob("blobs/*/*")]
    return sorted(str(path.relative_to(cli.store)) for path in found)


def key_objects(store: Path) -> list[dict[str, Any]]:
    """Return the data keys in a store, as they are wrapped."""
    return [json.loads(path.read_bytes()) for path in sorted(store.glob("keys/*/*.json"))]


def ring(store: Path) -> dict[str, Any]:
    """Return the newest key ring."""
    found: dict[str, Any] = json.loads(max(store.glob("keyrings/*.json")).read_bytes())
    return found


def readable(store: Path) -> str:
    """Return all that anyone can read in a store but blobs, with the wrapped keys decoded."""
    texts = [path.read_text() for path in store.rglob("*.json")]
    wrapped = [
        base64.b64decode(stanza["wrapped"]).decode("latin-1")
        for key in key_objects(store)
        for stanza in key["stanzas"]
    ]
    return "\n".join((*texts, *wrapped))
