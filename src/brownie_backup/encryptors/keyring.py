"""A private GnuPG home, and how to look at keys."""

import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
import threading
import weakref
from datetime import UTC, datetime
from pathlib import Path

import gnupg

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import KeyHint
from brownie_backup.secret import Secret

# gpg-agent's sockets live in the home, and a socket's path is at most 107 characters.
_LONGEST_HOME = 70
_BUFFER_BYTES = 1 << 20
# An agent that does not know the option would not start without the first line.
_AGENT = "ignore-invalid-option s2k-count\ns2k-count {stretch}\n"
STRONGEST = 65_011_712
"""The most that OpenPGP knows: about 0.15 s."""

# It logs each failed write with a traceback; every failure reaches our callers as an error.
logging.getLogger("gnupg").setLevel(logging.CRITICAL)


class Keyring:
    """A GnuPG home in a temporary folder, created at its first use.

    Args:
        stretch: how many bytes are hashed to stretch the passphrase of a private key in it, or
            exported from it (RFC 4880, 3.7.1.3). This slows down both its use and guessing it.
    """

    def __init__(self, *, stretch: int = STRONGEST) -> None:
        self.has_private_key = False
        self._stretch = stretch
        self._path: str | None = None
        self._lock = threading.Lock()
        self._remove: weakref.finalize[[str], Keyring] | None = None

    def path(self) -> str:
        """Return the folder, which only its owner can read."""
        with self._lock:
            if self._path is None:
                base = tempfile.gettempdir()
                if len(base) > _LONGEST_HOME:
                    base = "/tmp"  # noqa: S108 - mkdtemp makes a folder of our own in it
                folder = tempfile.mkdtemp(prefix="bb-", dir=base)
                Path(folder, "gpg-agent.conf").write_text(_AGENT.format(stretch=self._stretch))
                self._path = folder
                self._remove = weakref.finalize(self, _remove_home, folder)
            return self._path

    def close(self) -> None:
        """End the agent and remove the folder."""
        with self._lock:
            if self._remove:
                self._remove()
            self._path = None
            self.has_private_key = False


def open_gpg(home: str | None) -> gnupg.GPG:
    """Return a GPG object for one operation: it is not safe to share between threads.

    Its environment has none of our own variables, which may hold secrets.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith("BACKUP_")}
    env["LC_ALL"] = "C.UTF-8"
    try:
        gpg = gnupg.GPG(gnupghome=home, env=env)
    except OSError as error:
        msg = f"the gpg program cannot be run: {error.strerror or 'not found'}"
        raise ConfigurationError([msg], hint=KeyHint.INSTALL_GNUPG) from None
    except ValueError as error:
        msg = f"gpg does not accept its home folder: {error}"
        raise ConfigurationError([msg], hint=KeyHint.CHECK_GNUPGHOME) from None
    # Its messages about damaged bytes are no text: this encoding reads anything (see `as_line`).
    gpg.encoding = "latin-1"
    gpg.buffer_size = _BUFFER_BYTES
    return gpg


def as_line(passphrase: Secret) -> str:
    """Return a passphrase in the form that makes python-gnupg send it in UTF-8."""
    return passphrase.reveal().encode().decode("latin-1")


def check_passphrase(passphrase: Secret | None) -> None:
    """Refuse passphrases that gpg can't read: it reads one line of UTF-8."""
    text = passphrase.reveal() if passphrase else ""
    if any(character in text for character in "\n\r\0"):
        problem = "the passphrase has a line break in it"
        raise ConfigurationError([problem], hint=KeyHint.PASSPHRASE_ON_ONE_LINE)
    try:
        text.encode()
    except UnicodeEncodeError:
        problem = "the passphrase is not text in UTF-8"
        raise ConfigurationError([problem], hint=KeyHint.PASSPHRASE_IN_UTF8) from None


def usable_fingerprints(gpg: gnupg.GPG, wanted: str) -> tuple[str]:
    """Return the one fingerprint that `wanted` means, of a key that can encrypt now.

    Raises:
        ConfigurationError: none, several, or one that is expired, revoked or can't encrypt.
    """
    keys = gpg.list_keys(keys=wanted) if wanted else []
    if not keys:
        msg = f"the keyring has no key for '{wanted}'"
        raise ConfigurationError([msg], hint=KeyHint.IMPORT_KEY)
    if len(keys) > 1:
        found = ", ".join(key["fingerprint"] for key in keys)
        msg = f"'{wanted}' may mean any of {len(keys)} keys"
        raise ConfigurationError([msg], hint=KeyHint.GIVE_FINGERPRINT(fingerprints=found))
    (key,) = keys
    # In gpg's listing a capital E means that some part of this key can encrypt today.
    if "E" not in key.get("cap", "") or key.get("trust") in {"e", "r", "d", "i"}:
        expiry = int(key["expires"]) if key.get("expires", "").isdigit() else None
        on = f" on {datetime.fromtimestamp(expiry, UTC):%Y-%m-%d}" if expiry else ""
        why = {"e": f"expired{on}", "r": "is revoked", "d": "is disabled", "i": "is invalid"}
        reason = why.get(key.get("trust", ""), "cannot encrypt")
        msg = f"the key {key['fingerprint']} {reason}"
        raise ConfigurationError([msg], hint=KeyHint.RENEW_KEY)
    return (key["fingerprint"],)


def _remove_home(folder: str) -> None:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            ["gpgconf", "--homedir", folder, "--kill", "all"],
            check=False,
            capture_output=True,
            timeout=10,
        )
    shutil.rmtree(folder, ignore_errors=True)
