"""Repeats calls that failed because a store was out of reach, the same way for all stores."""

import logging
import time
from array import array
from collections.abc import Callable, Iterator
from secrets import SystemRandom
from typing import TypeVar

from attrs import define, field

from brownie_backup.errors import (
    AccessDenied,
    BackupError,
    KeyExists,
    KeyNotFound,
    StoreUnavailable,
    redact,
)
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import (
    ObjectUse,
    Page,
    Store,
    StoredObject,
    SupportsClose,
    SupportsObjectLock,
    SupportsPaging,
    SupportsReserve,
)
from brownie_backup.stores.retry_policy import RetryPolicy

_log = logging.getLogger(__name__)

_SHORTEST_WAIT_SECONDS = 0.05
_WORTH_A_WARNING_SECONDS = 5

T = TypeVar("T")


@define(eq=False)
class _Outage:
    """What the calls of one store, in all threads, know about an outage."""

    warned: bool = False
    gave_up_at: float | None = None

    def given_up(self, now: float, seconds: float) -> bool:
        """Whether a call was given up less than this many seconds ago, with no success since."""
        return self.gave_up_at is not None and now - self.gave_up_at < seconds

    def end(self, url: str) -> None:
        """Record that the store answers."""
        if self.warned:
            _log.warning("%s answers again", url)
        self.warned = False
        self.gave_up_at = None


