"""Missing requirements for a restore, found before anything is changed."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from attrs import evolve

from brownie_backup.dumpers.postgres.inventory import Inventory
from brownie_backup.dumpers.postgres.restore.obstruction import find_obstructions
from brownie_backup.dumpers.postgres.restore.rights import SUBJECTS, level_of
from brownie_backup.hints import Advice, RestoreHint, SetupHint
from brownie_backup.model import Database, Extension
from brownie_backup.model.findings import Finding, Level
from brownie_backup.model.reports import RestoreOptions
from brownie_backup.postgres.client import Client
from brownie_backup.postgres.programs import parse_version

NAME_BYTES = 63
"""How long a name may be: PostgreSQL's NAMEDATALEN - 1. It cuts longer ones without an error."""

_CRON = "pg_cron"
"""The extension that exists in one database of a cluster, whose name a setting has."""

_SERVER = """
SELECT current_user AS me, (r.rolsuper OR r.rolcreatedb) AS creates_databases,
  r.rolsuper AS superuser, pg_is_in_recovery() AS standby,
  (SELECT jsonb_agg(datname) FROM pg_database) AS databases,
  (SELECT jsonb_agg(datname) FROM pg_database WHERE datistemplate) AS templates,
  (SELECT jsonb_agg(rolname) FROM pg_roles) AS roles,
  (SELECT jsonb_object_agg(spcname, has_tablespace_privilege(oid, 'CREATE'))
   FROM pg_tablespace) AS tablespaces,
  (SELECT jsonb_object_agg(name, default_version) FROM pg_available_extensions) AS extensions,
  (SELECT jsonb_agg(v.name) FROM pg_available_extensions a
   JOIN pg_available_extension_versions v ON v.name = a.name AND v.version = a.default_version
   WHERE v.superuser AND NOT v.trusted) AS untrusted,
  CASE WHEN r.rolsuper THEN current_setting('cron.database_name', true) END AS cron_database,
  EXISTS (SELECT FROM pg_roles WHERE rolname IN
   ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'alloydbsuperuser', 'avnadmin',
    'supabase_admin', 'neon_superuser')) OR
   EXISTS (SELECT FROM pg_settings WHERE name = 'extwlist.extensions') AS managed
FROM pg_roles r WHERE rolname = current_user
"""

TOLERABLE = SUBJECTS | {"extensions", "roles", "settings", "grants", "collations", "functions"}
"""The subjects of problems that cost only the objects that have them."""


def roles_on(client: Client) -> frozenset[str]:
    """Return the names of the server's roles."""
    rows = client.query("SELECT rolname FROM pg_roles")
    return frozenset(row["rolname"] for row in rows)


def ask_server(client: Client) -> dict[str, Any]:
    """Return the facts about the server that the checks need."""
    (server,) = client.query(_SERVER)
    return server


def check_server(
    client: Client, server: dict[str, Any], source: Database, name: str
) -> Iterator[Finding]:
    """Yield problems that would make any restore fail (errors), or differ (warnings)."""
    if server["standby"]:
        msg = "the server is a standby, where nothing can be changed"
        yield _error("standby", msg, RestoreHint.CONNECT_TO_PRIMARY)
    if not 0 < len(name.encode()) <= NAME_BYTES:
        msg = f"'{name}' cannot be the name of a database: it has {len(name.encode())} bytes"
        yield _error("name", msg, RestoreHint.DATABASE_NAME_BYTES(most=str(NAME_BYTES)))
    left = [other for other in server["databases"] if "_restoring_" in other]
    if left:
        names = ", ".join(sorted(left))
        msg = f"left over from a restore that was killed, or kept with its errors: {names}"
        yield Finding(Level.WARNING, "target", msg, RestoreHint.DROP_LEFTOVER_DATABASE)
    if not server["creates_databases"]:
        msg = f"the role '{server['me']}' may not create databases"
        yield _error("rights", msg, RestoreHint.GRANT_CREATEDB(role=server["me"]))
    if client.server_version.major < parse_version(source.server_version).major:
        msg = f"the backup is of PostgreSQL {source.server_version}, and this server is older"
        yield Finding(Level.WARNING, "version", msg, RestoreHint.OLDER_SERVER)
    yield from _vulnerable(client)


def check_contents(
    server: dict[str, Any], inventory: Inventory, options: RestoreOptions
) -> Iterator[Finding]:
    """Yield problems that would make the restore of everything fail, or differ."""
    yield from check_roles(server, inventory, options)
    yield from check_extensions(server, inventory.extensions, options)
    if options.tablespaces:
        yield from _tablespaces(server, inventory.tablespaces)


