"""Look for problems before they cause harm."""

import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice

from attrs import evolve

from brownie_backup.errors import (
    AccessDenied,
    BackupError,
    DecryptionError,
    KeyExists,
    ObjectLocked,
    StoreUnavailable,
)
from brownie_backup.format.layout import BLOBS
from brownie_backup.hints import DatabaseHint, HintCode, KeyHint, SetupHint, StoreHint
from brownie_backup.model import UNENCRYPTED, Encryption
from brownie_backup.model.findings import Finding, Level
from brownie_backup.operations.key_findings import key_findings
from brownie_backup.protocols import Availability, Dumper, HasFreeSpace, KnowsSize, Store
from brownie_backup.repository import Repository, with_deadlines
from brownie_backup.repository.catalogue.identity import strange
from brownie_backup.repository.replacement import replacing
from brownie_backup.wording import counted

_CLOCK_MARGIN = timedelta(minutes=2)
_MOST_BLOBS = 10_000
_COMPRESSION = 4
"""How much smaller than its database a first backup usually is."""
_LEAST_FREE = 64 << 20
"""Less free space than a few blobs need is a warning, however small the database is."""
_INSTEAD: Mapping[HintCode, HintCode] = {
    DatabaseHint.CHECK_CONNECTION: DatabaseHint.CHECK_DATABASE_ADDRESS,
    KeyHint.NOTHING_STORED: KeyHint.CHECK_KEYS,
}
"""Hints in place of those that name the doctor."""
_PROBE = b"brownie-backup doctor"


def diagnose(
    repository: Repository, dumper: Dumper, *, copies: Sequence[Repository] = (), jobs: int = 1
) -> Iterator[Finding]:
    """Yield findings about the database, the stores, the encryption and the clock; none raises.

    Args:
        repository: the repository to back up to.
        dumper: connected to the database.
        copies: more repositories, each a copy.
        jobs: with how many connections backups read the database.
    """
    connected = True
    for finding in dumper.diagnose(jobs=jobs):
        connected &= (finding.subject, finding.level) != ("connection", Level.ERROR)
        yield _without_doctor(finding)
    size = _database_size(dumper) if connected else None
    stores = (repository, *copies)
    failures: list[BackupError | None] = []
    for each in with_deadlines(stores):
        failures += [(yield from _store(each))]
    for each, failure in zip(stores, failures, strict=True):
        yield from _contents(each, size, failure)
    envelope = repository.codecs.envelope
    findings = key_findings(repository, envelope) if envelope else _encryption(repository)
    for finding in findings:
        yield _without_doctor(finding)
    if connected and not envelope:
        yield from _same_key(repository, dumper)


def _store(repository: Repository) -> Generator[Finding, None, BackupError | None]:
    """Try what a store must do; return what it failed with."""
    store = repository.store
    # Next to the leases, where a listing of backups or blobs does not look.
    key = f"probes/{secrets.token_hex(8)}"
    failure: BackupError | None = None
    try:
        store.put(key, _PROBE, if_absent=True)
    except BackupError as error:
        yield Finding(Level.ERROR, "store", error.message, error.hint)
        return error
    try:
        yield from _behaviour(repository, store, key)
    except BackupError as error:
        yield Finding(Level.ERROR, "store", error.message, error.hint)
        failure = error
    try:
        store.delete(key)
    except (AccessDenied, ObjectLocked) as error:
        msg = f"{store.url} does not let objects be deleted: {error.message}"
        yield Finding(Level.ERROR, "store", msg, StoreHint.DELETING_REFUSED)
    except BackupError as error:
        if failure is None:  # else it fails as before
            yield Finding(Level.ERROR, "store", error.message, error.hint)
            failure = error
    return failure


def _contents(
    repository: Repository, database_size: int | None, failure: BackupError | None
) -> Iterator[Finding]:
    """Look at what is in a store, unless that fails for a reason that was already given."""
    if isinstance(failure, StoreUnavailable):
        return
    yield from (
        finding
        for finding in (
            *_identity(repository),
            *_archived(repository),
            *_space(repository, database_size),
        )
        if failure is None or finding.hint is None or finding.hint != failure.hint
    )


def _behaviour(repository: Repository, store: Store, key: str) -> Iterator[Finding]:
    if store.get(key) != _PROBE:
        msg = f"{store.url} does not return the bytes that were stored"
        yield Finding(Level.ERROR, "store", msg, StoreHint.DO_NOT_USE)
        return
    yield Finding(Level.OK, "store", f"{store.url} is writable and readable")
    try:
        store.put(key, b"other", if_absent=True)
    except KeyExists:
        yield Finding(Level.OK, "store", "atomic create-if-absent works")
    else:
        msg = f"{store.url} ignores create-if-absent: two backups of one name could both win"
        yield Finding(Level.WARNING, "store", msg, StoreHint.ONE_HOST_ONLY)
    with replacing(store, key):
        store.put(key, _PROBE)
    (found,) = (item for item in store.list(key) if item.key == key)
    apart = abs(repository.clock() - found.modified_at)
    if apart > _CLOCK_MARGIN:
        msg = f"the clocks of this host and {store.url} are {apart.total_seconds():.0f} s apart"
        yield Finding(Level.ERROR, "clock", msg, SetupHint.SET_CLOCK)
    else:
        yield Finding(Level.OK, "clock", f"this host and {store.url} agree on the time")


