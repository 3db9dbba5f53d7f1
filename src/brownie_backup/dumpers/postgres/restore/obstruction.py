"""What keeps a database from being renamed: looked for before a restore, and named after one.

PostgreSQL renames no database with sessions or prepared transactions in it, whosever they are.
"""

from collections.abc import Iterator

from attrs import frozen

from brownie_backup.hints import RestoreHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.postgres.client import Client, quote_text
from brownie_backup.postgres.session import Session

# As pg_signal_backend() in PostgreSQL's signalfuncs.c decides.
_MAY_END = """
((SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
 OR NOT coalesce((SELECT rolsuper FROM pg_roles r WHERE r.oid = s.usesysid), false)
 AND (pg_has_role(s.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')))
"""

# The type of another role's session may not be seen, but its database and its role may. A session
# without a role is a worker of autovacuum, which the server ends by itself for a rename.
_FIND = f"""
SELECT current_user AS me, d.datname AS name, pg_get_userbyid(d.datdba) AS owner,
  pg_has_role(d.datdba, 'USAGE') AS owned,
  ARRAY(SELECT gid FROM pg_prepared_xacts x WHERE x.database = d.datname ORDER BY 1) AS prepared,
  ARRAY(SELECT format('process %s of %I', s.pid, coalesce(s.usename, s.usesysid::text))
    FROM pg_stat_activity s WHERE s.datid = d.oid AND s.pid <> pg_backend_pid()
    AND s.usesysid IS NOT NULL AND NOT {_MAY_END} ORDER BY s.pid) AS sessions,
  ARRAY(SELECT slot_name::text FROM pg_replication_slots
    WHERE database = d.datname AND NOT temporary ORDER BY 1) AS slots,
  ARRAY(SELECT subname::text FROM pg_subscription
    WHERE subdbid = d.oid AND subenabled ORDER BY 1) AS subscriptions
FROM pg_database d WHERE d.datname IN ({{names}})
"""


@frozen
class Obstruction:
    """What there is around a database that its rename has to do with."""

    me: str
    """The role that would rename it."""
    name: str
    owner: str
    owned: bool
    """Whether the role has the rights of its owner."""
    prepared: list[str]
    sessions: list[str]
    """Those that the role may not end."""
    slots: list[str]
    subscriptions: list[str]

    def reasons(self) -> Iterator[Finding]:
        """Yield, as errors, why it cannot be renamed."""
        if not self.owned:
            msg = f"the role '{self.me}' may not rename '{self.name}', which '{self.owner}' owns"
            hint = RestoreHint.RENAME_AS_OWNER(owner=self.owner, role=self.me)
            yield Finding(Level.ERROR, "rights", msg, hint)
        if self.prepared:
            gids = ", ".join(map(quote_text, self.prepared))
            msg = f"prepared transactions keep '{self.name}' from being renamed: {gids}"
            yield Finding(Level.ERROR, "transactions", msg, RestoreHint.END_PREPARED)
        if self.sessions:
            listed = ", ".join(self.sessions)
            msg = f"the role '{self.me}' may not end these sessions in '{self.name}': {listed}"
            hint = RestoreHint.END_SESSIONS(role=self.me)
            yield Finding(Level.ERROR, "sessions", msg, hint)

    def leftovers(self) -> Iterator[Finding]:
        """Yield, as warnings, what stays with it under its new name."""
        if self.slots:
            msg = f"replication slots of '{self.name}' stay with it: {', '.join(self.slots)}"
            yield Finding(Level.WARNING, "replication", msg, RestoreHint.DROP_SLOTS)
        if self.subscriptions:
            listed = ", ".join(self.subscriptions)
            msg = f"subscriptions of '{self.name}' stay with it, and go on: {listed}"
            yield Finding(Level.WARNING, "replication", msg, RestoreHint.DISABLE_SUBSCRIPTIONS)


def find_obstructions(client: Client | Session, *names: str) -> list[Obstruction]:
    """Return, of each database that exists, what there is around it."""
    return [Obstruction(**row) for row in client.query(_FIND.format(names=_listed(names)))]


def ending(*names: str) -> str:
    """Return the query that ends all sessions in some databases that we may end."""
    return (
        f"SELECT pg_terminate_backend(s.pid) FROM pg_stat_activity s "
        f"WHERE s.datname IN ({_listed(names)}) AND s.pid <> pg_backend_pid() AND {_MAY_END}"
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(quote_text, names))