@define(eq=False)
class RetryingStore:
    """Passes calls on to another store; those that raise `StoreUnavailable` are repeated.

    It waits between the tries: longer each time, shortened at random (full jitter) so that many
    clients don't come back at once, and as long as the service asks. When
    `retry_policy.give_up_after_seconds` have passed since a call's first failure, the last error is
    raised. A call that fails soon after another was given up is not repeated: the remaining calls
    only tidy up, and are not worth the same wait. A delete is not repeated when it would come too
    late to be safe, for example on a machine that slept.

    A call that is refused is repeated once, if `renew` returns the store with other credentials.
    """

    inner: Store
    retry_policy: RetryPolicy = field(factory=RetryPolicy)
    _renew: Callable[[Store], Store | None] | None = field(default=None, kw_only=True, repr=False)
    _sleep: Callable[[float], None] = field(default=time.sleep, kw_only=True, repr=False)
    _monotonic: Callable[[], float] = field(default=time.monotonic, kw_only=True, repr=False)
    _wall: Callable[[], float] = field(default=time.time, kw_only=True, repr=False)
    _random: Callable[[], float] = field(default=SystemRandom().random, kw_only=True, repr=False)
    _outage: _Outage = field(factory=_Outage, init=False, repr=False)

    @property
    def url(self) -> str:
        """The address of the inner store."""
        return self.inner.url

    @property
    def repeats_for_seconds(self) -> float:
        """For how long a failed call is repeated."""
        return self.retry_policy.give_up_after_seconds

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store `data` in the inner store."""
        doubtful = False

        def put() -> None:
            nonlocal doubtful
            try:
                self.inner.put(key, data, if_absent=if_absent, use=use)
            except StoreUnavailable:
                doubtful = True  # it may have been stored, and only the response lost
                raise
            except KeyExists:
                if not doubtful or not self._holds(key, data):
                    raise

        self._repeat(put)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the object from the inner store."""
        return self._repeat(lambda: self.inner.get(key, most_bytes))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List the inner store; after a failure, repeat the page, or start over and skip."""
        if isinstance(self.inner, SupportsPaging):
            return self._list_pages(prefix)
        return self._list_anew(prefix)

    def delete(self, key: str) -> None:
        """Remove an object from the inner store."""
        self._repeat(
            lambda: self.inner.delete(key), self._tries(self.retry_policy.last_delete_seconds)
        )

    def extend_lock(self, key: str) -> None:
        """Lock the object for longer, if the inner store has locks."""

        def extend() -> None:
            if isinstance(self.inner, SupportsObjectLock):
                self.inner.extend_lock(key)

        self._repeat(extend)

    def release_reserve(self) -> None:
        """Give the reserved space of the inner store back, if it has any."""
        if isinstance(self.inner, SupportsReserve):
            self.inner.release_reserve()

    def keep_reserve(self) -> None:
        """Let the inner store reserve space again."""
        if isinstance(self.inner, SupportsReserve):
            self.inner.keep_reserve()

    def close(self) -> None:
        """Let the inner store release the resources that it holds between calls."""
        if isinstance(self.inner, SupportsClose):
            self.inner.close()

    def _holds(self, key: str, data: bytes) -> bool:
        """Whether an earlier try of ours has put the object under `key`."""
        try:
            return self.inner.get(key) == data
        except KeyNotFound:
            msg = f"'{key}' in {self.url} existed, and is gone"
            raise StoreUnavailable(msg) from None

    def _list_pages(self, prefix: str) -> Iterator[StoredObject]:
        token: str | None = None

        def next_page() -> Page:
            assert isinstance(self.inner, SupportsPaging)  # noqa: S101 - so is any renewed one
            return self.inner.list_page(prefix, token)

        while True:
            page = self._repeat(next_page)
            yield from page.objects
            token = page.next_token
            if token is None:
                return

    def _list_anew(self, prefix: str) -> Iterator[StoredObject]:
        # Eight bytes for each key. That two of a million share a hash has a chance of one in 40
        # million, and would only matter in a listing that failed midway.
        yielded = array("q")
        tries = self._tries()
        while True:
            skip = set(yielded)
            try:
                for found in self.inner.list(prefix):
                    name = hash(found.key)
                    if name not in skip:
                        yielded.append(name)
                        tries.progress()
                        yield found
            except StoreUnavailable as error:
                failure = error
            else:
                self._outage.end(self.url)
                return
            tries.failed(failure)

    def _repeat(self, call: Callable[[], T], tries: "_Tries | None" = None) -> T:
        tries, renewed = tries or self._tries(), False
        while True:
            try:
                result = call()
            except StoreUnavailable as error:
                failure = error
            except BackupError as error:
                self._outage.end(self.url)  # a refusal is an answer too
                if not isinstance(error, AccessDenied) or renewed or not self._renewed():
                    raise
                renewed = True
                continue
            else:
                self._outage.end(self.url)
                return result
            tries.failed(failure)

    def _renewed(self) -> bool:
        """Whether there is the store with other credentials, which is used from now on."""
        fresh = self._renew(self.inner) if self._renew else None
        if fresh is None:
            return False
        _log.info("%s refused the credentials; trying once more with new ones", self.url)
        self.inner = fresh
        return True

    def _tries(self, last_seconds: float | None = None) -> "_Tries":
        clocks = (self._monotonic, self._wall)
        tries = _Tries(self.retry_policy, self._outage, self._sleep, *clocks, self._random)
        if last_seconds is not None:
            tries.end_within(last_seconds)
        return tries


@define(eq=False)
class _Tries:
    """The tries of one call."""

    _patience: RetryPolicy
    _outage: _Outage
    _sleep: Callable[[float], None]
    _monotonic: Callable[[], float]
    _wall: Callable[[], float]
    _random: Callable[[], float]
    _failures: int = 0
    _since: float = 0.0
    _too_late: Callable[[], bool] = lambda: False

    def end_within(self, seconds: float) -> None:
        """Begin no try later than this; a clock that stops in sleep is not sufficient for it."""
        clocks = (self._monotonic, self._wall)
        ends = [clock() + seconds for clock in clocks]
        self._too_late = lambda: any(
            clock() >= end for clock, end in zip(clocks, ends, strict=True)
        )

    def progress(self) -> None:
        """Restart the count."""
        self._failures = 0

    def failed(self, error: StoreUnavailable) -> None:
        """Wait until the call may be tried again, or raise the error."""
        now = self._monotonic()
        if not self._failures:
            self._since = now
        self._failures += 1
        limit = self._patience.give_up_after_seconds
        left = self._since + limit - now
        if left <= 0:
            self._outage.gave_up_at = now
        if left <= 0 or self._outage.given_up(now, limit) or self._too_late():
            raise self._final(error, now - self._since)
        wait = min(self._wait(error), left)
        text = redact(error.message)
        if now - self._since + wait >= _WORTH_A_WARNING_SECONDS and not self._outage.warned:
            self._outage.warned = True
            _log.warning("%s; trying again for up to %.0f s", text, limit)
        _log.info("%s; trying again in %.1f s", text, wait)
        self._sleep(wait)
        if self._too_late():
            raise self._final(error, self._monotonic() - self._since)

    def _wait(self, error: StoreUnavailable) -> float:
        doublings = min(self._failures - 1, 30)  # a higher exponent would only overflow
        most = self._patience.first_wait_seconds * (1 << doublings)
        most = min(most, self._patience.longest_wait_seconds)
        wait = max(_SHORTEST_WAIT_SECONDS, most * self._random())
        asked = min(error.retry_after_seconds or 0, self._patience.longest_asked_wait_seconds)
        return asked + wait if asked > 0 else wait

    def _final(self, error: StoreUnavailable, seconds: float) -> StoreUnavailable:
        message = error.message
        if self._failures > 1:
            message = f"{message}; tried {self._failures} times in {seconds:.0f} s"
        asked = error.retry_after_seconds
        return StoreUnavailable(message, hint=error.hint, retry_after_seconds=asked)
