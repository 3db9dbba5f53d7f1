"""Implementations of `brownie_backup.protocols.Encryptor`."""

from brownie_backup.encryptors.cleartext import Cleartext
from brownie_backup.encryptors.gnupg import GnuPG

__all__ = ["Cleartext", "GnuPG"]
