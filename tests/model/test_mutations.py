"""The model is worth something: without one of the library's precautions a backup is harmed."""

from datetime import timedelta

import pytest
from tests.model import mutations
from tests.model.checker import ViolationError
from tests.model.machinery import Patch
from tests.model.run import END, Plot, Run, Weather

RUNS = 100
CALM = Weather()
ASLEEP = Plot("backup", minutes=13)
"""Somewhere in its work a backup sleeps, until its lease has expired."""
TOO_LATE = Plot("backup", "main: put manifests/", minutes=13)
BESIDE = Plot("backup")
"""A cleanup comes while a backup is at work."""
CASES = (
    (mutations.nobody_looks_at_leases_again, ASLEEP, CALM),
    (mutations.nobody_asks_the_clock, ASLEEP, CALM),
    (mutations.nothing_excludes, BESIDE, CALM),
    (mutations.no_margin, TOO_LATE, CALM),
    (mutations.leases_expire_by_the_clients_clock, BESIDE, Weather(skew=timedelta(hours=6))),
    (mutations.no_look_before_the_manifest, ASLEEP, CALM),
    (mutations.no_look_after_the_manifest, TOO_LATE, CALM),
    (
        mutations.manifests_are_read_before_the_lease,
        Plot("cleanup", "main: put leases/", second="backup"),
        CALM,
    ),
    (
        mutations.a_write_without_an_answer_is_forgotten,
        Plot("cleanup", END, second="backup"),
        Weather(lost="main: delete blobs/"),
    ),
)

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("mutation", "plot", "weather"), CASES, ids=[case[0].__name__ for case in CASES]
)
def test_what_is_missing_is_noticed(mutation: Patch, plot: Plot, weather: Weather) -> None:
    runs = (Run(seed, mutation=mutation, plot=plot, weather=weather) for seed in range(RUNS))
    run, violation = next(
        ((run, found) for run in runs if (found := violation_of(run))), (None, "")
    )
    assert run, f"{RUNS} runs show nothing wrong"
    assert "unexpected" not in violation
    # It is the mutation that does it.
    assert violation_of(Run(run.seed, plot=plot, weather=weather)) == ""


def violation_of(run: Run) -> str:
    """Return what a run finds, if anything."""
    try:
        run.go()
    except ViolationError as violation:
        return str(violation)
    return ""
