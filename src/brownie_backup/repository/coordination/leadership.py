"""Election of one process among several for some work: the leader, while it shows that it is alive.

Leadership is divided into terms. A term is an object that a candidate creates with
create-if-absent, so that one candidate wins. The owner of the highest term leads, and replaces the
object again and again. A candidate that sees no change for a lifetime, by its own clock, creates
the next term. So no two clocks are ever compared, and the store's clock is not used either.

Leadership only keeps two processes from doing the same work. Blobs are protected by leases, which
are independent of it.
"""

import contextlib
import os
import secrets
import socket
from collections.abc import Callable
from datetime import timedelta

from attrs import evolve, frozen

from brownie_backup.errors import DamagedError, KeyExists, KeyNotFound, StoreError
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.format.layout import leader_in, leader_key, leader_keys
from brownie_backup.protocols import Store, get_object

LIFETIME = timedelta(minutes=2)
LOOKS = 4
"""How often in a lifetime a leader renews its term, and other candidates check it."""
_TRUSTED = 0.9
"""The share of a lifetime for which a leader relies on its term: clocks run at different speeds."""


@frozen
class Term:
    """The content of a term's object."""

    number: int
    id: str
    """The random id of the process that leads."""
    owner: str
    renewals: int = 0
    ended: bool = False
    """Whether its owner has stepped down, so that others need not wait."""


class Leadership:
    """A process that is a candidate for leadership.

    Args:
        store: the store that holds the terms.
        purpose: the name of the work, a segment of a key.
        elapsed: seconds since any fixed moment, by a clock that keeps running while the machine
            sleeps.
        lifetime: after how long without a renewal a leader counts as dead.
    """

    def __init__(
        self,
        store: Store,
        purpose: str,
        *,
        elapsed: Callable[[], float],
        lifetime: timedelta = LIFETIME,
    ) -> None:
        self.lifetime = lifetime
        self._store = store
        self._purpose = purpose
        self._elapsed = elapsed
        self._id = secrets.token_hex(8)
        self._term: Term | None = None
        self._led_until = 0.0
        self._watched: tuple[int, bytes] | None = None
        self._watched_since = 0.0

    @property
    def leads(self) -> bool:
        """Whether we lead, and no other process can have taken over."""
        return self._term is not None and self._elapsed() < self._led_until

    def look(self) -> bool:
        """Renew our term, or check whether another's is over; return whether we lead.

        Call it `LOOKS` times in a lifetime. A term that was not renewed in time is given up:
        another process may lead by now.

        Raises:
            StoreError: the store can't be reached, so the leader is unknown.
        """
        began = self._elapsed()
        if not self.leads:
            self._term = None
        highest = self._highest()
        if self._term and highest and _is(self._term, highest[1]):
            self._renew(self._term, began)
        else:
            self._term = None
            number = highest[0] if highest else 0
            if self._is_over(highest, began):
                self._create(number + 1, began)
        return self.leads

    def resign(self) -> None:
        """Step down, so that another process may lead at once."""
        if self._term and self.leads:
            with contextlib.suppress(StoreError):
                self._put(evolve(self._term, ended=True))
        self._term = None

    def _highest(self) -> tuple[int, bytes] | None:
        """Return the number and the content of the highest term."""
        listed = self._store.list(leader_keys(self._purpose))
        numbers = [n for found in listed if (n := leader_in(found.key, self._purpose)) is not None]
        if not numbers:
            return None
        number = max(numbers)
        try:
            return number, get_object(self._store, leader_key(self._purpose, number))
        except KeyNotFound:  # a new leader has just removed it
            return self._highest()
        except DamagedError:  # it counts like any other, for as long as it might have an owner
            return number, b""

    def _is_over(self, highest: tuple[int, bytes] | None, now: float) -> bool:
        """Whether there is no leader: none ever led, or it stepped down, or it stopped renewing."""
        if highest is None:
            return True
        if highest != self._watched:
            self._watched, self._watched_since = highest, now
        try:
            term = from_json(highest[1], Term, leader_key(self._purpose, highest[0]))
        except DamagedError:
            pass  # it counts like any other, for as long as it might have an owner
        else:
            if term.ended or term.id == self._id:  # ours, which we have given up
                return True
        return now - self._watched_since >= self.lifetime.total_seconds()

    def _renew(self, term: Term, began: float) -> None:
        later = evolve(term, renewals=term.renewals + 1)
        self._put(later)
        self._lead(later, began)

    def _create(self, number: int, began: float) -> None:
        owner = f"process {os.getpid()} on {socket.gethostname()}"
        term = Term(number, self._id, owner)
        try:
            self._put(term, if_absent=True)
        except KeyExists:
            return  # another process was faster
        # If the store ignores create-if-absent and overwrites, the last writer wins.
        highest = self._highest()
        if highest is None or not _is(term, highest[1]):
            return
        self._lead(term, began)
        with contextlib.suppress(StoreError):
            for found in self._store.list(leader_keys(self._purpose)):
                if found.key < leader_key(self._purpose, number):
                    self._store.delete(found.key)

    def _lead(self, term: Term, began: float) -> None:
        self._term = term
        self._led_until = began + _TRUSTED * self.lifetime.total_seconds()

    def _put(self, term: Term, *, if_absent: bool = False) -> None:
        key = leader_key(self._purpose, term.number)
        self._store.put(key, to_json(term), if_absent=if_absent)


def _is(term: Term, content: bytes) -> bool:
    """Whether an object is this term, however often it was renewed."""
    try:
        found = from_json(content, Term, "")
    except DamagedError:
        return False
    return (found.number, found.id) == (term.number, term.id)
