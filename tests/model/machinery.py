"""Everything of the library that is replaced while a run lasts, so that it repeats by its seed."""

import contextlib
import secrets
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random

import pytest
from tests.model.scheduler import InlineExecutor, Scheduler, VirtualThreading
from tests.model.work import BLOB_BYTES
from tests.unit.fakes import Tuned, tune

from brownie_backup.repository.coordination import leases

Patch = Callable[[pytest.MonkeyPatch], None]


@contextlib.contextmanager
def replaced(scheduler: Scheduler, random: Random, mutation: Patch | None) -> Iterator[None]:
    """Make chance and threads the run's own, blobs small and lists of blobs short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_hex", lambda size: random.randbytes(size).hex())
        patch.setattr(secrets, "token_bytes", random.randbytes)
        patch.setattr(uuid, "uuid4", lambda: uuid.UUID(bytes=random.randbytes(16), version=4))
        threading = VirtualThreading(scheduler)
        patch.setattr(leases, "threading", threading)
        patch.setattr(
            leases,
            "make_thread",
            lambda work, name: threading.Thread(target=work, name=name, daemon=True),
        )
        for name, module in list(sys.modules.items()):
            for pool in ("ThreadPoolExecutor", "Threads"):
                if name.startswith("brownie_backup.") and hasattr(module, pool):
                    patch.setattr(module, pool, InlineExecutor)
        patch.setattr(Tuned, "now", Tuned.now)  # so that it is restored at the end
        tune(
            blob_bytes=BLOB_BYTES,
            inline_blobs=random.choice((3, 10_000)),
            lease_passing=timedelta(seconds=0.75),  # three looks, not forty
        )
        if mutation:
            mutation(patch)
        yield