def _without_doctor(finding: Finding) -> Finding:
    """Return a finding whose hint does not send to the doctor, who is at work."""
    if finding.hint and "{verb:doctor}" in finding.hint.code.sentence:
        return evolve(finding, hint=_INSTEAD.get(finding.hint.code))
    return finding


def _database_size(dumper: Dumper) -> int | None:
    try:
        return dumper.database_size_bytes() if isinstance(dumper, KnowsSize) else None
    except BackupError:  # there are findings about that
        return None


def _identity(repository: Repository) -> Iterator[Finding]:
    store, record = repository.store, repository.record
    try:
        found = repository.known_identity()
        why = strange(store, record, found)
    except BackupError as error:
        yield Finding(Level.ERROR, "repository", error.message, error.hint)
        return
    if why:
        yield Finding(Level.ERROR, "repository", why)
    elif found is None:
        message = f"{store.url} has never been used: the first backup will start a repository there"
        yield Finding(Level.OK, "repository", message)


def _archived(repository: Repository) -> Iterator[Finding]:
    """Look at some blobs: their names are random, so the first of a listing are a fair sample."""
    store = repository.store
    try:
        listed = list(islice(store.list(BLOBS), _MOST_BLOBS))
    except BackupError as error:
        yield Finding(Level.ERROR, "archived blobs", error.message, error.hint)
        return
    archived = sum(found.availability is not Availability.READABLE for found in listed)
    if archived:
        msg = (
            f"{archived} of the first {counted(len(listed), 'blob')} in {store.url} are in an "
            "archive class: the backups that need them cannot be restored at once"
        )
        yield Finding(Level.ERROR, "archived blobs", msg, StoreHint.UNARCHIVE_OR_STORE_AGAIN)


def _space(repository: Repository, database_size: int | None) -> Iterator[Finding]:
    store = repository.store
    if not isinstance(store, HasFreeSpace):
        return
    try:
        free = store.free_bytes()
        backups = repository.backups(check_blobs=False)
    except BackupError as error:
        yield Finding(Level.ERROR, "space", error.message, error.hint)
        return
    newest = next((backup.manifest for backup in backups if backup.manifest), None)
    text = f"{store.url} has {free >> 20} MiB free"
    if newest and free < newest.stored_bytes:
        msg = f"{text}, less than the last backup holds ({newest.stored_bytes >> 20} MiB)"
        yield Finding(Level.WARNING, "space", msg, StoreHint.CLEAN_UP)
    elif not newest and database_size and free < database_size / _COMPRESSION:
        msg = f"{text}, less than a quarter of the database's size ({database_size >> 20} MiB)"
        yield Finding(Level.WARNING, "space", msg, StoreHint.CLEAN_UP)
    elif free < _LEAST_FREE:
        msg = f"{text}, which a few blobs fill"
        yield Finding(Level.WARNING, "space", msg, StoreHint.CLEAN_UP)
    else:
        yield Finding(Level.OK, "space", text)


def _same_key(repository: Repository, dumper: Dumper) -> Iterator[Finding]:
    """Warn if the next backup would get another key than the last good one of the database."""
    encryptor = repository.codecs.encryptor
    if encryptor is None or encryptor.method == UNENCRYPTED:
        return
    try:
        name = dumper.database_name()
        backups = repository.backups(check_blobs=False)
        own = (b.manifest for b in backups if b.manifest and b.good and b.manifest.encrypted)
        wanted = (name, dumper.kind)
        last = next((m for m in own if (m.backup_set.name, m.kind) == wanted), None)
        if last is None:
            return
        encryption = Encryption(encryptor.method, encryptor.identity(bytes.fromhex(last.hash_key)))
    except BackupError:  # there are findings about that
        return
    if encryption != last.encryption:
        msg = f"the last good backup of the database, '{last.name}', has another key or passphrase"
        yield Finding(Level.WARNING, "encryption", msg, KeyHint.CHECK_KEYS)


def _encryption(repository: Repository) -> Iterator[Finding]:
    encryptor = repository.codecs.encryptor
    if encryptor is None:
        msg = "the repository is open for reading only: it has no encryptor"
        yield Finding(Level.WARNING, "encryption", msg, KeyHint.GIVE_ENCRYPTOR)
        return
    if encryptor.method == "none":
        msg = "encryption is off: anyone who can read the store can read the database"
        yield Finding(Level.WARNING, "encryption", msg, KeyHint.TURN_ON_ENCRYPTION)
        return
    try:
        identity = encryptor.identity(_PROBE)
        packed = encryptor.encrypt(_PROBE)
    except BackupError as error:
        yield Finding(Level.ERROR, "encryption", error.message, error.hint)
        return
    by = identity if identity.startswith("public-key") else "passphrase"
    yield Finding(Level.OK, "encryption", f"encrypts by {by}")
    try:
        same = encryptor.decrypt(packed) == _PROBE
    except DecryptionError as error:
        msg = f"this host cannot decrypt: {error.message}; that is fine if it only makes backups"
        yield Finding(Level.WARNING, "decryption", msg, error.hint)
    except BackupError as error:
        yield Finding(Level.ERROR, "decryption", error.message, error.hint)
    else:
        level = Level.OK if same else Level.ERROR
        what = "what it encrypted"
        msg = f"decrypts {what}" if same else f"does not decrypt {what}"
        yield Finding(level, "decryption", msg)
