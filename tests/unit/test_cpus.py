"""How many processors there are for us."""

import os
from pathlib import Path

import pytest

from brownie_backup.process.cpus import usable_processors


@pytest.fixture(autouse=True)
def _eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("text", "count"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1),
     ("9900000 100000", 8), ("strange", 8), ("", 8), ("1000 0", 8)],
)  # fmt: skip
def test_the_quota_of_a_container(text: str, count: int, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(text, encoding="ascii")
    assert usable_processors(tmp_path) == count


@pytest.mark.parametrize(("quota", "count"), [("-1", 8), ("300000", 3)])
def test_the_quota_of_an_old_cgroup(quota: str, count: int, tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n", encoding="ascii")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n", encoding="ascii")
    assert usable_processors(tmp_path) == count


def test_no_cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_processors(tmp_path) == 8
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert usable_processors(tmp_path) == 4
