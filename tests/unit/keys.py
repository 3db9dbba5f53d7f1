"""Key pairs for tests: made once, since a protected one takes gpg some seconds."""

from functools import cache

from brownie_backup.encryptors.keypair import KeyPair, make_key_pair
from brownie_backup.secret import Secret

PASSPHRASE = "correct horse, bättery: staple"


@cache
def plain_pair() -> KeyPair:
    """Return a pair whose private key is not protected."""
    return make_key_pair("plain key")


@cache
def protected_pair() -> KeyPair:
    """Return a pair whose private key is protected by the passphrase."""
    return make_key_pair("protected key", Secret(PASSPHRASE))