def tolerable(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings; what costs only the objects that need it is a warning."""
    for each in findings:
        costs_objects = each.level is Level.ERROR and each.subject in TOLERABLE
        yield evolve(each, level=Level.WARNING) if costs_objects else each


def check_room(needed_bytes: int) -> Iterator[Finding]:
    """Yield an error if the local copy of the archive would not fit."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        msg = f"{folder} has {free >> 20} MiB free, the archive needs {needed_bytes >> 20} MiB"
        yield _error("space", msg, SetupHint.SPACE_FOR_TMPDIR)


def check_target(
    client: Client, server: dict[str, Any], name: str, options: RestoreOptions
) -> Iterator[Finding]:
    """Yield the problems of that name for a database."""
    if name in server["databases"] and not options.replace:
        msg = f"a database named '{name}' exists"
        yield _error("target", msg, RestoreHint.RENAME_OR_REPLACE)
    elif name in (server["templates"] or ()):
        msg = f"'{name}' is a template for new databases, so it is never replaced"
        yield _error("name", msg, RestoreHint.RESTORE_BESIDE)
    elif name in server["databases"]:
        msg = f"the database '{name}' will be replaced, and kept under a dated name"
        yield Finding(Level.OK, "target", msg)
        for found in find_obstructions(client, name):
            yield from found.reasons()
            yield from found.leftovers()


def needed_roles(inventory: Inventory, options: RestoreOptions) -> frozenset[str]:
    """Return the roles without which something would fail."""
    needed = set(inventory.needed)
    if options.owner:
        needed |= inventory.owners
    if options.privileges:
        needed |= inventory.grantees
    if not options.exclude_settings:
        needed |= inventory.of_settings
    return frozenset(needed)


def check_roles(
    server: dict[str, Any], inventory: Inventory, options: RestoreOptions
) -> Iterator[Finding]:
    """Yield the roles that are missing, each with what it is needed for."""
    if options.with_roles:  # once the archive was read, it is known which roles the backup has
        return
    there = frozenset(server["roles"])
    owners = inventory.owners if options.owner else frozenset()
    grantees = inventory.grantees if options.privileges else frozenset()
    yield from _missing("roles", (owners | grantees) - there, RestoreHint.CREATE_ROLES)
    policies = inventory.needed - there
    yield from _missing("roles", policies, RestoreHint.CREATE_NEEDED_ROLES, " policies need them")
    if not options.exclude_settings:
        hint = RestoreHint.CREATE_ROLES_OF_SETTINGS
        yield from _missing("roles", inventory.of_settings - there, hint, " settings need them")


def check_extensions(
    server: dict[str, Any], extensions: Iterable[Extension], options: RestoreOptions
) -> Iterator[Finding]:
    """Yield the extensions that the server lacks, or that cannot be made in a new database."""
    wanted = {e.name: e for e in extensions if e.name not in options.exclude_extensions}
    available = server["extensions"] or {}
    missing = wanted.keys() - available.keys()
    hint = RestoreHint.INSTALL_EXTENSIONS(name=next(iter(sorted(missing)), ""))
    yield from _missing("extensions", missing, hint)
    untrusted = sorted(wanted.keys() & {*(server["untrusted"] or ())})
    if untrusted and not server["superuser"]:
        names = ", ".join(untrusted)
        msg = f"only a superuser may create the extensions {names}, and '{server['me']}' is none"
        hint = RestoreHint.EXTENSION_AS_SUPERUSER(name=untrusted[0])
        yield Finding(level_of(server), "extensions", msg, hint)
    if _CRON in wanted and _CRON in available:
        only = server["cron_database"]
        where = f"one database only{f', {only!r}' if only else ''}"
        msg = f"the extension {_CRON} can be made in {where}, and not in a new one"
        yield _error("extensions", msg, RestoreHint.EXCLUDE_EXTENSION(name=_CRON))
    for extension in wanted.values():
        here = available.get(extension.name)
        if here and here != extension.version and _older(here, extension.version):
            theirs = f"the backup has {extension.version}, the server has {here}"
            msg = f"extension {extension.name}: {theirs}"
            yield Finding(Level.WARNING, "extensions", msg, RestoreHint.NEWER_EXTENSION)


def _tablespaces(server: dict[str, Any], needed: AbstractSet[str]) -> Iterator[Finding]:
    there = server["tablespaces"]
    yield from _missing("tablespaces", needed - there.keys(), RestoreHint.CREATE_TABLESPACES)
    for name in sorted(needed & {name for name, may in there.items() if not may}):
        msg = f"the role '{server['me']}' may not use the tablespace '{name}'"
        hint = RestoreHint.GRANT_TABLESPACE(role=server["me"], tablespace=name)
        yield _error("tablespaces", msg, hint)


def _vulnerable(client: Client) -> Iterator[Finding]:
    programs = client.programs
    if programs.vulnerable:
        msg = f"the client programs in {programs.folder} are {programs.version}: security fixes"
        yield Finding(Level.WARNING, "programs", f"{msg} are missing", RestoreHint.UPGRADE_PACKAGE)


def _missing(subject: str, names: Iterable[str], hint: Advice, why: str = "") -> Iterator[Finding]:
    listed = ", ".join(sorted(names))
    if listed:
        because = f";{why}" if why else ""
        yield _error(subject, f"missing on the server: {listed}{because}", hint)


def _error(subject: str, message: str, hint: Advice) -> Finding:
    return Finding(Level.ERROR, subject, message, hint)


def _older(version: str, than: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(".") if part.isdigit()]

    return numbers(version) < numbers(than)
