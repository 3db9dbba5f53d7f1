"""The guarantees of every key wrapper (`brownie_backup.protocols.KeyWrapper`)."""
# ruff: noqa: S101 - these are tests

import base64
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve

from brownie_backup.errors import DamagedError, DecryptionError, EncryptionError
from brownie_backup.format.envelope import key_id
from brownie_backup.model.keys import KeyContext
from brownie_backup.protocols import KeyWrapper
from brownie_backup.testing.optional import leave_out, only_if

KEY = bytes(range(100, 132))
OTHER_KEY = bytes(range(32))
_REFUSED = (DecryptionError, DamagedError)
_MOST_WRAPPED_BYTES = 16_384


def context_of(key: bytes) -> KeyContext:
    """Return the context of a data key in some repository."""
    return KeyContext("6a1f0d9e-4a51-4b5e-8a39-0c2f3b1d7e55", key_id(key).hex())


class KeyWrapperContract:
    """Tests that a key wrapper keeps its guarantees.

    A subclass provides the fixtures `wrapper`, which can unwrap too; `twin`, another one with the
    same key; `stranger`, one with another key; and `secrets`, which must never be shown. If a host
    can wrap without being able to unwrap, it sets ``wraps_alone = True``, and provides
    `only_wraps`, as such a host has it.
    """

    wraps_alone = False
    flips = 25
    """How many positions of the wrapped key are tried with a flipped bit, and as many with
    truncation."""

    def __init_subclass__(cls) -> None:
        """Leave out guarantees that the subclass does not give."""
        if not cls.wraps_alone:
            leave_out(cls, "wraps_alone")

    @pytest.fixture
    def wrapper(self) -> KeyWrapper:
        """Return a wrapper that can unwrap."""
        raise NotImplementedError

    @pytest.fixture
    def twin(self) -> KeyWrapper:
        """Return another one with the same key."""
        raise NotImplementedError

    @pytest.fixture
    def stranger(self) -> KeyWrapper:
        """Return one with another key."""
        raise NotImplementedError

    @pytest.fixture
    def only_wraps(self) -> KeyWrapper:
        """Return one for the same recipient that has no right, or no key, to unwrap."""
        raise NotImplementedError

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        """Return the secrets that must never be shown: passphrases, private keys, tokens."""
        return ()

    def test_its_recipient_is_public_and_stays(self, wrapper: KeyWrapper, twin: KeyWrapper) -> None:
        """It is stored beside the wrapped key."""
        recipient = wrapper.recipient
        assert recipient == twin.recipient == wrapper.recipient
        assert re.fullmatch(r"[a-z][a-z0-9-]{1,20}", recipient.kind)
        assert re.fullmatch(r"[!-~]{1,2000}", recipient.ref)

    def test_the_key_comes_back(self, wrapper: KeyWrapper) -> None:
        """Whatever its bytes. What is stored is small."""
        for key in (KEY, OTHER_KEY, bytes(32), b"\xff" * 32, b"\n" * 32):
            wrapped = wrapper.wrap(key, context_of(key))
            assert type(wrapped) is bytes
            assert len(wrapped) <= _MOST_WRAPPED_BYTES
            assert wrapper.unwrap(wrapped, context_of(key)) == key

    def test_another_one_with_the_same_key_unwraps(
        self, wrapper: KeyWrapper, twin: KeyWrapper
    ) -> None:
        """On any host, at any time."""
        assert twin.unwrap(wrapper.wrap(KEY, context_of(KEY)), context_of(KEY)) == KEY

    def test_the_wrapped_key_hides_the_key(self, wrapper: KeyWrapper) -> None:
        """In every form of it."""
        wrapped = wrapper.wrap(KEY, context_of(KEY))
        for form in _forms(KEY):
            assert form.encode("latin-1") not in wrapped

    def test_a_key_is_not_wrapped_as_another_one(self, wrapper: KeyWrapper) -> None:
        """Nobody could find out before a restore."""
        for key in (OTHER_KEY, KEY[:-1], b""):
            with pytest.raises(EncryptionError):
                wrapper.wrap(key, context_of(KEY))

    def test_another_context_is_refused(self, wrapper: KeyWrapper) -> None:
        """A wrapped key that was copied to another repository, or to the place of another key."""
        context = context_of(KEY)
        wrapped = wrapper.wrap(KEY, context)
        for changed in (
            evolve(context, repository_id=""),
            evolve(context, repository_id=context.repository_id + "\n"),
            evolve(context, repository_id="7b2a1d9e-4a51-4b5e-8a39-0c2f3b1d7e55"),
            evolve(context, key_id=""),
            evolve(context, key_id=context.key_id[:-1]),
            context_of(OTHER_KEY),
            KeyContext("", ""),
        ):
            with pytest.raises(_REFUSED):
                wrapper.unwrap(wrapped, changed)

    def test_another_keys_wrapped_key_is_refused(self, wrapper: KeyWrapper) -> None:
        """Although it is whole, and for the same recipient."""
        wrapped = wrapper.wrap(OTHER_KEY, context_of(OTHER_KEY))
        with pytest.raises(_REFUSED):
            wrapper.unwrap(wrapped, context_of(KEY))

    def test_a_stranger_does_not_unwrap(self, wrapper: KeyWrapper, stranger: KeyWrapper) -> None:
        """It raises; no byte comes out."""
        wrapped = wrapper.wrap(KEY, context_of(KEY))
        with pytest.raises(_REFUSED):
            stranger.unwrap(wrapped, context_of(KEY))

    @only_if("wraps_alone")
    def test_a_host_that_only_wraps_does_not_unwrap(
        self, wrapper: KeyWrapper, only_wraps: KeyWrapper
    ) -> None:
        """It says that a key or a right is missing, not that anything is damaged."""
        wrapped = only_wraps.wrap(KEY, context_of(KEY))
        assert only_wraps.recipient == wrapper.recipient
        assert wrapper.unwrap(wrapped, context_of(KEY)) == KEY
        with pytest.raises(DecryptionError):
            only_wraps.unwrap(wrapped, context_of(KEY))

    def test_a_flipped_bit_gives_no_other_key(self, wrapper: KeyWrapper) -> None:
        """Nearly every one raises; where none of the key is, such as in a checksum, it may not."""
        wrapped = wrapper.wrap(KEY, context_of(KEY))
        refused, positions = 0, [*_positions(len(wrapped), self.flips)]
        for at in positions:
            changed = bytearray(wrapped)
            changed[at] ^= 1 << at % 8
            try:
                assert wrapper.unwrap(bytes(changed), context_of(KEY)) == KEY
            except _REFUSED:
                refused += 1
        assert refused > len(positions) / 2

    def test_a_cut_tail_raises(self, wrapper: KeyWrapper) -> None:
        """Whether one byte is missing, or all."""
        wrapped = wrapper.wrap(KEY, context_of(KEY))
        for length in _positions(len(wrapped), self.flips):
            with pytest.raises(_REFUSED):
                wrapper.unwrap(wrapped[:length], context_of(KEY))

    def test_bytes_that_follow_change_nothing(self, wrapper: KeyWrapper) -> None:
        """They are refused or ignored."""
        wrapped = wrapper.wrap(KEY, context_of(KEY))
        for more in (b"\0", b"more", wrapped):
            try:
                assert wrapper.unwrap(wrapped + more, context_of(KEY)) == KEY
            except _REFUSED:
                continue

    @pytest.mark.parametrize("data", [b"", b"\0", KEY, b"foreign\n" * 100], ids=len)
    def test_foreign_bytes_are_refused(self, wrapper: KeyWrapper, data: bytes) -> None:
        """A key in clear, too: it is never taken for a wrapped one."""
        with pytest.raises(_REFUSED):
            wrapper.unwrap(data, context_of(KEY))

    def test_no_secret_is_shown(
        self, wrapper: KeyWrapper, stranger: KeyWrapper, secrets: Sequence[str]
    ) -> None:
        """Not by what a log may show, and by no error, nor by what led to it."""
        context = context_of(KEY)
        wrapped = wrapper.wrap(KEY, context)
        shown = [repr(wrapper), str(wrapper), repr(wrapper.recipient)]
        for who, data, bound_to in (
            (stranger, wrapped, context),
            (wrapper, wrapped, context_of(OTHER_KEY)),
            (wrapper, wrapped[:-1], context),
            (wrapper, KEY, context),
        ):
            with pytest.raises(_REFUSED) as caught:
                who.unwrap(data, bound_to)
            shown += _said(caught.value)
        with pytest.raises(EncryptionError) as refused:
            wrapper.wrap(KEY, context_of(OTHER_KEY))
        shown += _said(refused.value)
        for secret in (*secrets, *_forms(KEY)):
            for text in shown:
                assert secret not in text

    def test_threads_may_share_it(self, wrapper: KeyWrapper) -> None:
        """Each gets its own key back."""

        def work(thread: int) -> None:
            key = bytes([thread]) * 32
            assert wrapper.unwrap(wrapper.wrap(key, context_of(key)), context_of(key)) == key

        with ThreadPoolExecutor(4) as pool:
            for _ in pool.map(work, range(8)):
                pass


def _forms(key: bytes) -> tuple[str, ...]:
    """Return the ways in which a key could be shown."""
    encoded = base64.b64encode(key).decode().rstrip("=")
    return (key.decode("latin-1"), key.hex(), key.hex().upper(), encoded, repr(key)[2:-1])


def _said(error: BaseException) -> Iterator[str]:
    """Yield what an error says, and the errors that led to it."""
    told: BaseException | None = error
    while told is not None:
        yield from (str(told), repr(told), repr(told.args))
        told = told.__cause__ or told.__context__


def _positions(length: int, count: int) -> list[int]:
    """Return about this many positions: the first ones, the last ones, and some between."""
    edge = count // 3
    between = range(edge, length - edge, max((length - 2 * edge) // max(count - 2 * edge, 1), 1))
    return sorted({*range(edge), *range(length - edge, length), *between})
