"""What there is to know of a kind of store before one is opened, without its SDK."""

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
    """A kind of store. Each is in its store's own file or folder; `registry` has them all."""

    scheme: str
    """Of its URLs."""
    name: str
    """What it is, for a sentence: ``a local folder``."""
    open: Callable[[Location], Store]
    """Imports what the store needs, and returns one that tries each call once."""
    provider: str = ""
    """What BACKUP_PROVIDER calls it; empty if only a URL can name it."""
    options: tuple[Option, ...] = ()
    """What a URL's query, and the variables, may say of it."""
    problems: Callable[[Location], Iterable[str]] = _no_problems
    """Yields what is wrong with a location, as far as that can be known without a request, and
    without credentials: settings are also read where there are none. Each begins with the name of
    the option that it is about."""
    hint: Advice = None
    """What helps against these problems."""
    in_buckets: bool = True
    """Whether the host of its URLs is a bucket, and the path a prefix of keys."""
    service_url: str = ""
    """Where its service is, unless a location has an endpoint; empty if there is none."""
    extra: str = ""
    """What of `brownie-backup` brings the library that it needs."""
    retried: bool = True
    """Whether calls that fail for now are repeated. In a folder they would fail again."""
