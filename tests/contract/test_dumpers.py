"""The pg_dump dumper keeps the promises of a Dumper, on a real server."""

from collections.abc import Callable, Collection, Hashable

import psutil
import pytest
from tests.servers.running import Servers

from brownie_backup import Dumper
from brownie_backup.testing import DumperContract


class TestPostgresDumper(DumperContract):
    """On PostgreSQL 18, with the bulky database."""

    @pytest.fixture
    def dumper(self, servers: Servers, bulky: str) -> Dumper:
        """Return one by the server's own programs."""
        return servers.get(18).dumper(bulky)

    @pytest.fixture
    def break_source(self, servers: Servers, bulky: str) -> Callable[[], None]:
        """End every session in the database."""
        return lambda: servers.get(18).end_sessions(bulky)

    @pytest.fixture
    def still_running(self) -> Callable[[], Collection[Hashable]]:
        """Look for child processes."""

        def children() -> set[Hashable]:
            running = psutil.Process().children(recursive=True)
            return {child.pid for child in running if child.status() != psutil.STATUS_ZOMBIE}

        return children
