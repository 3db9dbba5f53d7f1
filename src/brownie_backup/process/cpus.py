"""How many processors this process may use."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_processors(cgroup: Path = CGROUP) -> int:
    """Return how many processors this process may use: by its affinity and its cgroup's quota.

    Args:
        cgroup: the folder with the limits of a container; it may be missing.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, min(count, math.ceil(quota))) if quota else count


def _quota(cgroup: Path) -> float | None:
    """Return the processor quota as a number of processors, from cgroups version 2 or 1."""
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text(encoding="ascii")
        # "max" or -1 mean that there is no limit.
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
