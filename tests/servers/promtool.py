"""Prometheus's promtool, which checks rules, queries and metrics: there is no wheel of it."""

import sys
from pathlib import Path

from tests.servers.apt import unpacked


def promtool() -> Path:
    """Return the program, after installing it if need be."""
    return unpacked("prometheus", _take) / "promtool"


def _take(package: Path, folder: Path) -> None:
    (package / "usr" / "bin" / "promtool").rename(folder / "promtool")


if __name__ == "__main__":
    sys.stdout.write(f"{promtool()}\n")
