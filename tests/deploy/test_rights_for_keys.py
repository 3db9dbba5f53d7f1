"""The policies that we ship for hosts that may wrap data keys, and not unwrap them."""

import json

import boto3
import pytest
from tests.docs.pages import ROOT
from tests.servers.awskms import REGION, KmsServer
from tests.servers.openbao import OpenBao

from brownie_backup.encryptors.wrapping.awskms import AwsKms
from brownie_backup.encryptors.wrapping.vault import Vault
from brownie_backup.errors import DecryptionError, EncryptionError, KeyMissing
from brownie_backup.hints import KeyHint
from brownie_backup.model.keys import KeyContext
from brownie_backup.secret import Secret

pytestmark = pytest.mark.once

POLICIES = ROOT / "examples" / "keys"
KEY = bytes(range(32))
CONTEXT = KeyContext(
    "repository", "67e8f073aa59cf016acfed894e12c51475877e299616c3fd972c079b84fd668a"
)


def test_vault_lets_the_host_wrap_and_not_unwrap(openbao: OpenBao) -> None:
    policy = (POLICIES / "vault-encrypt-only.hcl").read_text(encoding="utf-8")
    openbao.ask("transit/keys/backups")
    openbao.ask("transit/keys/others")
    # A token without the policy that others have by default: the file's rights are enough.
    token = openbao.new_token(policy, no_default_policy=True)
    host = Vault(openbao.url, "backups", token=Secret(token))
    owner = Vault(openbao.url, "backups", token=Secret(openbao.token))
    wrapped = host.wrap(KEY, CONTEXT)
    assert owner.unwrap(wrapped, CONTEXT) == KEY
    with pytest.raises(KeyMissing, match="no right") as caught:
        host.unwrap(wrapped, CONTEXT)
    assert caught.value.hint == KeyHint.GRANT_VAULT_RIGHTS(path="transit/decrypt/backups")
    for key in ("others", "misspelt"):
        with pytest.raises(EncryptionError, match="no right"):
            Vault(openbao.url, key, token=Secret(token)).wrap(KEY, CONTEXT)
    assert "misspelt" not in openbao.ask("transit/keys", method="LIST")["data"]["keys"]

    openbao.ask("auth/token/revoke", {"token": token})
    with pytest.raises(DecryptionError, match="not valid") as revoked:
        host.unwrap(wrapped, CONTEXT)
    assert type(revoked.value) is DecryptionError


def test_amazon_lets_the_host_wrap_and_not_unwrap() -> None:
    policy = json.loads((POLICIES / "aws-encrypt-only.json").read_text(encoding="utf-8"))
    (statement,) = policy["Statement"]
    assert statement["Resource"].startswith("arn:aws:kms:")
    statement["Resource"] = "*"  # moto does not look at it
    with KmsServer() as server:
        key, iam = server.new_key(), server.client("iam")
        iam.create_user(UserName="host")
        document = json.dumps(policy)
        iam.put_user_policy(UserName="host", PolicyName="ours", PolicyDocument=document)
        made = iam.create_access_key(UserName="host")["AccessKey"]
        owner = AwsKms(key, client=server.client())
        known = owner.wrap(KEY, CONTEXT)
        server.enforce_rights()
        client = boto3.session.Session().client(
            "kms",
            endpoint_url=server.endpoint_url,
            region_name=REGION,
            aws_access_key_id=made["AccessKeyId"],
            aws_secret_access_key=made["SecretAccessKey"],
        )
        host = AwsKms(key, client=client)
        assert host.wrap(KEY, CONTEXT) != known
        # moto words it as other services do; tests/contract/test_awskms.py has the right words.
        with pytest.raises(DecryptionError, match="not authorized to perform: kms:Decrypt"):
            host.unwrap(known, CONTEXT)
