"""Two real processes in one store, one backing up and one sweeping: nothing is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration import two_processes
from tests.integration.stores import STORES
from tests.unit.fakes import read_back

SECONDS = [10, pytest.param(30, marks=pytest.mark.nightly)]
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.once


@pytest.mark.parametrize("name", ["local", "s3"])
@pytest.mark.parametrize("seconds", SECONDS)
def test_nothing_is_lost(
    name: str,
    seconds: int,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for variable, value in STORES[name](request).items():
        monkeypatch.setenv(variable, value)
    verbs = ("back_up", "clean_up")
    processes = [_start(verb, seconds, tmp_path / verb) for verb in verbs]
    for process in processes:
        assert process.wait(timeout=120) == 0
    made, (deleted, swept) = (json.loads((tmp_path / verb).read_text()) for verb in verbs)

    repository = two_processes.open_repository()
    backups = repository.backups()
    expected = dict(made)
    assert all(backup.good for backup in backups), [b.problem for b in backups if b.problem]
    for backup in backups:
        assert two_processes.digest(read_back(repository, backup)) == expected[backup.name]
    newest = [each for each, _ in made[-two_processes.KEPT :]]
    assert {*newest} <= {backup.name for backup in backups}
    assert len(backups) == len(made) - deleted
    assert len(made) > two_processes.KEPT < deleted  # else it proves nothing
    assert swept > 0


def _start(verb: str, seconds: int, result: Path) -> subprocess.Popen[bytes]:
    script = [sys.executable, "-m", "tests.integration.two_processes", verb, str(seconds)]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.Popen([*script, str(result)], cwd=ROOT, env=environment)
