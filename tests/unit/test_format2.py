"""Known answers of format 2, and other programs that open its blobs."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from brownie_backup.encryptors import GnuPG
from brownie_backup.encryptors.wrapping.openpgp import OpenPGPWrapper
from brownie_backup.encryptors.wrapping.passphrase import PassphraseWrapper
from brownie_backup.errors import DecryptionError
from brownie_backup.format.envelope import key_id, open_, read_header, seal
from brownie_backup.format.wrapped_key import context_text
from brownie_backup.model.keys import KeyContext
from brownie_backup.secret import Secret

FOLDER = Path(__file__).parents[1] / "data" / "format2"
RECOVER = FOLDER / "recover.py"
VECTORS: dict[str, Any] = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))
KEY = bytes.fromhex(VECTORS["data_key"])
CONTEXT = KeyContext(VECTORS["repository_id"], VECTORS["key_id"])
BLOBS: list[dict[str, str]] = VECTORS["blobs"]
NAME = BLOBS[0]["name"]

BY_OPENSSL = """
set -eu
derive() {
  openssl kdf -binary -keylen 32 -kdfopt digest:SHA256 -kdfopt "hexkey:$DATA_KEY" \
    -kdfopt "hexsalt:$2" -kdfopt "info:$1" HKDF | od -An -v -t x1 | tr -d ' \\n'
}
field() { tail -c +"$1" stored | head -c "$2" | od -An -v -t x1 | tr -d ' \\n'; }
test "$(head -c 8 stored)" = brownie2
test "$(field 9 32)" = "$(derive brownie-backup/key-id/1 '')"
tail -c +73 stored | head -c -48 | openssl enc -d -aes-256-ctr \
  -K "$(derive brownie-backup/blob/1 "$(field 41 32)")" -iv 00000000000000000000000000000002
