"""All environment variables: their names, their meanings, and how their text is read.

A reader raises `ValueError` with the part of the message that follows the variable's name.
"""

from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfoNotFoundError

from attrs import frozen

from brownie_backup.errors import ConfigurationError
from brownie_backup.retention.rules import MOST_DAYS, RULES, whole
from brownie_backup.schedule import check_schedule, time_zone
from brownie_backup.secret import Secret
from brownie_backup.stores.location import Location
from brownie_backup.stores.options import OPTIONS
from brownie_backup.stores.registry import STORE_TYPES
from brownie_backup.stores.urls import parse_location

PREFIX = "BACKUP_"
PROVIDERS = {each.provider: each for each in STORE_TYPES.values() if each.provider}
"""The types of stores that BACKUP_PROVIDER can name."""
COMPRESSIONS = ("zstd", "gzip", "none")
LOG_FORMATS = ("plain", "json")
MOST_JOBS = 64
MOST_JITTER = 3600
"""Seconds."""
MOST_LARGE_TABLE_BYTES = 1 << 60
MOST_COPIES = 4
_UNITS = {"K": 10, "M": 20, "G": 30, "T": 40}
MOST_PATIENCE = 480
"""Seconds. A lease that cannot be renewed for ten minutes is lost."""
CREDENTIALS = ("access_key", "secret_key", "token")
COPY_CREDENTIALS = tuple(
    f"copy{number}_{name}" for number in range(1, MOST_COPIES + 1) for name in CREDENTIALS
)


@frozen
class Variable:
    """A setting: its variable's name without the prefix, its meaning, and how to read it."""

    name: str
    help: str
    read: Callable[[str], Any]
    secret: bool = False
    hidden: bool = False
    """Whether a wrong value is hidden in messages: a URL may contain a password by mistake."""


def _text(value: str) -> str:
    return value


def _boolean(value: str) -> bool:
    word = value.lower()
    if word in {"true", "yes", "on", "1"}:
        return True
    if word in {"false", "no", "off", "0"}:
        return False
    msg = " is neither true nor false"
    raise ValueError(msg)


