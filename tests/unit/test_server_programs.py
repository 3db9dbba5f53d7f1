"""The servers of the tests outlive what tests do to them, but not the tests."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.servers.objects import GcsServer

pytestmark = pytest.mark.once

_DIES = """
import json, os, signal, sys
from tests.servers.objects import GcsServer
server = GcsServer()
print(json.dumps([server.process_id, str(server.folder)]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_server_ends_with_tests_that_are_killed() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", _DIES], check=False, capture_output=True, cwd=root)
    assert done.returncode == -signal.SIGKILL, done.stderr
    process_id, folder = json.loads(done.stdout)
    deadline = time.monotonic() + 60
    while psutil.pid_exists(process_id) or Path(folder).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_server_keeps_its_port_and_data() -> None:
    with GcsServer() as server:
        url, name = server.endpoint_url, server.new_bucket()
        server.stop()
        server.start()
        server.kill()
        server.start()
        assert server.endpoint_url == url
        assert (server.data / name).is_dir()
        folder = server.folder
    assert not folder.exists()


def test_a_server_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GcsServer, "_command", lambda _: ("/bin/sh", "-c", "echo no; exit 1"))
    with pytest.raises(RuntimeError, match="GcsServer does not start: no"):
        GcsServer()


def test_a_port_that_is_taken_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    with GcsServer() as first:
        ports = iter([[first.port], [first.port + 1]])
        monkeypatch.setattr("tests.servers.process.free_ports", lambda _: next(ports))
        with GcsServer() as second:
            assert second.port == first.port + 1
