"""How long stores are waited for: the one place for all of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from attrs import field, frozen
from attrs.validators import ge, gt


@frozen
class RetryPolicy:
    """Timeouts of one try, and how long a call that fails is repeated.

    The time limits together stay well below the ten minutes that a lease lives.
    """

    connect_seconds: float = field(default=10, validator=gt(0))
    """For a connection to be made."""
    read_seconds: float = field(default=60, validator=gt(0))
    """For the next bytes of an answer to come."""
    give_up_after_seconds: float = field(default=120, validator=ge(0))
    """From the first failure of a call on. A store that restarts takes less, and so does a
    network that is reconfigured."""
    last_delete_seconds: float = field(default=90, validator=gt(0))
    """From when a delete is asked for until it is tried for the last time, asleep or awake. Who
    deletes has looked at a lease just before, which another client counts on three minutes later
    at the earliest; the last try has to be over then."""
    first_wait_seconds: float = field(default=0.5, validator=gt(0))
    """The most to wait after the first failure; after each further one it is twice as long."""
    longest_wait_seconds: float = field(default=10, validator=gt(0))
    longest_asked_wait_seconds: float = field(default=60, validator=gt(0))
    """The most to wait because the service asked us to."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer asks us to wait, if it does: as a number or a date."""
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
