"""Planted secrets are looked for wherever they could come out."""

import threading
from pathlib import Path
from typing import Self

import psutil
import pytest
from tests.integration.cli import Cli, children, finish
from tests.integration.waiting import wait_until
from tests.servers.running import Server, Servers

pytestmark = pytest.mark.once

DATABASE_PASSWORD = "planted/pässword:w@rd 1"
ROLE = "planted_role"
# Of these tests alone: the programs of other tests, which run beside them, are looked at too.
PASSPHRASE = "planted-passphrase-of-secrets-Zü7"
PLANTED = {
    "BACKUP_ACCESS_KEY": "planted-access-key",
    "BACKUP_SECRET_KEY": "planted-secret-key",
    "BACKUP_TOKEN": "planted-token",
    "BACKUP_DEBUG": "true",
}
SECRETS = (DATABASE_PASSWORD, "planted%2Fp", PASSPHRASE, *list(PLANTED.values())[:3])


@pytest.fixture
def server(servers: Servers, bulky: str) -> Server:
    server = servers.get(18)
    if not server.sql("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"):
        password = DATABASE_PASSWORD
        server.sql(bulky, f"CREATE ROLE {ROLE} SUPERUSER LOGIN PASSWORD '{password}'")
    return server


@pytest.fixture
def planted(cli: Cli, server: Server, bulky: str) -> Cli:
    """The command line, with secrets in every place that takes one."""
    escaped = "planted%2Fp%C3%A4ssword%3Aw%40rd%201"
    url = f"postgresql://{ROLE}:{escaped}@127.0.0.1:{server.port}/{bulky}"
    settings = PLANTED | {"BACKUP_DATABASE_URL": url, "BACKUP_PASSPHRASE": PASSPHRASE}
    return Cli(cli.by_passphrase().env | settings)


class Watch:
    """Collects the command lines and environments of all processes but the command itself."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.programs: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.is_set():
            for process in psutil.process_iter():
                try:
                    arguments = process.cmdline()
                    self.seen.update(arguments)
                    name = process.name()
                    self.programs.add(name)
                    if name in {"pg_dump", "pg_restore", "psql", "gpg", "pg_dumpall"}:
                        self.seen.update(process.environ().values())
                except (psutil.Error, OSError):
                    continue


def assert_clean(text: str, where: str) -> None:
    found = [secret for secret in SECRETS if secret in text]
    assert not found, f"{found} in {where}"


def test_no_secret_comes_out_of_any_command(planted: Cli, server: Server) -> None:
    commands = (
        ("config",),
        ("config", "--json"),
        ("doctor", "--verbose"),
        ("backup", "--name", "one", "--verbose"),
        ("backup", "--name", "two", "--json"),
        ("list", "--json"),
        ("show", "latest", "--json"),
        ("status", "--json"),
        ("verify", "--all", "--json"),
        ("restore", "latest", "--json"),
        ("restore", "latest", "--target-db", "bulky_planted", "--verbose"),
        ("cleanup", "--json"),
        ("delete", "two"),
    )
    with Watch() as watch:
        for command in commands:
            result = planted.run(*command)
            assert result.status in {0, 1, 3}, (command, result)
            assert_clean(result.out + result.err, f"the output of {command}")
    server.drop("bulky_planted")
    assert {"pg_dump", "pg_restore", "psql", "gpg"} <= watch.programs
    assert_clean("\n".join(watch.seen), "ps, or the environment of a child")
    assert_clean("\n".join(path.name for path in planted.store.rglob("*")), "names in the store")
    for path in (planted.store / "manifests").iterdir():
        assert_clean(path.read_text(), str(path))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKUP_DATABASE_URL", f"postgresql://u:{PASSPHRASE}@127.0.0.1:1/x"),
        ("BACKUP_DATABASE_URL", f"host=127.0.0.1 port=1 password='{PASSPHRASE}"),
        ("BACKUP_DATABASE_URL", f"postgresql://u:{PASSPHRASE}%@127.0.0.1:1/x"),
        ("BACKUP_DATABASE_URL", f"sslpassword={PASSPHRASE}"),
        ("BACKUP_GPG_PRIVATE_KEY", PASSPHRASE),
        ("BACKUP_PASSPHRASE", "planted-token"),
    ],
    # pytest puts the name of a test into the environment of all that the test starts.
    ids=range(6),
)
def test_no_secret_comes_out_of_an_error(planted: Cli, name: str, value: str) -> None:
    for command in (("backup",), ("restore", "latest"), ("doctor",), ("config",), ("verify", "x")):
        result = planted.run(*command, "--verbose", **{name: value})
        assert_clean(result.out + result.err, f"{command} with a wrong {name}")


def test_no_file_with_a_secret_is_left_behind(planted: Cli) -> None:
    planted.json("backup")
    assert list(Path(planted.env["TMPDIR"]).iterdir()) == []
    process = planted.start("backup")
    wait_until(lambda: any(children(process, "pg_dump")), what="pg_dump at work")
    passfiles = list(Path(planted.env["TMPDIR"]).glob("bb-pass-*"))
    assert passfiles
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in passfiles)
    assert finish(process).status == 0
    assert list(Path(planted.env["TMPDIR"]).iterdir()) == []
