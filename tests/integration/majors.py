"""The majors of PostgreSQL as parameters."""

import pytest
from tests.servers.install import MAJORS

EACH_MAJOR = [
    MAJORS[0],
    *(pytest.param(major, marks=pytest.mark.nightly) for major in MAJORS[1:-1]),
    MAJORS[-1],
]
"""What holds for the oldest and the newest holds for those between, nearly always."""
