"""The server that a client has reached: where it is, and which one it is.

A connection string may lead to several servers: by several hosts, by a name with several addresses,
or by an address that a load balancer or pooler shares among them. A snapshot is on one of them.
"""

from attrs import frozen

from brownie_backup.errors import ConnectionFailed
from brownie_backup.hints import DatabaseHint

IDENTITY = b"""
SELECT pg_catalog.concat_ws(' ', (SELECT system_identifier FROM pg_catalog.pg_control_system()),
  CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'standby' ELSE 'primary' END,
  EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()))
"""


@frozen
class Identity:
    """Tells servers apart, also a primary and its standbys, whose system identifier is the same."""

    system_identifier: str
    role: str
    started_at: str

    def is_same_as(self, other: "Identity") -> bool:
        """Whether both are one server. A primary may have restarted, a standby been promoted."""
        if self.system_identifier != other.system_identifier:
            return False
        return self.started_at == other.started_at or self.role == other.role == "primary"

    def __str__(self) -> str:
        return f"the {self.role} with the system identifier {self.system_identifier}"


@frozen
class Endpoint:
    """Where a server is, and which one it is, if it tells that."""

    host: str
    hostaddr: str
    """The address of the host; empty for a socket in a folder."""
    port: int
    identity: Identity | None

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters that lead libpq there again."""
        found = {"host": self.host, "hostaddr": self.hostaddr, "port": str(self.port)}
        return {keyword: value for keyword, value in found.items() if value}

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        also = f" ({self.hostaddr})" if self.hostaddr not in {"", self.host} else ""
        return f"{self.host}:{self.port}{also}"

    def require(self, found: Identity) -> None:
        """Raise unless this is the server that a session is with.

        Raises:
            ConnectionFailed: it is another one.
        """
        if self.identity and not self.identity.is_same_as(found):
            msg = f"{self.place} leads to several servers: first {self.identity}, then {found}"
            raise ConnectionFailed(msg, hint=DatabaseHint.ONE_SERVER)


def parse_identity(row: str) -> Identity:
    """Return what the query `IDENTITY` has found."""
    return Identity(*row.split(" "))
