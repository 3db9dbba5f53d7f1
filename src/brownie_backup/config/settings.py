"""From the environment to settings.

Every variable may also be given as ``NAME_FILE``: the path of a file that holds the value. All
problems are reported at once, each by the name of its variable and never with a secret value.
"""

import difflib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import Factory, define, field, frozen

from brownie_backup.config.destinations import (
    DEFAULT_FOLDER,
    DEFAULT_PROVIDER,
    find_locations,
    named,
)
from brownie_backup.config.variables import LOG_FORMATS, OF_STORES, PREFIX, VARIABLES, Variable
from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import as_hint
from brownie_backup.postgres.conninfo import parse_conninfo
from brownie_backup.process.cpus import usable_processors
from brownie_backup.retention.policy import RetentionPolicy
from brownie_backup.retention.rules import ONE_RULE, RULES, days_kept, make_policy, span_text
from brownie_backup.secret import Secret
from brownie_backup.stores.location import Location
from brownie_backup.stores.options import LOCK_MODES

MOST_JOBS_BY_DEFAULT = 8
DEFAULT_CACHE = "~/.cache/brownie-backup"
"""If XDG_CACHE_HOME is set, it is below that folder instead."""


def default_jobs() -> int:
    """Return the default number of parallel jobs."""
    return min(usable_processors(), MOST_JOBS_BY_DEFAULT)


_UNSAID: Mapping[str, Any] = {
    "provider": DEFAULT_PROVIDER,
    "destination": DEFAULT_FOLDER,
    "object_lock_mode": LOCK_MODES[0],
}
"""The defaults of the store variables; the other store variables have no default."""


_HINT = "The reference of the configuration lists all variables: docs/reference/configuration.md"


