"""Backups whose data keys a key service wraps: by hosts that may only encrypt, or only decrypt."""

from collections.abc import Iterator

import pytest
from tests.docs.pages import ROOT
from tests.integration.cli import Cli
from tests.integration.key_hosts import host as host_with
from tests.integration.key_hosts import key_objects, opens, private_key, ring, stored
from tests.integration.test_secrets import Watch
from tests.servers.awskms import KmsServer
from tests.servers.openbao import OpenBao
from tests.servers.process import free_ports
from tests.servers.running import Server, Servers

pytestmark = pytest.mark.once

RIGHTS = ROOT / "examples" / "keys"
ENCRYPT = (RIGHTS / "vault-encrypt-only.hcl").read_text(encoding="utf-8")
DECRYPT = (RIGHTS / "vault-decrypt-only.hcl").read_text(encoding="utf-8")
NOWHERE = f"http://127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture
def server(servers: Servers) -> Server:
    return servers.get(18)


@pytest.fixture
def vault_token(openbao: OpenBao) -> Iterator[str]:
    """A token that may only encrypt, with the key that our policies name."""
    openbao.ask("transit/keys/backups")
    yield openbao.new_token(ENCRYPT, no_default_policy=True)
    openbao.ask("transit/keys/backups/config", {"deletion_allowed": True})
    openbao.ask("transit/keys/backups", method="DELETE")


def by_vault(cli: Cli, openbao: OpenBao, token: str, **settings: str) -> Cli:
    """Return a host with that token, and no other key."""
    vault = {
        "BACKUP_KEY_RECIPIENTS": "vault:transit/backups",
        "BACKUP_VAULT_ADDRESS": openbao.tls_url,
        "BACKUP_VAULT_CA_FILE": openbao.ca_file,
        "BACKUP_VAULT_TOKEN": token,
    }
    return host_with(cli, **(vault | settings))


def test_vault_encrypts_for_one_host_and_decrypts_for_another(
    small_cli: Cli, openbao: OpenBao, vault_token: str, server: Server, small: str
) -> None:
    maker = by_vault(small_cli, openbao, vault_token)
    with Watch() as watch:
        made = maker.run("backup", "--name", "one", "--verbose")
        maker.json("backup", "--name", "two")
    assert made.status == 0, made
    result = maker.run("restore", "one", "--target-db", f"{small}_restored", "--json")
    assert (result.status, result.json["error"]["type"]) == (12, "KeyMissing"), result
    assert "transit/decrypt/backups" in result.json["error"]["hint"]
    (checked,) = maker.json("verify", "one")["verifications"]
    assert (checked["good"], checked["checked"]) == (True, "structure")

    token = openbao.new_token(DECRYPT, no_default_policy=True)
    reader = by_vault(small_cli, openbao, token)
    opens(reader, server, small, "two")
    refused = reader.run("backup", "--name", "three")
    assert refused.status == 1
    assert "transit/encrypt/backups" in refused.err
    assert reader.backups() == {"one": "good", "two": "good"}
    said = (made.out, made.err, result.out, result.err, refused.err, *watch.seen)
    assert [secret for secret in (vault_token, token) if secret in "\n".join(said)] == []


def test_vault_and_a_key_kept_for_the_day_when_vault_is_gone(
    small_cli: Cli, openbao: OpenBao, vault_token: str, server: Server, small: str
) -> None:
    recipients = {"BACKUP_KEY_RECIPIENTS": "vault:transit/backups,openpgp"}
    settings = recipients | private_key(small_cli)
    by_vault(small_cli, openbao, vault_token, **settings).json("backup", "--name", "one")
    opens(host_with(small_cli, **private_key(small_cli)), server, small, "one")
    without = by_vault(small_cli, openbao, vault_token, **settings, BACKUP_VAULT_ADDRESS=NOWHERE)
    opens(without, server, small, "one")


def test_without_vault_no_backup_is_made_and_nothing_stored(
    small_cli: Cli, openbao: OpenBao, vault_token: str
) -> None:
    maker = by_vault(small_cli, openbao, vault_token)
    result = maker.run("backup", BACKUP_VAULT_ADDRESS=NOWHERE)
    assert result.status == 1, result
    assert "vault" in result.err.lower()
    assert vault_token not in result.err
    assert stored(maker) == []
    assert key_objects(maker.store) == []
    maker.json("backup", "--name", "later")


def test_a_missing_address_is_said_to_be_missing(small_cli: Cli) -> None:
    result = host_with(small_cli, BACKUP_KEY_RECIPIENTS="vault:transit/backups").run("backup")
    assert result.status == 2
    assert "BACKUP_VAULT_ADDRESS is not set" in result.err
    assert "several settings" not in result.err


def test_a_misspelt_recipient_is_not_recorded(
    small_cli: Cli, openbao: OpenBao, vault_token: str
) -> None:
    """What cannot wrap must not enter the key ring, which cannot be changed."""
    maker = by_vault(small_cli, openbao, vault_token)
    result = maker.run("backup", BACKUP_KEY_RECIPIENTS="vault:transit/misspelt")
    assert result.status == 1, result
    assert not [*maker.store.glob("keyrings/*")]
    maker.json("backup", "--name", "one")
    assert [each["ref"] for each in ring(maker.store)["recipients"]] == ["transit/backups"]


# --- AWS KMS -------------------------------------------------------------------------------------


def test_aws_kms_opens_what_it_wrapped(
    small_cli: Cli, kms_server: KmsServer, server: Server, small: str
) -> None:
    arn = kms_server.new_key()
    settings = {"BACKUP_KEY_RECIPIENTS": f"awskms:{arn}", **kms_server.environment}
    maker = host_with(small_cli, **settings)
    made = maker.run("backup", "--name", "one", "--verbose")
    assert made.status == 0, made
    assert kms_server.environment["AWS_SECRET_ACCESS_KEY"] not in made.out + made.err
    (key,) = key_objects(maker.store)
    assert [(each["kind"], each["ref"]) for each in key["stanzas"]] == [("awskms", arn)]
    opens(maker, server, small)

    nowhere = host_with(small_cli, **(settings | {"AWS_ENDPOINT_URL_KMS": NOWHERE}))
    before = stored(maker)
    for status, command in (
        (1, ("backup", "--name", "two")),
        (12, ("restore", "one", "--target-db", f"{small}_restored")),
    ):
        result = nowhere.run(*command, "--json")
        assert result.status == status, result
        assert arn in result.json["error"]["message"]
    assert stored(maker) == before


def test_amazon_lets_a_host_encrypt_that_may_not_decrypt(
    small_cli: Cli, server: Server, small: str
) -> None:
    files = {"maker": "aws-encrypt-only.json", "reader": "aws-decrypt-only.json"}
    with KmsServer() as kms:  # moto looks at the rights of all users, and not at the resource
        arn, iam = kms.new_key(), kms.client("iam")
        named = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        hosts = {}
        for name, file in files.items():
            document = (RIGHTS / file).read_text(encoding="utf-8").replace(named, "*")
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="ours", PolicyDocument=document)
            made = iam.create_access_key(UserName=name)["AccessKey"]
            keys = {
                "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
            }
            settings = {"BACKUP_KEY_RECIPIENTS": f"awskms:{arn}", **kms.environment} | keys
            hosts[name] = host_with(small_cli, **settings)
        kms.enforce_rights()
        hosts["maker"].json("backup", "--name", "one")
        result = hosts["maker"].run("restore", "one", "--target-db", f"{small}_restored")
        assert result.status == 12, result
        opens(hosts["reader"], server, small, "one")
