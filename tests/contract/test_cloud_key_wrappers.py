"""Data keys that a service wraps: what holds for each service."""
# ruff: noqa: D101, D102 - the classes are named for what they test

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve
from tests.servers.awskms import KmsServer
from tests.servers.openbao import OpenBao

from brownie_backup.encryptors.wrapping.awskms import AwsKms
from brownie_backup.encryptors.wrapping.vault import Vault
from brownie_backup.errors import DamagedError, DecryptionError
from brownie_backup.model.keys import KeyContext
from brownie_backup.protocols.keys import KeyWrapper
from brownie_backup.secret import Secret

REFUSALS = (DecryptionError, DamagedError)
CONTEXT = KeyContext("0d4c0e9e-8f5f-4f4e-9d40-0c7c6a4f2f6b", "ab" * 32)


class Wrapping:
    """What every wrapper does."""

    @pytest.fixture
    def wrapper(self) -> KeyWrapper:
        """Return the wrapper to test."""
        raise NotImplementedError

    @pytest.fixture
    def stranger(self) -> KeyWrapper:
        """Return one for another key of the same service."""
        raise NotImplementedError

    @pytest.fixture
    def hidden(self) -> Sequence[str]:
        """Return texts that nobody may see."""
        raise NotImplementedError

    @pytest.fixture
    def key(self) -> bytes:
        """Return a data key."""
        return secrets.token_bytes(32)

    def test_what_is_wrapped_is_unwrapped(self, wrapper: KeyWrapper, key: bytes) -> None:
        wrapped = wrapper.wrap(key, CONTEXT)
        assert key not in wrapped
        assert wrapper.wrap(key, CONTEXT) != wrapped
        assert wrapper.unwrap(wrapped, CONTEXT) == key

    def test_it_says_for_which_recipient(self, wrapper: KeyWrapper, stranger: KeyWrapper) -> None:
        assert wrapper.recipient.kind == stranger.recipient.kind
        assert wrapper.recipient.ref != stranger.recipient.ref

    @pytest.mark.parametrize("field", ["repository_id", "key_id"])
    def test_another_context_is_refused(self, wrapper: KeyWrapper, key: bytes, field: str) -> None:
        wrapped = wrapper.wrap(key, CONTEXT)
        with pytest.raises(DamagedError):
            wrapper.unwrap(wrapped, evolve(CONTEXT, **{field: "other"}))

    def test_fields_of_the_context_do_not_run_together(
        self, wrapper: KeyWrapper, key: bytes
    ) -> None:
        wrapped = wrapper.wrap(key, KeyContext('a","b', "c"))
        with pytest.raises(DamagedError):
            wrapper.unwrap(wrapped, KeyContext("a", 'b","c'))

    def test_changed_bytes_are_refused(self, wrapper: KeyWrapper, key: bytes) -> None:
        wrapped = wrapper.wrap(key, CONTEXT)
        for at in sorted({0, 1, 6, 7, 8, 9, len(wrapped) // 2, len(wrapped) - 1}):
            for bit in (1, 32, 128):
                changed = bytearray(wrapped)
                changed[at] ^= bit
                with pytest.raises(REFUSALS):
                    wrapper.unwrap(bytes(changed), CONTEXT)

    @pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.98])
    def test_cut_bytes_are_refused(self, wrapper: KeyWrapper, key: bytes, share: float) -> None:
        wrapped = wrapper.wrap(key, CONTEXT)
        with pytest.raises(DamagedError):
            wrapper.unwrap(wrapped[: int(len(wrapped) * share)], CONTEXT)

    def test_more_bytes_are_refused(self, wrapper: KeyWrapper, key: bytes) -> None:
        wrapped = wrapper.wrap(key, CONTEXT)
        for more in (b"\0", b"\n", b"A", b"="):
            with pytest.raises(DamagedError):
                wrapper.unwrap(wrapped + more, CONTEXT)

    @pytest.mark.parametrize("foreign", [b"x", b"\xff\0" * 40, b"vault:v1:", b"{}"])
    def test_foreign_bytes_are_refused(self, wrapper: KeyWrapper, foreign: bytes) -> None:
        with pytest.raises(DamagedError):
            wrapper.unwrap(foreign, CONTEXT)

    def test_the_key_of_another_is_refused(
        self, wrapper: KeyWrapper, stranger: KeyWrapper, key: bytes
    ) -> None:
        wrapped = stranger.wrap(key, CONTEXT)
        with pytest.raises(REFUSALS):
            wrapper.unwrap(wrapped, CONTEXT)
        assert stranger.unwrap(wrapped, CONTEXT) == key

    def test_many_threads_share_it(self, wrapper: KeyWrapper) -> None:
        keys = [secrets.token_bytes(32) for _ in range(24)]
        contexts = [KeyContext("repository", str(number)) for number in range(24)]
        with ThreadPoolExecutor(8) as pool:
            wrapped = list(pool.map(wrapper.wrap, keys, contexts))
            assert list(pool.map(wrapper.unwrap, wrapped, contexts)) == keys

    def test_no_secret_is_shown(
        self, wrapper: KeyWrapper, key: bytes, hidden: Sequence[str]
    ) -> None:
        wrapped = wrapper.wrap(key, CONTEXT)
        with pytest.raises(DamagedError) as caught:
            wrapper.unwrap(wrapped, evolve(CONTEXT, key_id="other"))
        error = caught.value
        shown = f"{wrapper!r} {wrapper.recipient!r} {error!r} {error} {vars(error)}"
        assert error.hint
        assert error.__cause__ is None
        assert error.__context__ is None
        for text in (*hidden, key.hex(), repr(key)):
            assert text not in shown


class TestAwsKms(Wrapping):
    @pytest.fixture(autouse=True)
    def _settings(self, kms_server: KmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in kms_server.environment.items():
            monkeypatch.setenv(name, value)

    @pytest.fixture
    def wrapper(self, kms_server: KmsServer) -> AwsKms:
        return AwsKms(kms_server.new_key())

    @pytest.fixture
    def stranger(self, kms_server: KmsServer) -> AwsKms:
        return AwsKms(kms_server.new_key())

    @pytest.fixture
    def hidden(self, kms_server: KmsServer) -> Sequence[str]:
        settings = kms_server.environment
        return [settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"]]


class TestVault(Wrapping):
    @pytest.fixture
    def wrapper(self, openbao: OpenBao) -> Vault:
        return Vault(openbao.url, openbao.new_key(), token=Secret(openbao.token))

    @pytest.fixture
    def stranger(self, openbao: OpenBao) -> Vault:
        return Vault(
            openbao.tls_url,
            openbao.new_key(),
            token=Secret(openbao.token),
            ca_file=openbao.ca_file,
        )

    @pytest.fixture
    def hidden(self, openbao: OpenBao) -> Sequence[str]:
        return [openbao.token]
