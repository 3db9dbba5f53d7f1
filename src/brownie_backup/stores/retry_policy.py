"""How long to wait for stores: the one place for all of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from attrs import field, frozen
from attrs.validators import ge, gt


@frozen
class RetryPolicy:
    """Timeouts of one try, and how long a failed call is repeated.

    The time limits together stay well below the ten minutes that a lease lives.
    """

    connect_seconds: float = field(default=10, validator=gt(0))
    """For making a connection."""
    read_seconds: float = field(default=60, validator=gt(0))
    """For the next bytes of an answer."""
    give_up_after_seconds: float = field(default=120, validator=ge(0))
    """From the first failure of a call. A store that restarts takes less time, and so does a
    network that is reconfigured."""
    last_delete_seconds: float = field(default=90, validator=gt(0))
    """From the request for a delete until its last try, asleep or awake. The caller has checked a
    lease just before, and another client relies on that lease three minutes later at the earliest;
    the last try has to be over then."""
    first_wait_seconds: float = field(default=0.5, validator=gt(0))
    """The longest wait after the first failure; it doubles after each further one."""
    longest_wait_seconds: float = field(default=10, validator=gt(0))
    longest_asked_wait_seconds: float = field(default=60, validator=gt(0))
    """The longest wait that the service may ask for."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer asks us to wait, if any: as a number or a date."""
    headers = {name.lower(): value for name, value in headers.items()}
    milliseconds = headers.get("x-ms-retry-after-ms", headers.get("retry-after-ms", "")).strip()
    if milliseconds.isdecimal():
        return float(milliseconds) / 1000
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (at.astimezone(UTC) - datetime.now(UTC)).total_seconds())