@frozen
class Settings:
    """The settings from the environment. `sources` tells where each value came from."""

    primary: Location = field(factory=lambda: Location("file", path=DEFAULT_FOLDER))
    """The location of the primary store."""
    copies: tuple[Location, ...] = ()
    """The locations of the copies."""
    schedule: str = "0 2 * * *"
    verify_schedule: str = "0 4 * * 0"
    """Empty for never."""
    timezone: str = "UTC"
    jitter_seconds: int = 0
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
    require_existing: bool = False
    cache_dir: str = DEFAULT_CACHE
    retry_seconds: int = 120
    parallel_jobs: int = Factory(default_jobs)
    bulk_table_bytes: int = 64 << 20
    full_every: int = 7
    """Days; 0 for never."""
    debug: bool = False
    log_file: str | None = None
    log_format: str = LOG_FORMATS[0]
    metrics_textfile: str | None = None
    ping_url: Secret | None = None
    webhook_url: Secret | None = None
    webhook_secret: Secret | None = None
    api_token: Secret | None = None
    api_tokens: Secret | None = None
    api_anonymous: str | None = None
    database_url: Secret | None = None
    gpg_recipients: tuple[str, ...] = ()
    gpg_public_key: str | None = None
    gpg_private_key: Secret | None = None
    passphrase: Secret | None = None
    key_recipients: tuple[str, ...] = ()
    age_identity_file: str | None = None
    vault_address: str | None = None
    vault_token: Secret | None = None
    vault_namespace: str | None = None
    vault_ca_file: str | None = None
    pg_bin: str | None = None
    of_stores: Mapping[str, Any] = Factory(dict)
    """The store variables from which `primary` and `copies` were made: for display only."""
    sources: Mapping[str, str] = Factory(dict)
    warnings: tuple[str, ...] = field(default=())

    @property
    def stores(self) -> Mapping[str, Location]:
        """The location of each store, the primary one first: ``primary``, ``copy1`` and so on."""
        return named((self.primary, *self.copies))

    @property
    def policy(self) -> RetentionPolicy:
        """The retention policy of every store that has none of its own."""
        return make_policy({rule.name: getattr(self, rule.name) for rule in RULES})

    def value(self, attribute: str) -> Any:  # noqa: ANN401 - each variable has its own type
        """Return the value of a variable, by its name in lower case, without the prefix."""
        if attribute in OF_STORES:
            return self.of_stores.get(attribute, _UNSAID.get(attribute))
        return getattr(self, attribute)

    @property
    def full_every_span(self) -> timedelta | None:
        """The interval after which every block is read again; None for never."""
        return timedelta(days=self.full_every) if self.full_every else None

    @property
    def has_key(self) -> bool:
        """Whether any key for encryption is set."""
        return bool(
            self.gpg_recipients
            or self.gpg_public_key
            or self.gpg_private_key
            or self.passphrase
            or self.key_recipients
        )


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        ConfigurationError: with one problem for each variable that is wrong.
    """
    read = _Read()
    for variable in VARIABLES:
        read.variable(variable, environ)
    values, problems = read.values, read.problems
    hint = as_hint(_HINT)
    if values.keys() >= ONE_RULE:
        both = " and ".join(PREFIX + name.upper() for name in sorted(ONE_RULE))
        problems.append(f"{both} are one rule: unset one of them")
    values["retention_days"] = days_kept(values)
    of_stores = {name: values.pop(name) for name in OF_STORES if name in values}
    if OF_STORES.isdisjoint(read.wrong):
        found = find_locations(of_stores)
        hint = hint if problems else as_hint(found.hint)
        problems += found.problems
    warnings = tuple(_unknown(environ))
    if problems:
        # A misspelt variable may be the cause of the other problems.
        raise ConfigurationError([*problems, *warnings], hint=hint)
    primary, *copies = found.locations
    shown = of_stores | {name: read.texts[name] for name in _URLS & of_stores.keys()}
    return Settings(
        **values,
        primary=primary,
        copies=tuple(copies),
        of_stores=shown,
        sources=read.sources,
        warnings=warnings,
    )


_URLS = {"destination", "copy_to"}
"""Variables that are displayed as text."""


@define
class _Read:
    """The variables as read."""

    values: dict[str, Any] = Factory(dict)
    texts: dict[str, str] = Factory(dict)
    sources: dict[str, str] = Factory(dict)
    problems: list[str] = Factory(list)
    wrong: set[str] = Factory(set)

    def variable(self, variable: Variable, environ: Mapping[str, str]) -> None:
        """Read one variable."""
        attribute, name = variable.name.lower(), PREFIX + variable.name
        self.sources[attribute] = "default"
        try:
            found = _find(environ, name)
            if found:
                text, self.sources[attribute] = found
                # A secret is taken as it is: a trailing space may be intended.
                text = text if variable.secret else text.strip()
                self.values[attribute], self.texts[attribute] = variable.read(text), text
        except ValueError as error:
            hidden = variable.secret or variable.hidden or name + "_FILE" in environ
            shown = "" if hidden else f" ('{environ[name]}')"
            self.problems.append(f"{name}{shown}{error}")
            self.wrong.add(attribute)


def _find(environ: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """Return a value and its source; empty counts as unset, as in a Compose file."""
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
        msg = f"_FILE names '{path}', which cannot be read: {why}"
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


def _without_password(url: Secret) -> str:
    """Return what a connection string says, but for the password."""
    try:
        conninfo = parse_conninfo(url.reveal().strip())
    except ConfigurationError:
        return str(url)
    password = [f"password={url}"] if conninfo.password else []
    return " ".join((*filter(None, [conninfo.to_string()]), *password))


def describe(settings: Settings) -> list[dict[str, Any]]:
    """Return each setting with its value, redacted if secret, its source and its meaning."""
    rows = []
    for variable in VARIABLES:
        attribute = variable.name.lower()
        value = settings.value(attribute)
        if attribute == "database_url" and isinstance(value, Secret):
            value = _without_password(value)
        elif isinstance(value, Secret):
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