def _one_of(words: Collection[str]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in words:
            msg = f" is none of: {', '.join(words)}"
            raise ValueError(msg)
        return value.lower()

    return read


def _compression(value: str) -> str:
    try:
        return COMPRESSIONS[0] if _boolean(value) else "none"
    except ValueError:
        return _one_of(COMPRESSIONS)(value)


def _schedule(value: str) -> str:
    try:
        return check_schedule(value)
    except ConfigurationError:
        msg = " is not a cron schedule of five fields, such as '0 2 * * *'"
        raise ValueError(msg) from None


def _schedule_or_none(value: str) -> str:
    return "" if value.lower() == "none" else _schedule(value)


def _timezone(value: str) -> str:
    try:
        time_zone(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = " is not a time zone, such as Europe/Berlin"
        raise ValueError(msg) from None
    return value


def _web_address(value: str) -> Secret:
    try:
        parts = urlsplit(value.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        msg = " is not an address that begins with https:// or http://"
        raise ValueError(msg)
    return Secret(value.strip())


def _location(value: str) -> Location | str:
    """Return the location, or text that only becomes one together with BACKUP_PROVIDER."""
    if "://" in value:
        return parse_location(value)
    if value.partition(":")[0].lower() in {*STORE_TYPES, *PROVIDERS} - {"local"} and ":" in value:
        msg = " is neither a URL, such as s3://bucket/prefix, nor a folder"
        raise ValueError(msg)
    return value


def _locations(value: str) -> tuple[Location, ...]:
    urls = tuple(value.replace(",", " ").split())
    if len(urls) > MOST_COPIES:
        msg = f" names more than {MOST_COPIES} stores"
        raise ValueError(msg)
    found = []
    for number, url in enumerate(urls, 1):
        try:
            if "://" not in url:
                msg = " is not a URL, such as file:///folder or s3://bucket/prefix"
                raise ValueError(msg)  # noqa: TRY301 - as for the other problems of one URL
            found.append(parse_location(url))
        except ValueError as error:
            msg = f" (store {number}){error}"
            raise ValueError(msg) from None
    return tuple(found)


def _size(value: str) -> int:
    """Return a number of bytes; K, M, G and T stand for powers of 1024."""
    digits, unit = value[:-1], value[-1:].upper()
    try:
        if unit in _UNITS:
            return whole(0, MOST_LARGE_TABLE_BYTES >> _UNITS[unit])(digits) << _UNITS[unit]
        return whole(0, MOST_LARGE_TABLE_BYTES)(value)
    except ValueError:
        msg = " is not a number of bytes, such as 67108864, 64M or 1G"
        raise ValueError(msg) from None


def _days_or_none(value: str) -> int:
    return 0 if value.lower() == "none" else whole(0, MOST_DAYS)(value)


def _recipients(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


VARIABLES: tuple[Variable, ...] = (
    Variable("PROVIDER", "where backups go: local, s3, gcs or azure", _one_of(PROVIDERS)),
    Variable(
        "DESTINATION", "the folder, bucket/prefix, or URL of the store", _location, hidden=True
    ),
    Variable("COPY_TO", "more stores: URLs separated by commas", _locations, hidden=True),
    Variable("SCHEDULE", "when to make backups: a cron schedule", _schedule),
    Variable("VERIFY_SCHEDULE", "when to verify backups, or 'none'", _schedule_or_none),
    Variable("TIMEZONE", "the time zone of the schedules", _timezone),
    Variable("JITTER_SECONDS", "the maximum random delay of a run", whole(0, MOST_JITTER)),
    *(Variable(rule.name.upper(), rule.help, rule.read) for rule in RULES),
    Variable("COMPRESSION", "true (zstd), false, zstd, gzip or none", _compression),
    Variable("ENCRYPTION", "encrypt everything before storing it", _boolean),
    Variable("ACCESS_KEY", "the store's access key, or Azure's account", Secret, secret=True),
    Variable("SECRET_KEY", "the store's secret key", Secret, secret=True),
    Variable("TOKEN", "Google's service account, as JSON", Secret, secret=True),
    *(
        Variable(name.upper(), "the same, for store n of BACKUP_COPY_TO", Secret, secret=True)
        for name in COPY_CREDENTIALS
    ),
    *(
        Variable(option.name.upper(), option.help, option.read, hidden=option.hidden)
        for option in OPTIONS
    ),
    Variable("REQUIRE_EXISTING", "write only to stores that have a repository", _boolean),
    Variable("CACHE_DIR", "the folder for cached manifests, or 'none'", _text),
    Variable("RETRY_SECONDS", "how long to retry an unreachable store", whole(0, MOST_PATIENCE)),
    Variable("PARALLEL_JOBS", "how many tasks run at once", whole(1, MOST_JOBS)),
    Variable("BULK_TABLE_BYTES", "larger tables are read in ranges", _size),
    Variable("FULL_EVERY", "days between full reads; 0: never", _days_or_none),
    Variable("DEBUG", "log every step", _boolean),
    Variable("LOG_FILE", "the log file, besides standard error", _text),
    Variable("LOG_FORMAT", "plain or json", _one_of(LOG_FORMATS)),
    Variable("METRICS_TEXTFILE", "a file for node_exporter's textfile collector", _text),
    Variable("PING_URL", "pinged at start, success and failure", _web_address, secret=True),
    Variable(
        "WEBHOOK_URL", "receives events on failures and recoveries", _web_address, secret=True
    ),
    Variable("WEBHOOK_SECRET", "signs the webhook's events", Secret, secret=True),
    Variable("API_TOKEN", "the REST API token with all scopes", Secret, secret=True),
    Variable("API_TOKENS", "more tokens, by commas: name:scope+scope:token", Secret, secret=True),
    Variable("API_ANONYMOUS", "'read' lets anyone read without a token", _one_of(("read",))),
    Variable("DATABASE_URL", "the database: a URI or connection string", Secret, secret=True),
    Variable("GPG_RECIPIENTS", "keys to encrypt for, separated by commas", _recipients),
    Variable("GPG_PUBLIC_KEY", "an armoured public key to encrypt for", _text),
    Variable("GPG_PRIVATE_KEY", "an armoured private key to decrypt with", Secret, secret=True),
    Variable(
        "PASSPHRASE", "passphrase of the private key, or instead of keys", Secret, secret=True
    ),
    Variable("KEY_RECIPIENTS", "recipients of each backup's data key, by commas", _recipients),
    Variable("AGE_IDENTITY_FILE", "a file with identities of age, to decrypt with", _text),
    Variable("VAULT_ADDRESS", "the address of Vault or OpenBao", _text, hidden=True),
    Variable("VAULT_TOKEN", "a token of Vault or OpenBao", Secret, secret=True),
    Variable("VAULT_NAMESPACE", "the namespace in Vault or OpenBao", _text),
    Variable("VAULT_CA_FILE", "certificates that Vault's is trusted by", _text),
    Variable("PG_BIN", "the folder of PostgreSQL's client programs", _text),
)
"""All variables. The fields of `Settings` have their names in lower case."""

OF_STORES = frozenset(
    {
        *("provider", "destination", "copy_to", *CREDENTIALS, *COPY_CREDENTIALS),
        *(option.name for option in OPTIONS),
    }
)
"""The variables that together define the stores: `Settings` has a `Location` for each store."""
