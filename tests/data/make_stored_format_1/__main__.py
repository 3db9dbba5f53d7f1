"""Made `tests/data/stored-format-1`: repositories as version 0.1.0 stored them.

Run once, at the commit that brought it, with the environment of that commit's tests::

    PYTHONPATH=. .nox/tests-3-11/bin/python -m tests.data.make_stored_format_1

It uses the modules of that commit (the library was as at 550f7ea), so it runs there alone, and no
test runs it. A stored format that changes gets a script and data of its own beside these, which
stay as they are: this one must be read for as long as anyone may have backups of it.

There are three repositories, in which every prefix of a key occurs:

- ``by-public-key``: PostgreSQL 18 with WAL summaries, zstd, encrypted for ``public.asc``; backups
  of which one reuses what another one has, and one has its lists of blobs in objects of their own;
  holds, verifications, an attempt, the audit trail, operations over REST, a runner's term, leases;
- ``by-passphrase``: one backup, encrypted by a passphrase;
- ``in-clear``: PostgreSQL 15, all tables as text, gzip, not encrypted; a damaged backup, one with a
  blob of another size than its manifest says, one that is not compressed, and a failed attempt.

``expected.json`` says what must be found in them, ``*.sql`` are plain dumps of the databases, and
``private.asc`` opens ``by-public-key``. The key and the passphrase protect nothing else.
"""

import json
import os
import shutil
import socket
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from brownie_backup.operations.base import TOOL_VERSION
from tests.data.make_stored_format_1 import repositories as made
from tests.data.make_stored_format_1.facts import facts_of, keys, prefix_of, prefixes
from tests.integration.incremental import SETTINGS
from tests.servers.running import Server

from brownie_backup.encryptors.keypair import make_key_pair

FOLDER = Path(__file__).parent
DATA = FOLDER.with_name("stored-format-1")


def main() -> None:
    """Make all of it anew."""
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir()
    pair = make_key_pair("brownie-backup stored format 1, for tests only")
    (DATA / "public.asc").write_text(pair.public)
    (DATA / "private.asc").write_text(pair.private.reveal())
    os.environ["LOGNAME"] = "alice"  # who holds backups
    with (
        patch.object(socket, "gethostname", lambda: made.HOST),
        tempfile.TemporaryDirectory() as folder,
        closing(Server(18, SETTINGS)) as newer,
        closing(Server(15)) as older,
    ):
        for server in (newer, older):
            server.create(made.DATABASE)
            server.load(made.DATABASE, FOLDER / "shop.sql")
        made.dump(older, DATA / "older.sql")
        repositories = {
            "by-public-key": made.by_public_key(newer, Path(folder, "1"), DATA),
            "by-passphrase": made.by_passphrase(newer, Path(folder, "2")),
            "in-clear": made.in_clear(older, Path(folder, "3")),
        }
        expected = {
            "made_at": datetime.now(UTC).isoformat(),
            "version": TOOL_VERSION,
            "database": made.DATABASE,
            "roles": ["stored_format_owner", "stored_format_reader"],
            "passphrase": made.PASSPHRASE,
            "bulk_table_bytes": made.BULK_BYTES,
            "range_bytes": made.RANGE_BYTES,
            "prefixes": sorted(prefixes()),
            "repositories": {
                each: facts_of(DATA / each, cli) for each, cli in repositories.items()
            },
        }
    text = json.dumps(expected, indent=1, ensure_ascii=False, sort_keys=True)
    (DATA / "expected.json").write_text(text + "\n", encoding="utf-8")
    _check()


def _check() -> None:
    """See that every prefix occurs, that all is small, and that nothing of this host is in it."""
    files = [path for path in DATA.rglob("*") if path.is_file()]
    stored = [key for folder in DATA.iterdir() if folder.is_dir() for key in keys(folder)]
    assert {prefix_of(key) for key in stored} == prefixes()
    assert sum(path.stat().st_size for path in files) < 1_500_000
    traces = [str(Path.cwd()), tempfile.gettempdir(), f'{os.uname().nodename}"']
    for path in (path for path in files if path.suffix == ".json"):
        found = [trace for trace in traces if trace in path.read_text(encoding="utf-8")]
        assert not found, (path, found)


if __name__ == "__main__":
    main()
