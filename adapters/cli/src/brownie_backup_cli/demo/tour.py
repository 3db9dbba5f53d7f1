"""The steps of the demo: a sample shop, its backup, an accident, and the restore."""

from pathlib import Path

from brownie_backup.postgres.server import ThrowawayServer
from brownie_backup_cli.demo.comparison import Compared, Sum, compare, comparison_lines, read_sums
from brownie_backup_cli.demo.programs import Programs
from brownie_backup_cli.demo.shell import Shell

NEXT = (
    "# Now try it with your own database. PostgreSQL's client programs must be installed:",
    "#   brownie-backup keygen      (it prints the 'export' lines for the key)",
    "#   export BACKUP_DATABASE_URL=postgresql://USER@HOST/DATABASE",
    "#   export BACKUP_DESTINATION=/path/to/backups",
    "#   brownie-backup doctor      (it finds problems before they happen)",
    "#   brownie-backup backup",
)

_HERE = Path(__file__).parent
_PSQL = ("psql", "-X", "-q")
_DAMAGE = "DROP TABLE order_items CASCADE"
_QUESTION = "SELECT count(*) FROM order_items"
_PSQL_FAILED = 1  # its exit status, according to its manual


def take_tour(
    shell: Shell, server: ThrowawayServer, programs: Programs, rows: int
) -> tuple[Compared, ...]:
    """Run all steps; return the comparison of the database before with the restored one.

    Raises:
        DemoFailed: a command failed.
    """
    shop = server.url("shop", password=False)
    shell.say(
        f"A throwaway PostgreSQL {programs.version} is running. Load a sample shop,",
        "and note its rows and checksums:",
    )
    _load(shell, server, programs, rows)
    before = _sums(shell, shop)
    _back_up(shell, shop)

    shell.say("The accident:")
    shell.run(*_PSQL, shop, "-c", _DAMAGE)
    shell.run(*_PSQL, shop, "-c", _QUESTION, expect=_PSQL_FAILED)

    shell.say("Restore the newest backup into a new database, and note its rows and checksums:")
    shell.run("brownie-backup", "restore", "latest", "--target-db", "shop_restored")
    restored = _sums(shell, server.url("shop_restored", password=False))
    comparison = compare(before, restored)
    shell.say(
        "Compare both. The definitions are those of indexes, keys, checks, views, functions",
        "and comments:",
    )
    shell.show("\n".join(comparison_lines(comparison)))
    return comparison


def _load(shell: Shell, server: ThrowawayServer, programs: Programs, rows: int) -> None:
    passfile = shell.folder / "pgpass"
    passfile.touch(mode=0o600)
    passfile.write_text(f"*:*:*:*:{server.password.reveal()}\n", encoding="utf-8")
    for name in ("shop.sql", "checksums.sql"):
        (shell.folder / name).write_bytes((_HERE / name).read_bytes())
    shell.export(BACKUP_PG_BIN=programs.folder)
    shell.add_to_path("BACKUP_PG_BIN")
    shell.export(PGPASSFILE=passfile)
    url = server.url(password=False)
    shell.run(*_PSQL, url, "-v", f"rows={rows}", "-f", "shop.sql")


def _sums(shell: Shell, url: str) -> dict[str, Sum]:
    return read_sums(shell.run(*_PSQL, url, "--csv", "-f", "checksums.sql"))


def _back_up(shell: Shell, url: str) -> None:
    keys = shell.folder / "keys"
    shell.say("Create a key, and make the first backup, encrypted, in a folder:")
    shell.run("brownie-backup", "keygen", "--directory", "keys")
    shell.export(
        BACKUP_GPG_PUBLIC_KEY_FILE=keys / "brownie-backup-public.asc",
        BACKUP_GPG_PRIVATE_KEY_FILE=keys / "brownie-backup-private.asc",
        BACKUP_DATABASE_URL=url,
        BACKUP_DESTINATION=shell.folder / "backups",
    )
    shell.run("brownie-backup", "backup")
    shell.run("brownie-backup", "list")
    shell.say("Read every byte of it back and check it:")
    shell.run("brownie-backup", "verify", "latest")
