"""Hints about keys, passphrases and gpg."""

from brownie_backup.hints.hint import HintCode


class KeyHint(HintCode):
    """What to do so that backups can be encrypted and decrypted."""

    TURN_ON_ENCRYPTION = (
        "turn_on_encryption",
        "Turn on encryption with {setting:encryption}, and give a key",
    )
    GIVE_CODECS = "give_codecs", "Give the repository a compressor and an encryptor"
    GIVE_COMPRESSOR = "give_compressor", "Give the repository that compressor"
    GIVE_ENCRYPTOR = "give_encryptor", "Give the repository an encryptor to make backups"
    GIVE_DECRYPTOR = "give_decryptor", "Give the repository a decryptor of that method"
    GIVE_ENCRYPTION_KEY = (
        "give_encryption_key",
        "Set {setting:gpg_recipients} or {setting:passphrase}",
    )
    GIVE_PRIVATE_KEY = (
        "give_private_key",
        "Give the private key with {setting:gpg_private_key}, or import it into your keyring and "
        "name it with {setting:gpg_recipients}. If it has a passphrase, give that with "
        "{setting:passphrase}",
    )
    NAME_KEY = (
        "name_key",
        "If they are your own, name that key with {setting:gpg_recipients}. If not, somebody else "
        "has written them",
    )
    GIVE_ARMOURED_KEY = (
        "give_armoured_key",
        "Give an armoured key: gpg --armor --export NAME",
    )
    GIVE_ARMOURED_PRIVATE_KEY = (
        "give_armoured_private_key",
        "Give an armoured key: gpg --armor --export-secret-keys NAME",
    )
    CHECK_KEYS = "check_keys", "Check the key and its passphrase"
    CHECK_PASSPHRASE = "check_passphrase", "Check {setting:passphrase}"
    PASSPHRASE_ON_ONE_LINE = "passphrase_on_one_line", "Use a passphrase on one line"
    PASSPHRASE_IN_UTF8 = "passphrase_in_utf8", "Use a UTF-8 locale, or another passphrase"
    PASSPHRASE_WITHOUT_SPACES = (
        "passphrase_without_spaces",
        "gpg would strip the space: use another passphrase",
    )
    NOTHING_STORED = "nothing_stored", "Run {verb:doctor}. Nothing was stored"
    ROTATE_RECIPIENTS = (
        "rotate_recipients",
        "Set the recipients of the key ring, or change the key ring to those of the settings",
    )
    GIVE_RECIPIENT_KEY = (
        "give_recipient_key",
        "Give the private key, the passphrase or the rights of one of these recipients",
    )
    INSTALL_GNUPG = "install_gnupg", "Install GnuPG 2.2 or newer (package gnupg)"
    CHECK_GNUPGHOME = "check_gnupghome", "Check GNUPGHOME"
    IMPORT_KEY = "import_key", "Import it: gpg --import FILE; see gpg --list-keys"
    GIVE_FINGERPRINT = "give_fingerprint", "Give the fingerprint of one: {fingerprints}"
    RENEW_KEY = "renew_key", "Use another key, or extend it with gpg --edit-key"
    PLAIN_KEY_NAME = (
        "plain_key_name",
        "Use gpg 2.2 or newer, and a name of letters, digits and spaces",
    )
