"""The properties of a kind of store that are known before one is opened, without its SDK."""

from collections.abc import Callable, Iterable

from attrs import frozen

from brownie_backup.hints import Advice
from brownie_backup.protocols import Store
from brownie_backup.stores.location import Location
from brownie_backup.stores.options import Option


def _no_problems(_: Location) -> Iterable[str]:
    return ()


@frozen
class StoreType:
    """A kind of store.

    Each is defined in its store's own file or folder; `registry` has them all.
    """

    scheme: str
    """The scheme of its URLs."""
    name: str
    """Its description in a sentence: ``a local folder``."""
    open: Callable[[Location], Store]
    """Imports the libraries of the store, and returns a store that tries each call once."""
    provider: str = ""
    """Its name in BACKUP_PROVIDER; empty if only a URL can name it."""
    options: tuple[Option, ...] = ()
    """The options that a URL's query, and the variables, may contain."""
    problems: Callable[[Location], Iterable[str]] = _no_problems
    """Yields the problems of a location that can be found without a request and without
    credentials, since settings are also read where there are none. Each problem begins with the
    name of its option."""
    hint: Advice = None
    """The remedy for these problems."""
    in_buckets: bool = True
    """Whether the host of its URLs is a bucket, and the path a prefix of keys."""
    service_url: str = ""
    """The address of its service, unless a location has an endpoint; empty if there is none."""
    extra: str = ""
    """The extra of `brownie-backup` that installs its library."""
    retried: bool = True
    """Whether calls that fail temporarily are repeated. In a folder they would fail again."""
