"""The sizes and times that a repository works with."""

from datetime import timedelta

from attrs import field, frozen

from brownie_backup.repository.blobs.sizes import BLOB_BYTES
from brownie_backup.repository.blobs.sweep import SWEEP_MARGIN
from brownie_backup.repository.catalogue.manifests import INLINE_BLOBS
from brownie_backup.repository.coordination.leases import PASSING, RENEWAL
from brownie_backup.repository.deadline import Deadlines

GRACE_SECONDS = 10.0
GRACE_FACTOR = 3.0


@frozen
class Tuning:
    """Sizes and times of a repository. The defaults are right for production.

    All clients of a repository need the same `sweep_margin` and lease times: by these they keep
    out of each other's way.
    """

    blob_bytes: int = BLOB_BYTES
    """How much plaintext makes a blob."""
    inline_blobs: int = INLINE_BLOBS
    """How many blobs of a part a manifest lists itself; more go into lists of their own."""
    sweep_margin: timedelta = SWEEP_MARGIN
    """How old a blob must be before a sweep removes it."""
    lease_renewal: timedelta = RENEWAL
    lease_passing: timedelta = PASSING
    """How long a lease that excludes ours may be there while we hold ours: its owner came later,
    sees ours, and is about to remove its own again."""
    deadlines: Deadlines = field(factory=Deadlines)
    """How long calls of one of several stores may take."""
    grace_seconds: float = GRACE_SECONDS
    """How long the quickest of several stores waits for the others at least, with each blob."""
    grace_factor: float = GRACE_FACTOR
    """How many times as long as the quickest another store may take, before it is dropped."""
    linger_seconds: float = 5.0
    """How long an idle worker of an executor keeps its stores and keys open."""
