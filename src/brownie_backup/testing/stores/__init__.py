"""The guarantees of every store (`brownie_backup.protocols.Store`)."""

from brownie_backup.testing.optional import leave_out
from brownie_backup.testing.stores.failures import FailurePromises
from brownie_backup.testing.stores.fixtures import StoreFixtures
from brownie_backup.testing.stores.listings import ListingPromises
from brownie_backup.testing.stores.objects import ObjectPromises

_PROMISES = (
    "failing_puts",
    "cut_off_puts",
    "wrong_credentials",
    "missing_bucket",
    "clock_an_hour_off",
)


class StoreContract(ObjectPromises, ListingPromises, FailurePromises):
    """Tests that a store keeps its guarantees.

    A subclass provides the fixture `store`: an empty one, new for each test. It may also provide:

    - `secrets`: the credentials of its stores, which no message of theirs may contain;
    - `failing_puts`: a context in which every put fails after it has begun to write;
    - `cut_off_puts`: a context that gives a store of the same objects, whose connection breaks
      in the middle of each put;
    - `wrong_credentials`: a store that logs in with wrong credentials;
    - `missing_bucket`: a store whose bucket, or other container, does not exist;
    - `clock_an_hour_off`: a context in which this host's clock is an hour ahead, as far as the
      store can tell.
    """

    def __init_subclass__(cls) -> None:
        """Leave out the tests for which this store has no fixture."""
        for promise in _PROMISES:
            if not any(promise in vars(c) for c in cls.__mro__ if c is not StoreFixtures):
                leave_out(cls, promise)
