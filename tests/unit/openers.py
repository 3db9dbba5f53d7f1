"""Ways to open stores that say what they did."""

import threading

from attrs import define, field

from brownie_backup.protocols import Store
from brownie_backup.stores import MemoryStore
from brownie_backup.stores.location import Location


class ClosableStore(MemoryStore):
    """A store in memory that counts how often it was closed."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.closed = 0
        self._url = url

    @property
    def url(self) -> str:
        """Where it says that it is."""
        return self._url

    def close(self) -> None:
        """Count."""
        self.closed += 1


@define
class Opener:
    """Opens stores in memory, and keeps them: what is opened again has what it had."""

    opened: list[str] = field(factory=list)
    stores: dict[str, ClosableStore] = field(factory=dict)
    going_on: threading.Event = field(factory=threading.Event)
    """Nothing is opened before it is set."""

    def __attrs_post_init__(self) -> None:
        self.going_on.set()

    def __call__(self, location: Location) -> Store:
        """Open a store."""
        self.going_on.wait(10)
        self.opened.append(location.url)
        return self.stores.setdefault(location.url, ClosableStore(location.url))
