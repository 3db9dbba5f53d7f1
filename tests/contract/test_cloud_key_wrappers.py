"""Every key wrapper of a service keeps the promises of `brownie_backup.protocols.KeyWrapper`."""
# ruff: noqa: D101, D102 - the classes are named for what they test

from collections.abc import Sequence

import pytest
from tests.servers.awskms import KmsServer
from tests.servers.openbao import OpenBao

from brownie_backup.encryptors.wrapping.awskms import AwsKms
from brownie_backup.encryptors.wrapping.vault import Vault
from brownie_backup.secret import Secret
from brownie_backup.testing import KeyWrapperContract


@pytest.fixture(autouse=True)
def _settings(kms_server: KmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in kms_server.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def arns(kms_server: KmsServer) -> Sequence[str]:
    return [kms_server.new_key(), kms_server.new_key()]


@pytest.fixture(scope="module")
def names(openbao: OpenBao) -> Sequence[str]:
    return [openbao.new_key(), openbao.new_key()]


class TestAwsKms(KeyWrapperContract):
    @pytest.fixture
    def wrapper(self, arns: Sequence[str]) -> AwsKms:
        return AwsKms(arns[0])

    @pytest.fixture
    def twin(self, arns: Sequence[str]) -> AwsKms:
        return AwsKms(arns[0])

    @pytest.fixture
    def stranger(self, arns: Sequence[str]) -> AwsKms:
        return AwsKms(arns[1])

    @pytest.fixture
    def secrets(self, kms_server: KmsServer) -> Sequence[str]:
        settings = kms_server.environment
        return [settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"]]


class TestVault(KeyWrapperContract):
    wraps_alone = True

    @pytest.fixture
    def wrapper(self, openbao: OpenBao, names: Sequence[str]) -> Vault:
        return Vault(openbao.url, names[0], token=Secret(openbao.token))

    @pytest.fixture
    def twin(self, openbao: OpenBao, names: Sequence[str]) -> Vault:
        token = Secret(openbao.token)
        return Vault(openbao.tls_url, names[0], token=token, ca_file=openbao.ca_file)

    @pytest.fixture
    def stranger(self, openbao: OpenBao, names: Sequence[str]) -> Vault:
        return Vault(openbao.url, names[1], token=Secret(openbao.token))

    @pytest.fixture
    def only_wraps(self, openbao: OpenBao, names: Sequence[str]) -> Vault:
        policy = 'path "transit/encrypt/*" { capabilities = ["update"] }'
        return Vault(openbao.url, names[0], token=Secret(openbao.new_token(policy)))

    @pytest.fixture
    def secrets(self, openbao: OpenBao) -> Sequence[str]:
        return [openbao.token]
