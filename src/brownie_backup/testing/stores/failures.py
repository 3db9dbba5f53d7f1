"""Failures: clear, without secrets, and nothing half-written."""
# ruff: noqa: S101 - these are tests

import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import pytest

from brownie_backup.errors import (
    AccessDenied,
    BucketNotFound,
    KeyExists,
    KeyNotFound,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.protocols import Store
from brownie_backup.testing.optional import only_if
from brownie_backup.testing.stores.fixtures import StoreFixtures

_CUT_OFF_BYTES = 8 << 20
_CALLS: tuple[Callable[[Store], object], ...] = (
    lambda store: store.put("key", b"data"),
    lambda store: store.put("key", b"data", if_absent=True),
    lambda store: store.get("key"),
    lambda store: list(store.list("")),
    lambda store: list(store.list("key")),
    lambda store: store.delete("key"),
)


class FailurePromises(StoreFixtures):
    """Guarantees about failures."""

    @only_if("failing_puts")
    @pytest.mark.parametrize("if_absent", [False, True])
    def test_a_put_that_fails_leaves_nothing(
        self,
        store: Store,
        failing_puts: AbstractContextManager[None],
        if_absent: bool,  # noqa: FBT001 - pytest passes it by name
    ) -> None:
        """Half an object is never seen, and an old one stays."""
        store.put("old", b"as it was")
        key = "new" if if_absent else "old"
        with failing_puts, pytest.raises(StoreError):
            store.put(key, b"x" * 100_000, if_absent=if_absent)
        assert [found.key for found in store.list("")] == ["old"]
        assert store.get("old") == b"as it was"
        store.put("new", b"works again", if_absent=True)
        assert store.get("new") == b"works again"

    @only_if("cut_off_puts")
    def test_a_put_that_is_cut_off_leaves_nothing(
        self, store: Store, cut_off_puts: AbstractContextManager[Store]
    ) -> None:
        """The same call may succeed later, says the error; until then all is as it was."""
        data = bytes(range(256)) * (_CUT_OFF_BYTES // 256)
        store.put("old", b"as it was")
        with cut_off_puts as unlucky:
            for key, if_absent in (("old", False), ("new", False), ("other", True)):
                with pytest.raises(StoreUnavailable):
                    unlucky.put(key, data, if_absent=if_absent)
        assert [found.key for found in store.list("")] == ["old"]
        assert store.get("old") == b"as it was"
        store.put("other", data, if_absent=True)
        assert store.get("other") == data

    @only_if("wrong_credentials")
    def test_wrong_credentials_are_refused(
        self, wrong_credentials: Store, secrets: Sequence[str]
    ) -> None:
        """`AccessDenied` from every method, and no secret in whatever a log may show of it."""
        for call in _CALLS:
            with pytest.raises(AccessDenied) as raised:
                call(wrong_credentials)
            assert raised.value.hint
            told = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
            assert [secret for secret in secrets if secret in told] == []

    @only_if("missing_bucket")
    def test_a_missing_bucket_is_named(self, missing_bucket: Store) -> None:
        """`BucketNotFound` from every method: it is neither empty, nor does it have no such key."""
        for call in _CALLS:
            with pytest.raises(BucketNotFound) as raised:
                call(missing_bucket)
            assert raised.value.hint

    @only_if("clock_an_hour_off")
    def test_a_wrong_clock_does_no_harm(
        self, store: Store, clock_an_hour_off: AbstractContextManager[None]
    ) -> None:
        """Each call does what it should, or raises an error that names the clock."""
        store.put("old", b"as it was")
        with clock_an_hour_off:
            for call in _CALLS:
                try:
                    call(store)
                except (KeyExists, KeyNotFound):
                    continue
                except StoreError as error:
                    assert "clock" in str(error)  # noqa: PT017 - the call may also work
        assert {found.key for found in store.list("")} <= {"old", "key"}
        assert store.get("old") == b"as it was"
        store.put("key", b"again")
        assert store.get("key") == b"again"
