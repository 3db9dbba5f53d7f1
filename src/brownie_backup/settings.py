"""From the environment to settings.

Every variable may also be given as ``NAME_FILE``: the path of a file that holds the value. What is
wrong is reported all at once, by the name of the variable and never with a secret value.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import Factory, field, frozen

from brownie_backup.errors import ConfigurationError
from brownie_backup.location import (
    CLOUDS,
    LOCK_MODES,
    parse_location,
    read_days,
    read_endpoint,
    read_lock_mode,
    read_tags,
)
from brownie_backup.model import RetentionPolicy
from brownie_backup.policy import (
    MOST_DAYS,
    ONE_RULE,
    RULES,
    days_kept,
    make_policy,
    span_text,
    whole,
)
from brownie_backup.processors import usable_processors
from brownie_backup.schedule import check_schedule
from brownie_backup.secret import Secret

PREFIX = "BACKUP_"
PROVIDERS = ("local", "s3", "gcs", "azure")
COMPRESSIONS = ("zstd", "gzip", "none")
MOST_JOBS = 64
MOST_JOBS_BY_DEFAULT = 8
MOST_BULK_BYTES = 1 << 60
MOST_COPIES = 4
_UNITS = {"K": 10, "M": 20, "G": 30, "T": 40}
DEFAULT_CACHE = "~/.cache/brownie-backup"
"""Below XDG_CACHE_HOME instead, where that is set."""
MOST_PATIENCE = 480
"""Seconds. A lease that can't be renewed for ten minutes is lost."""
CREDENTIALS = ("access_key", "secret_key", "token")
COPY_CREDENTIALS = tuple(
    f"copy{number}_{name}" for number in range(1, MOST_COPIES + 1) for name in CREDENTIALS
)


@frozen
class Variable:
    """A setting: its variable's name without the prefix, what it means, and how to read it."""

    name: str
    help: str
    read: Callable[[str], Any]
    secret: bool = False
    hidden: bool = False
    """Whether a wrong value is not shown: somebody may have put a password into a URL."""


def default_jobs() -> int:
    """Return how much is done at once unless somebody says."""
    return min(usable_processors(), MOST_JOBS_BY_DEFAULT)


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


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
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


def _location(value: str) -> str:
    if "://" in value:
        parse_location(value)
    elif value.partition(":")[0].lower() in {"file", "gcs", *CLOUDS} and ":" in value:
        msg = " is neither a URL, such as s3://bucket/prefix, nor a folder"
        raise ValueError(msg)
    return value


def _locations(value: str) -> tuple[str, ...]:
    urls = tuple(value.replace(",", " ").split())
    if len(urls) > MOST_COPIES:
        msg = f" names more than {MOST_COPIES} stores"
        raise ValueError(msg)
    for number, url in enumerate(urls, 1):
        try:
            if "://" not in url:
                msg = " is not a URL, such as file:///folder or s3://bucket/prefix"
                raise ValueError(msg)  # noqa: TRY301 - as for the other problems of one URL
            parse_location(url)
        except ValueError as error:
            msg = f" (store {number}){error}"
            raise ValueError(msg) from None
    return urls


def _size(value: str) -> int:
    """Return bytes; K, M, G and T stand for powers of 1024."""
    digits, unit = value[:-1], value[-1:].upper()
    try:
        if unit in _UNITS:
            return whole(0, MOST_BULK_BYTES >> _UNITS[unit])(digits) << _UNITS[unit]
        return whole(0, MOST_BULK_BYTES)(value)
    except ValueError:
        msg = " is not a number of bytes, such as 67108864, 64M or 1G"
        raise ValueError(msg) from None


def _days_or_none(value: str) -> int:
    return 0 if value.lower() == "none" else whole(0, MOST_DAYS)(value)


