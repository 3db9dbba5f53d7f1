"""The roles that we ship for hosts that may wrap data keys by Google or Azure, and not unwrap them.

Only the services themselves know what a role allows. This shows that what the roles name is enough
for us, and that they name nothing else.
"""

import json
from pathlib import Path

import pytest
import yaml
from azure.core.credentials import AccessToken
from google.oauth2.credentials import Credentials
from tests.docs.pages import ROOT
from tests.servers.azurekv import FakeKeyVault
from tests.servers.gcpkms import FakeCloudKms

from brownie_backup.encryptors.wrapping.azurekv import AzureKeyVault
from brownie_backup.encryptors.wrapping.gcpkms import GcpKms
from brownie_backup.errors import EncryptionError, KeyMissing
from brownie_backup.hints import KeyHint
from brownie_backup.model.keys import KeyContext

pytestmark = pytest.mark.once

ROLES = ROOT / "examples" / "keys"
CONTEXT = KeyContext(
    "repository", "67e8f073aa59cf016acfed894e12c51475877e299616c3fd972c079b84fd668a"
)
KEY = bytes(range(32))
ACTIONS = {
    "Microsoft.KeyVault/vaults/keys/read": "get",
    "Microsoft.KeyVault/vaults/keys/wrap/action": "wrapKey",
    "Microsoft.KeyVault/vaults/keys/unwrap/action": "unwrapKey",
}


class Token:
    """A credential of Azure."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_token(self, *_: str, **__: object) -> AccessToken:
        """Return it."""
        return AccessToken(self.text, 1 << 40)


def test_google_lets_the_host_wrap_and_not_unwrap() -> None:
    role = yaml.safe_load((ROLES / "google-encrypt-only.yaml").read_text(encoding="utf-8"))
    assert role.keys() == {"title", "description", "stage", "includedPermissions"}
    with FakeCloudKms() as fake:
        fake.rights["host"] = set(role["includedPermissions"])
        key = fake.new_key()
        host, owner = (
            GcpKms(key, credentials=Credentials(token), endpoint_url=fake.url)
            for token in ("host", fake.token)
        )
        wrapped = host.wrap(KEY, CONTEXT)
        assert owner.unwrap(wrapped, CONTEXT) == KEY
        with pytest.raises(KeyMissing) as caught:
            host.unwrap(wrapped, CONTEXT)
    assert caught.value.hint == KeyHint.GRANT_CLOUDKMS_RIGHTS()


def test_azure_lets_the_host_wrap_and_not_unwrap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = json.loads((ROLES / "azure-encrypt-only.json").read_text(encoding="utf-8"))
    assert not role["Actions"]
    with FakeKeyVault(tmp_path) as fake:
        fake.reached(monkeypatch)
        fake.rights["host"] = {ACTIONS[action] for action in role["DataActions"]}
        fake.rights["reader of the public key"] = {"get"}  # as the description says
        fake.rights["nobody"] = set()
        key = fake.new_key()
        owner = AzureKeyVault(key, credential=Token(fake.token))
        for token in ("host", "reader of the public key"):
            host = AzureKeyVault(key, credential=Token(token))
            wrapped = host.wrap(KEY, CONTEXT)
            assert owner.unwrap(wrapped, CONTEXT) == KEY
            with pytest.raises(KeyMissing) as caught:
                host.unwrap(wrapped, CONTEXT)
            assert caught.value.hint == KeyHint.GRANT_KEYVAULT_RIGHTS()
        with pytest.raises(EncryptionError):
            AzureKeyVault(key, credential=Token("nobody")).wrap(KEY, CONTEXT)
