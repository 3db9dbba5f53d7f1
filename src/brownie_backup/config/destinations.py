"""Where the stores are: from the settings to the location of each."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import evolve

from brownie_backup.config.settings import Settings
from brownie_backup.config.variables import CREDENTIALS
from brownie_backup.errors import ConfigurationError
from brownie_backup.stores.location import CLOUDS, Location, parse_location

SCHEMES = {"local": "file", "s3": "s3", "gcs": "gs", "azure": "azure"}
"""The URL scheme of each BACKUP_PROVIDER."""


def locations(settings: Settings) -> tuple[Location, ...]:
    """Return where the stores are: the primary one first, then the copies.

    A copy in the same service as the primary store uses its credentials, unless it has its own.

    Raises:
        ConfigurationError: the settings contradict each other.
    """
    primary = _folder(_primary(settings), "BACKUP_DESTINATION")
    found = [primary]
    for number, url in enumerate(settings.copy_to, 1):
        copy = _folder(parse_location(url), "BACKUP_COPY_TO")
        own = [settings.copy_credentials.get(f"copy{number}_{name}") for name in CREDENTIALS]
        if _service(copy) == _service(primary):
            copy = evolve(copy, region=copy.region or primary.region)
            if not any(own):
                own = [primary.access_key, primary.secret_key, primary.token]
        access_key, secret_key, token = own
        found.append(evolve(copy, access_key=access_key, secret_key=secret_key, token=token))
    problems = [*_unused(settings), *_twice(found)]
    if problems:
        raise ConfigurationError(problems, hint="See the guide 'Keep several copies'")
    return tuple(found)


def _service(location: Location) -> tuple[str | None, ...]:
    """Return what credentials are for. Of a third party's store nobody knows whose the host is."""
    host = "" if location.scheme in CLOUDS else location.host
    return location.scheme, host, location.endpoint_url


def _folder(location: Location, variable: str) -> Location:
    """Return the location with the whole path of its folder, if it is one."""
    if location.scheme != "file":
        return location
    try:
        return evolve(location, path=str(Path(location.path).expanduser().absolute()))
    except RuntimeError as error:  # a home folder that is not known
        problem = f"{variable} '{location.path}': {error}"
        raise ConfigurationError([problem], hint="Give the whole path") from None


def _unused(settings: Settings) -> Iterator[str]:
    """Yield credentials of stores that there are not, as when one has been taken out."""
    for name in settings.copy_credentials:
        number = int(name.removeprefix("copy").partition("_")[0])
        if number > len(settings.copy_to):
            yield (
                f"BACKUP_{name.upper()} is set, but BACKUP_COPY_TO names "
                f"{len(settings.copy_to)} stores"
            )


def _twice(found: Sequence[Location]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for location in found:
        place = os.path.realpath(location.path) if location.scheme == "file" else location.url
        if place in seen:
            yield (
                f"BACKUP_DESTINATION and BACKUP_COPY_TO name {location.url} twice"
                if seen[place] == location.url
                else f"{seen[place]} and {location.url} are one folder"
            )
        seen[place] = location.url


def _primary(settings: Settings) -> Location:
    scheme = SCHEMES[settings.provider]
    if "://" in settings.destination:
        location = parse_location(settings.destination)
        if settings.sources.get("provider", "default") != "default" and location.scheme != scheme:
            problem = f"BACKUP_PROVIDER '{settings.provider}' and BACKUP_DESTINATION disagree"
            raise ConfigurationError([problem], hint="Leave BACKUP_PROVIDER out: the URL says it")
    elif scheme == "file":
        location = Location(scheme, path=settings.destination)
    else:
        bucket, _, prefix = settings.destination.strip("/").partition("/")
        if not bucket or (bucket == "backups" and settings.destination == "/backups"):
            problem = f"BACKUP_DESTINATION names no bucket for BACKUP_PROVIDER={settings.provider}"
            raise ConfigurationError([problem], hint="Write BACKUP_DESTINATION=bucket/prefix")
        location = Location(scheme, bucket, prefix)
    lock = location if location.object_lock_days else settings
    return evolve(
        location,
        region=location.region or settings.region,
        endpoint_url=location.endpoint_url or settings.endpoint_url,
        sse_kms_key=location.sse_kms_key or settings.sse_kms_key,
        storage_class=location.storage_class or settings.storage_class,
        tags=location.tags or settings.object_tags,
        object_lock_days=lock.object_lock_days,
        object_lock_mode=lock.object_lock_mode,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        token=settings.token,
    )
