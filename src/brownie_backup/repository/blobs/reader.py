"""Read blobs back, from the first store that has each whole."""

from attrs import field, frozen

from brownie_backup.errors import (
    BackupError,
    DamagedError,
    DecryptionError,
    KeyNotFound,
    ObjectArchived,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.format.blobs import MAX_BLOB_BYTES
from brownie_backup.format.layout import blob_key
from brownie_backup.format.limits import most_stored_bytes
from brownie_backup.hints import BackupHint
from brownie_backup.model import BlobRef
from brownie_backup.protocols import Store
from brownie_backup.repository.blobs.decoding import Decoder


@frozen
class ReplicaFallback:
    """A blob that was bad or out of reach in one store, and good in another."""

    blob: str
    problem: BackupError
    store_url: str


@frozen
class BlobReader:
    """Reads the blobs of one backup back, and checks each. Thread-safe.

    A blob that is bad in the first store is read from the others, in their order.
    """

    stores: tuple[Store, ...]
    decoder: Decoder
    resized: dict[str, int] = field(factory=dict, eq=False)
    """Good blobs whose stored size differs from the recorded one, among those read in the first
    store."""
    fallbacks: list[ReplicaFallback] = field(factory=list, eq=False)
    """The blobs that came from another store than the first."""
    _failures: dict[int, StoreError] = field(factory=dict, eq=False)
    """The last error of each store that was not about one blob."""

    def get(self, ref: BlobRef) -> bytes:
        """Return the plaintext.

        Raises:
            DamagedError: the blob is missing, or its content does not match its name.
            DecryptionError: the key is missing or wrong.
            StoreError: it could not be read, and no other store has it.
        """
        problems: list[BackupError] = []
        for number in self._order():
            try:
                data = self._get(number, ref)
            except StoreError as error:
                self._failures[number] = error
                problems.append(error)
            except (DamagedError, DecryptionError) as error:
                problems.append(error)
            else:
                if number:
                    why = problems[0] if problems else self._failures[0]
                    self.fallbacks.append(ReplicaFallback(ref.name, why, self.stores[number].url))
                return data
        # If the key is wrong, it does not help that a store comes back.
        raise next((e for e in problems if isinstance(e, DecryptionError)), problems[0])

    def ensure_read(self) -> None:
        """Raise the error that kept us from reading the first store, if there was one."""
        if 0 in self._failures:
            raise self._failures[0]

    def _order(self) -> list[int]:
        """Return the stores to ask; one that was out of reach is not waited for again."""
        away = {n for n, e in self._failures.items() if isinstance(e, StoreUnavailable)}
        return sorted(range(len(self.stores)), key=lambda number: number in away)

    def _get(self, number: int, ref: BlobRef) -> bytes:
        store = self.stores[number]
        if not 0 <= ref.size_bytes <= MAX_BLOB_BYTES:
            raise _damaged(store, ref, f"no blob is larger than {MAX_BLOB_BYTES} bytes")
        try:
            stored = store.get(blob_key(ref.name), most_stored_bytes(ref))
        except KeyNotFound:
            msg = f"blob {ref.name} is missing from {store.url}"
            raise DamagedError(msg, hint=BackupHint.NEXT_BACKUP_REPAIRS) from None
        except ObjectArchived as error:  # bad, as if it were missing: the next backup stores it
            raise DamagedError(error.message, hint=error.hint) from None
        try:
            data = self.decoder.decode(ref, stored)
        except DamagedError as error:
            raise _damaged(store, ref, error.message) from None
        if len(stored) != ref.stored_bytes and number == 0:
            self.resized[ref.name] = len(stored)
        return data


def _damaged(store: Store, ref: BlobRef, why: str) -> DamagedError:
    return DamagedError(
        f"blob {ref.name} in {store.url} is damaged: {why}", hint=BackupHint.NEXT_BACKUP_REPAIRS
    )
