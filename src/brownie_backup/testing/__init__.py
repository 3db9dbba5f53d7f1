"""Contract tests for stores, compressors, encryptors, key wrappers and dumpers, including yours.

There is a faulty store, too.

Each class here holds the tests of one protocol's guarantees. To test an implementation, subclass
the class in a test file, and provide the fixtures that it needs::

    import pytest

    from brownie_backup.testing import StoreContract


    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self) -> MyStore:
            return MyStore(...)

This package needs pytest, which the library itself does not.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in ("compressors", "dumpers", "encryptors", "key_wrappers", "stores")
    )
)

from brownie_backup.testing.compressors import CompressorContract  # noqa: E402 - rewritten first
from brownie_backup.testing.dumpers import DumperContract  # noqa: E402
from brownie_backup.testing.encryptors import EncryptorContract  # noqa: E402
from brownie_backup.testing.faults import FaultyStore  # noqa: E402
from brownie_backup.testing.key_wrappers import KeyWrapperContract  # noqa: E402
from brownie_backup.testing.stores import StoreContract  # noqa: E402

__all__ = [
    "CompressorContract",
    "DumperContract",
    "EncryptorContract",
    "FaultyStore",
    "KeyWrapperContract",
    "StoreContract",
]
