"""The guarantees of every encryptor (`brownie_backup.protocols.Encryptor`)."""
# ruff: noqa: S101 - these are tests

import random
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from brownie_backup.errors import DamagedError, DecryptionError
from brownie_backup.protocols import Encryptor
from brownie_backup.testing.optional import leave_out, only_if

_NOISE = random.Random(2).randbytes(70_001)  # noqa: S311 - the same in every run
_TEXT = b"COPY public.people (name) FROM stdin;\n" * 40
_REFUSED = (DecryptionError, DamagedError)


class EncryptorContract:
    """Tests that an encryptor keeps its guarantees.

    A subclass provides the fixtures `encryptor`, which can decrypt too; `twin`, another one with
    the same key; `stranger`, one with another key; and `secrets`, which must never be shown. One
    that doesn't encrypt sets ``protects = False``.
    """

    protects = True
    flips = 25
    """How many positions of the ciphertext are tried with a flipped bit, and as many with
    truncation."""

    def __init_subclass__(cls) -> None:
        """Leave out guarantees that the subclass does not give."""
        if not cls.protects:
            leave_out(cls, "protects")

    @pytest.fixture
    def encryptor(self) -> Encryptor:
        """Return an encryptor that can decrypt."""
        raise NotImplementedError

    @pytest.fixture
    def twin(self) -> Encryptor:
        """Return another one with the same key."""
        raise NotImplementedError

    @pytest.fixture
    def stranger(self) -> Encryptor:
        """Return one with another key."""
        raise NotImplementedError

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        """Return the secrets that must never be shown: passphrases, private keys."""
        return ()

    def test_its_method_is_short_and_stays(self, encryptor: Encryptor, twin: Encryptor) -> None:
        """It stands in every manifest."""
        assert re.fullmatch(r"[a-z][a-z0-9-]{1,20}", encryptor.method)
        assert encryptor.method == twin.method

    @pytest.mark.parametrize("data", [b"", b"\0", _TEXT, _NOISE], ids=len)
    def test_the_plaintext_comes_back(self, encryptor: Encryptor, data: bytes) -> None:
        """Whatever the bytes."""
        packed = encryptor.encrypt(data)
        assert type(packed) is bytes
        assert encryptor.decrypt(packed) == data

    def test_another_one_with_the_same_key_decrypts(
        self, encryptor: Encryptor, twin: Encryptor
    ) -> None:
        """The key is all that it takes, on any host."""
        assert twin.decrypt(encryptor.encrypt(_TEXT)) == _TEXT

    def test_equal_keys_have_equal_identities(self, encryptor: Encryptor, twin: Encryptor) -> None:
        """So that the next backup knows the blobs of the one before."""
        assert encryptor.identity(b"salt") == twin.identity(b"salt") == encryptor.identity(b"salt")
        assert re.fullmatch(r"[!-~]{1,2000}", encryptor.identity(b"salt"))

    def test_no_secret_is_shown(self, encryptor: Encryptor, secrets: Sequence[str]) -> None:
        """Not by the identity, which is in every manifest, nor by what a log may show."""
        shown = (encryptor.identity(b"salt"), encryptor.method, repr(encryptor), str(encryptor))
        for secret in secrets:
            for text in shown:
                assert secret not in text

    @only_if("protects")
    def test_other_keys_have_other_identities(
        self, encryptor: Encryptor, stranger: Encryptor
    ) -> None:
        """So that a changed key never meets blobs of the old one."""
        assert encryptor.identity(b"salt") != stranger.identity(b"salt")

    @only_if("protects")
    def test_the_ciphertext_hides_the_plaintext(self, encryptor: Encryptor) -> None:
        """No sixteen bytes of it are there."""
        for data in (_TEXT, _NOISE[:2000]):
            packed = encryptor.encrypt(data)
            assert not any(data[at : at + 16] in packed for at in range(0, len(data) - 16, 16))

    @only_if("protects")
    def test_another_key_does_not_decrypt(self, encryptor: Encryptor, stranger: Encryptor) -> None:
        """It raises; no byte comes out."""
        with pytest.raises(_REFUSED):
            stranger.decrypt(encryptor.encrypt(_TEXT))

    @only_if("protects")
    def test_a_flipped_bit_raises(self, encryptor: Encryptor) -> None:
        """At the beginning, at the end and anywhere between."""
        packed = encryptor.encrypt(_TEXT)
        for at in _positions(len(packed), self.flips):
            changed = bytearray(packed)
            changed[at] ^= 1 << at % 8
            with pytest.raises(_REFUSED):
                encryptor.decrypt(bytes(changed))

    @only_if("protects")
    def test_a_cut_tail_raises(self, encryptor: Encryptor) -> None:
        """Whether one byte is missing, or all."""
        packed = encryptor.encrypt(_TEXT)
        for length in _positions(len(packed), self.flips):
            with pytest.raises(_REFUSED):
                encryptor.decrypt(packed[:length])

    @only_if("protects")
    def test_bytes_that_follow_never_enter_the_plaintext(self, encryptor: Encryptor) -> None:
        """Data appended to a ciphertext is refused or ignored."""
        packed = encryptor.encrypt(_TEXT)
        for more in (b"\0", b"more", packed):
            try:
                assert encryptor.decrypt(packed + more) == _TEXT
            except _REFUSED:
                continue

    @only_if("protects")
    @pytest.mark.parametrize("data", [b"", b"\0", b"plain text\n" * 100], ids=len)
    def test_what_is_not_encrypted_is_refused(self, encryptor: Encryptor, data: bytes) -> None:
        """Cleartext in the store is never taken for a backup."""
        with pytest.raises(_REFUSED):
            encryptor.decrypt(data)

    def test_threads_may_share_it(self, encryptor: Encryptor) -> None:
        """Each gets its own bytes back."""

        def work(thread: int) -> None:
            data = _NOISE[thread * 1000 :]
            assert encryptor.decrypt(encryptor.encrypt(data)) == data

        with ThreadPoolExecutor(4) as pool:
            for _ in pool.map(work, range(8)):
                pass


def _positions(length: int, count: int) -> list[int]:
    """Return about this many positions: the first ones, the last ones, and some between."""
    edge = count // 3
    between = range(edge, length - edge, max((length - 2 * edge) // max(count - 2 * edge, 1), 1))
    return sorted({*range(edge), *range(length - edge, length), *between})