def _recipients(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


VARIABLES: tuple[Variable, ...] = (
    Variable("PROVIDER", "where backups go: local, s3, gcs or azure", _one_of(PROVIDERS)),
    Variable("DESTINATION", "the folder, bucket/prefix, or a URL", _location, hidden=True),
    Variable("COPY_TO", "more stores, as URLs, by commas", _locations, hidden=True),
    Variable("SCHEDULE", "when backups are made, as in cron", _schedule),
    *(Variable(rule.name.upper(), rule.help, rule.read) for rule in RULES),
    Variable("COMPRESSION", "true (zstd), false, zstd, gzip or none", _compression),
    Variable("ENCRYPTION", "encrypt before anything is stored", _boolean),
    Variable("ACCESS_KEY", "the store's access key, or Azure's account", Secret, secret=True),
    Variable("SECRET_KEY", "the store's secret key", Secret, secret=True),
    Variable("TOKEN", "Google's service account, as JSON", Secret, secret=True),
    *(
        Variable(name.upper(), "as without COPYn_, for store n of COPY_TO", Secret, secret=True)
        for name in COPY_CREDENTIALS
    ),
    Variable("REGION", "the store's region", _text),
    Variable("ENDPOINT_URL", "another address of the store's service", read_endpoint, hidden=True),
    Variable("SSE_KMS_KEY", "the key the service encrypts with", _text),
    Variable("STORAGE_CLASS", "the service's storage class", _text),
    Variable("OBJECT_TAGS", "tags of each object: key=value,…", read_tags),
    Variable("OBJECT_LOCK_DAYS", "how long nobody can delete objects", read_days),
    Variable("OBJECT_LOCK_MODE", "compliance or governance", read_lock_mode),
    Variable("CACHE_DIR", "where manifests are remembered, or 'none'", _text),
    Variable("RETRY_SECONDS", "how long to wait for a store out of reach", whole(0, MOST_PATIENCE)),
    Variable("PARALLEL_JOBS", "how much is done at once", whole(1, MOST_JOBS)),
    Variable("BULK_TABLE_BYTES", "larger tables are read in ranges", _size),
    Variable("FULL_EVERY", "days until all is read again; 0: never", _days_or_none),
    Variable("DEBUG", "say everything that is done", _boolean),
    Variable("DATABASE_URL", "the database: a URI or conninfo", Secret, secret=True),
    Variable("GPG_RECIPIENTS", "keys to encrypt for, by commas", _recipients),
    Variable("GPG_PUBLIC_KEY", "an armoured public key to encrypt for", _text),
    Variable("GPG_PRIVATE_KEY", "an armoured key to decrypt with", Secret, secret=True),
    Variable("PASSPHRASE", "of the private key, or instead of keys", Secret, secret=True),
    Variable("PG_BIN", "the folder of PostgreSQL's client programs", _text),
)
"""Every variable that there is; the fields of `Settings` are named for them, in lower case."""


@frozen
class Settings:
    """What the environment says. `sources` tells where each value came from."""

    provider: str = "local"
    destination: str = "/backups"
    copy_to: tuple[str, ...] = ()
    schedule: str = "0 2 * * *"
    retention_days: int | None = 30
    keep_within: timedelta | None = None
    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    keep_labels: tuple[str, ...] = ()
    keep_min: int = 1
    most_deleted_percent: int = 50
    compression: str = "zstd"
    encryption: bool = True
    access_key: Secret | None = None
    secret_key: Secret | None = None
    token: Secret | None = None
    copy_credentials: Mapping[str, Secret] = Factory(dict)
    """Those of the stores of `copy_to`: ``copy1_access_key`` and so on."""
    region: str | None = None
    endpoint_url: str | None = None
    sse_kms_key: str | None = None
    storage_class: str | None = None
    object_tags: Mapping[str, str] = Factory(dict)
    object_lock_days: int | None = None
    object_lock_mode: str = LOCK_MODES[0]
    cache_dir: str = DEFAULT_CACHE
    retry_seconds: int = 120
    parallel_jobs: int = Factory(default_jobs)
    bulk_table_bytes: int = 64 << 20
    full_every: int = 7
    """Days; 0 for never."""
    debug: bool = False
    database_url: Secret | None = None
    gpg_recipients: tuple[str, ...] = ()
    gpg_public_key: str | None = None
    gpg_private_key: Secret | None = None
    passphrase: Secret | None = None
    pg_bin: str | None = None
    sources: Mapping[str, str] = Factory(dict)
    warnings: tuple[str, ...] = field(default=())

    @property
    def policy(self) -> RetentionPolicy:
        """The retention policy."""
        return make_policy({rule.name: getattr(self, rule.name) for rule in RULES})

    def value(self, attribute: str) -> Any:  # noqa: ANN401 - each variable has its own type
        """Return the value of a variable, by its name without prefix in lower case."""
        if attribute in COPY_CREDENTIALS:
            return self.copy_credentials.get(attribute)
        return getattr(self, attribute)

    @property
    def full_every_span(self) -> timedelta | None:
        """After how long every block is read again; None for never."""
        return timedelta(days=self.full_every) if self.full_every else None

    @property
    def has_key(self) -> bool:
        """Whether there is anything to encrypt with."""
        return bool(
            self.gpg_recipients or self.gpg_public_key or self.gpg_private_key or self.passphrase
        )


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        ConfigurationError: with one problem for each variable that is wrong.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    problems: list[str] = []
    for variable in VARIABLES:
        attribute = variable.name.lower()
        name = PREFIX + variable.name
        sources[attribute] = "default"
        try:
            found = _find(environ, name)
            if found:
                value, sources[attribute] = found
                # A secret is taken as it is: a space at its end may be meant.
                values[attribute] = variable.read(value if variable.secret else value.strip())
        except ValueError as error:
            hidden = variable.secret or variable.hidden or name + "_FILE" in environ
            shown = "" if hidden else f" ('{environ[name]}')"
            problems.append(f"{name}{shown}{error}")
    if values.keys() >= ONE_RULE:
        both = " and ".join(PREFIX + name.upper() for name in sorted(ONE_RULE))
        problems.append(f"{both} are one rule: unset one of them")
    values["retention_days"] = days_kept(values)
    warnings = tuple(_unknown(environ))
    if problems:
        # What is misspelt may well be why something else is wrong.
        problems += warnings
        raise ConfigurationError(problems, hint="See 'brownie-backup config' and the README")
    copies = {name: values.pop(name) for name in COPY_CREDENTIALS if name in values}
    return Settings(**values, copy_credentials=copies, sources=sources, warnings=warnings)


def _find(environ: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """Return a value and where it came from; empty is unset, as in a Compose file."""
    value, path = environ.get(name, ""), environ.get(name + "_FILE", "").strip()
    if value.strip() and path:
        msg = f" and {name}_FILE are both set: unset one"
        raise ValueError(msg)
    if not path:
        return (value, name) if value.strip() else None
    try:
        content = Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        msg = f"_FILE names '{path}', which does not read: {why}"
        raise ValueError(msg) from None
    if not content.strip():
        msg = f"_FILE names '{path}', which is empty"
        raise ValueError(msg)
    return content, f"{name}_FILE={path}"


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = {PREFIX + variable.name for variable in VARIABLES}
    known |= {name + "_FILE" for name in known}
    for name in sorted(environ.keys() - known):
        if name.startswith(PREFIX):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f": did you mean {near[0]}?" if near else ""
            yield f"{name} is not a variable of brownie-backup{hint}"


def describe(settings: Settings) -> list[dict[str, Any]]:
    """Return each setting with its value, redacted if secret, its source and its meaning."""
    rows = []
    for variable in VARIABLES:
        attribute = variable.name.lower()
        value = settings.value(attribute)
        if isinstance(value, Secret):
            value = str(value)
        elif attribute == "gpg_public_key" and value:
            value = "(a public key)"
        elif isinstance(value, timedelta):
            value = span_text(value)
        elif isinstance(value, tuple):
            value = ",".join(value) or None
        elif isinstance(value, Mapping):
            value = ",".join(f"{key}={each}" for key, each in value.items()) or None
        rows.append(
            {
                "name": PREFIX + variable.name,
                "value": value,
                "source": settings.sources.get(attribute, "default"),
                "help": variable.help,
            }
        )
    return rows
