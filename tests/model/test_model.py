"""Several clients in one store, in random interleavings: no backup is ever harmed.

`BROWNIE_MODEL_SEED=7` replays one run; `BROWNIE_MODEL_STEPS=500000` takes so many steps, by seeds
never used before.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.model.checker import ViolationError
from tests.model.run import Run

SEED = os.environ.get("BROWNIE_MODEL_SEED")
STEPS = int(os.environ.get("BROWNIE_MODEL_STEPS") or 0)
SEEDS = 100
PARTS = 2
AT_LEAST = 5000
"""So many steps all seeds together take."""
HAPPENINGS = (
    *("killed-", "killed+", "killed~", "interrupted-", "fails-", "fails+", "fails~", "at last"),
    *("delete manifests/", "delete blobs/", "put verifications/", "put holds/", "get lists/"),
    *("LeaseLost", "Busy", "ClockSkew", "StoreUnavailable", "BackupExists"),
)
"""What must occur in the traces of the runs, or they prove little."""

pytestmark = pytest.mark.once


def take(seed: int) -> Run:
    """Take the steps of one seed; a violation fails the test, with all that led to it."""
    run = Run(seed)
    try:
        run.go()
    except ViolationError as violation:
        again = f"Again: BROWNIE_MODEL_SEED={seed} python -m pytest tests/model"
        lines = (*run.world.trace, f"seed {seed}: {violation}", again)
        pytest.fail("\n".join(lines), pytrace=False)
    return run


def chosen(part: int) -> Iterator[int]:
    """Yield the seeds of one of the parts."""
    if SEED:
        yield from [int(SEED)][part:]
    elif STEPS:
        yield from count(secrets.randbits(48))
    else:
        yield from range(part, SEEDS, PARTS)


@pytest.mark.timeout(0 if STEPS else 300)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_ever_lost(part: int) -> None:
    steps = 0
    happened: set[str] = set()
    for seed in chosen(part):
        run = take(seed)
        steps += run.world.steps
        happened.update(what for what in HAPPENINGS if what in "\n".join(run.world.trace))
        if STEPS and steps >= STEPS / PARTS:
            break
    if not SEED:
        assert steps >= AT_LEAST / PARTS
        assert happened == {*HAPPENINGS}


def test_a_seed_repeats_every_step() -> None:
    """In another process too, where nothing has the same hash."""
    script = "from tests.model import run; r = run.Run(5); r.go(); print(*r.world.trace, sep='\\n')"
    root = Path(__file__).parents[2]
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "1"}
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    here = [line.partition(" by process")[0] for line in take(5).world.trace]
    there = [line.partition(" by process")[0] for line in result.stdout.splitlines()]
    assert len(here) > 200
    assert here == there
