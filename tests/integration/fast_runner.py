"""``brownie-backup-cron`` with a schedule that goes sixty times faster: a minute is a second.

All else, leases and stores and the network too, goes by the time that everybody has.
"""

import sys
import threading
from datetime import UTC, datetime

from brownie_backup_cron.main import TimeSource, main

FASTER = 60
_BEGAN = datetime.now(UTC)


def now() -> datetime:
    return _BEGAN + (datetime.now(UTC) - _BEGAN) * FASTER


def wait(changed: threading.Event, seconds: float) -> object:
    return changed.wait(seconds / FASTER)


if __name__ == "__main__":
    sys.exit(main(pace=TimeSource(now, wait)))