"""


def content_of(blob: dict[str, str]) -> bytes:
    """Return the content of a vector; a long one is a repeated text."""
    if "repeated" in blob:
        return blob["repeated"].encode() * int(blob["times"])
    return bytes.fromhex(blob["content"])


def run(
    *command: str, stored: bytes, key: str, folder: Path
) -> "subprocess.CompletedProcess[bytes]":
    (folder / "stored").write_bytes(stored)
    env = {"DATA_KEY": key, "PATH": os.environ["PATH"]}
    return subprocess.run(
        command, input=stored, capture_output=True, check=False, cwd=folder, env=env
    )


def recovered(stored: bytes, name: str, folder: Path, key: bytes = KEY) -> bytes | None:
    """Return what the second implementation makes of it; None if it refuses."""
    command = (sys.executable, "-I", str(RECOVER), name)
    done = run(*command, stored=stored, key=key.hex(), folder=folder)
    assert done.returncode == 0 or not done.stdout
    return done.stdout if done.returncode == 0 else None


@pytest.fixture(scope="module")
def openssl() -> None:
    """Skip without an openssl that derives keys (3.0 and newer)."""
    if not shutil.which("openssl"):
        pytest.skip("not installed: openssl")
    asked = ("openssl", "kdf", "-help")
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("this openssl derives no keys")


def test_the_known_key_has_the_known_id() -> None:
    assert key_id(KEY).hex() == VECTORS["key_id"]


@pytest.mark.parametrize("blob", BLOBS, ids=lambda blob: str(blob["is"]))
def test_known_answers(blob: dict[str, str]) -> None:
    content = content_of(blob)
    stored = seal(content, KEY, blob["name"], salt=bytes.fromhex(blob["salt"]))
    assert hashlib.sha256(stored).hexdigest() == blob["sha256"]
    if "stored" in blob:
        assert stored.hex() == blob["stored"]
    assert open_(stored, KEY, blob["name"]) == content


@pytest.mark.parametrize("blob", BLOBS, ids=lambda blob: str(blob["is"]))
def test_the_second_implementation_opens_them(blob: dict[str, str], tmp_path: Path) -> None:
    content = content_of(blob)
    known = seal(content, KEY, blob["name"], salt=bytes.fromhex(blob["salt"]))
    stored = bytes.fromhex(blob.get("stored", known.hex()))
    assert recovered(stored, blob["name"], tmp_path) == content
    assert recovered(seal(content, KEY, blob["name"]), blob["name"], tmp_path) == content


def test_the_second_implementation_refuses_the_same(tmp_path: Path) -> None:
    stored = seal(b"rows", KEY, NAME)
    assert recovered(stored, NAME, tmp_path) == b"rows"
    for other in (stored[:-1], stored[:40], b"", b"x" + stored[1:], stored + b"\0"):
        assert recovered(other, NAME, tmp_path) is None
    assert recovered(stored, NAME[::-1], tmp_path) is None
    assert recovered(stored, NAME, tmp_path, KEY[::-1]) is None


def test_the_second_implementation_is_short_and_knows_nothing_of_ours() -> None:
    text = RECOVER.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 30
    assert "import brownie" not in text
    assert "from brownie" not in text


@pytest.mark.parametrize("blob", BLOBS, ids=lambda blob: str(blob["is"]))
def test_openssl_alone_opens_them(blob: dict[str, str], tmp_path: Path, openssl: None) -> None:
    stored = seal(content_of(blob), KEY, blob["name"])
    done = run("sh", "-c", BY_OPENSSL, stored=stored, key=KEY.hex(), folder=tmp_path)
    assert done.stderr == b""
    assert done.stdout == content_of(blob)


# --- wrapped keys --------------------------------------------------------------------------------


def test_what_a_wrapped_key_is_bound_to() -> None:
    assert context_text(CONTEXT) == VECTORS["context"]


def test_a_known_key_wrapped_by_a_passphrase() -> None:
    known = VECTORS["passphrase"]
    wrapper = PassphraseWrapper(Secret(known["passphrase"]), bytes.fromhex(known["ring_salt"]))
    stored = bytes.fromhex(known["wrapped"])
    assert wrapper.unwrap(stored, CONTEXT) == KEY
    salt = read_header(stored).salt
    assert seal(KEY, bytes.fromhex(known["wrapping_key"]), context_text(CONTEXT), salt=salt) == (
        stored
    )


def test_the_second_implementation_unwraps_it_too(tmp_path: Path) -> None:
    """With the stretched passphrase in place of the data key, and the context as the name."""
    known = VECTORS["passphrase"]
    wrapping_key = bytes.fromhex(known["wrapping_key"])
    stored = bytes.fromhex(known["wrapped"])
    assert recovered(stored, VECTORS["context"], tmp_path, wrapping_key) == KEY


def test_openssl_stretches_the_passphrase(openssl: None) -> None:
    known = VECTORS["passphrase"]
    stretch = (
        *("openssl", "kdf", "-keylen", "32", "-kdfopt", f"pass:{known['passphrase']}"),
        *("-kdfopt", f"hexsalt:{known['ring_salt']}", "-kdfopt", "n:131072", "-kdfopt", "r:8"),
        *("-kdfopt", "p:1", "-kdfopt", "maxmem_bytes:200000000", "SCRYPT"),
    )
    said = subprocess.run(stretch, capture_output=True, check=True, text=True).stdout
    assert said.strip().replace(":", "").lower() == known["wrapping_key"]


def test_a_known_key_wrapped_for_a_public_key() -> None:
    """And what gpg alone says of it."""
    known = VECTORS["openpgp"]
    private_key = (FOLDER / "private.asc").read_text(encoding="utf-8")
    with GnuPG(private_key=Secret(private_key)) as gnupg:
        assert OpenPGPWrapper(gnupg).recipient.ref == known["fingerprint"]
        wrapped = b64decode(known["wrapped"])
        assert OpenPGPWrapper(gnupg).unwrap(wrapped, CONTEXT) == KEY
        assert gnupg.decrypt(wrapped).decode() == f"{VECTORS['context']}data-key {KEY.hex()}\n"


def test_a_wrong_passphrase_is_told_from_damage() -> None:
    known = VECTORS["passphrase"]
    wrapper = PassphraseWrapper(Secret("another"), bytes.fromhex(known["ring_salt"]))
    with pytest.raises(DecryptionError, match="the passphrase is not the one"):
        wrapper.unwrap(bytes.fromhex(known["wrapped"]), CONTEXT)
