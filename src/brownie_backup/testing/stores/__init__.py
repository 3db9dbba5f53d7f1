"""What every store promises (`brownie_backup.protocols.Store`)."""

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
    """Tests that a store keeps its promises.

    A subclass gives the fixture `store`: an empty one, and for each test a new one. It may give:

    - `secrets`: what its stores were given to log in with, which nothing that they say may hold;
    - `failing_puts`: a context in which every put fails after it has begun to write;
    - `cut_off_puts`: a context that gives a store of the same objects, whose connection breaks
      in the middle of each put;
    - `wrong_credentials`: a store that logs in with credentials that are not right;
    - `missing_bucket`: a store whose bucket, or whatever holds its objects, is not there;
    - `clock_an_hour_off`: a context in which this host's clock is an hour ahead, as far as the
      store can tell.
    """

    def __init_subclass__(cls) -> None:
        """Leave out the tests of what this store has no fixture for."""
        for promise in _PROMISES:
            if not any(promise in vars(c) for c in cls.__mro__ if c is not StoreFixtures):
                leave_out(cls, promise)
