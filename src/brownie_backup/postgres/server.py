"""A temporary PostgreSQL server: for demonstrations, drills and tests, never for data."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from brownie_backup.errors import DatabaseError
from brownie_backup.hints import SetupHint
from brownie_backup.secret import Secret

_UNPRIVILEGED = "nobody"
_START_SECONDS = 60


class ThrowawayServer:
    """A fresh cluster in a temporary folder, listening on loopback, removed when it is closed.

    The server refuses to run as root; in that case it runs as ``nobody``, which must be able to
    read `programs`.

    Args:
        programs: the folder that has ``bin/initdb`` and ``bin/pg_ctl``.
        settings: lines of ``postgresql.conf``.
        parent: where to put the cluster; it must be reachable by ``nobody`` when run as root.

    Raises:
        DatabaseError: it does not start; the message has the end of its log.
    """

    user = "postgres"

    def __init__(
        self,
        programs: Path,
        *,
        settings: Mapping[str, str] | None = None,
        parent: Path | None = None,
    ) -> None:
        self.programs = programs
        self.password = Secret(secrets.token_urlsafe(16))
        self.port = _free_port()
        self._as_root = os.geteuid() == 0
        self.folder = Path(tempfile.mkdtemp(prefix="bb-server-", dir=parent))
        try:
            self._initialise(dict(settings or {}))
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.folder / "server.log"

    def url(self, database: str = "postgres", *, password: bool = True) -> str:
        """Return the URI of a database, including the password unless told otherwise."""
        secret = f":{self.password.reveal()}" if password else ""
        return f"postgresql://{self.user}{secret}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._pg_ctl("start", "--log", str(self.log), "--timeout", str(_START_SECONDS))

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: ``fast``, or ``immediate`` as a crash would."""
        self._pg_ctl("stop", "--mode", mode)

    def close(self) -> None:
        """Stop the server, if it runs, and remove everything."""
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "--pgdata", str(self.data), "--mode", "immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _initialise(self, settings: dict[str, str]) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password.reveal())
        if self._as_root:
            shutil.chown(self.folder, _UNPRIVILEGED)
            shutil.chown(password_file, _UNPRIVILEGED)
        done = self._run(
            "initdb",
            f"--pgdata={self.data}",
            f"--username={self.user}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        password_file.unlink()
        if done.returncode != 0:
            msg = f"initdb failed: {done.stdout[-2000:]}"
            raise DatabaseError(msg)
        settings |= {
            "listen_addresses": "'127.0.0.1'",
            "port": str(self.port),
            "unix_socket_directories": "''",
        }
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{key} = {value}\n" for key, value in settings.items())

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        done = self._run("pg_ctl", action, "--wait", "--pgdata", str(self.data), *arguments)
        if done.returncode != 0:
            log = self.log.read_text(errors="replace") if self.log.exists() else ""
            msg = f"pg_ctl {action} failed: {done.stdout[-1000:]}{log[-2000:]}"
            raise DatabaseError(msg)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            # The programs bring their own libraries.
            "LD_LIBRARY_PATH": str(self.programs / "lib"),
        }
        with tempfile.TemporaryFile("w+") as output:
            # Not a pipe: the server would keep it open, and we would wait for its end.
            process = subprocess.Popen(
                [self.programs / "bin" / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=self.folder,
                user=_UNPRIVILEGED if self._as_root else None,
                group=_group() if self._as_root else None,
                extra_groups=[] if self._as_root else None,
            )
            try:
                status = process.wait()
            except BaseException:
                # Interrupted here, it would leave a server that `close` does not know of.
                process.wait()
                raise
            output.seek(0)
            return subprocess.CompletedProcess([program], status, output.read(), "")


def _group() -> int:
    """Return the group of the user that servers run as for root."""
    try:
        return pwd.getpwnam(_UNPRIVILEGED).pw_gid
    except KeyError:
        msg = f"PostgreSQL refuses to run as root, and there is no user '{_UNPRIVILEGED}'"
        raise DatabaseError(msg, hint=SetupHint.NOT_AS_ROOT) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
