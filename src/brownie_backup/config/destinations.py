"""The locations of the stores, from the variables about stores."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from brownie_backup.config.variables import CREDENTIALS, PREFIX, PROVIDERS
from brownie_backup.config.vocabulary import VARIABLE_NAMES
from brownie_backup.hints import LIBRARY, Advice, as_hint
from brownie_backup.stores.location import Location
from brownie_backup.stores.options import OPTIONS
from brownie_backup.stores.registry import STORE_TYPES
from brownie_backup.stores.store_type import StoreType
from brownie_backup.wording import counted

DEFAULT_PROVIDER = "local"
DEFAULT_FOLDER = "/backups"

_OPTION = re.compile("|".join((*CREDENTIALS, *(each.name for each in OPTIONS), "destination")))
_CONTRADICTION = "See the guide 'Keep several copies'"


@frozen
class Found:
    """The locations that the variables name, and the problems with them."""

    locations: tuple[Location, ...] = ()
    """The primary one first."""
    problems: Sequence[str] = field(factory=list)
    hint: Advice = None
    """The hint, if nothing else is wrong."""


def find_locations(values: Mapping[str, Any]) -> Found:
    """Return the locations of the stores.

    A copy in the same service as the primary store uses its credentials, unless it has its own.

    Args:
        values: the values of the store variables that are set, by their names in lower case.
    """
    try:
        primary = _folder(_primary(values), "BACKUP_DESTINATION")
        copies = [_folder(each, "BACKUP_COPY_TO") for each in values.get("copy_to", ())]
    except _Contradiction as error:
        return Found(problems=[str(error)], hint=error.hint)
    found = (primary, *(_with_credentials(n, c, primary, values) for n, c in enumerate(copies, 1)))
    problems = [*_unused(values, len(copies)), *_twice(found)]
    hint: Advice = _CONTRADICTION if problems else None
    for name, location in named(found).items():
        ours = STORE_TYPES.get(location.scheme)
        if ours is None:  # it reports its own problems when it is opened
            continue
        wrong = [*(_ignored(values, ours) if name == "primary" else ()), *ours.problems(location)]
        problems += problems_of(name, location, wrong)
        if wrong:
            hint = hint or hint_for(name, ours.hint)
    return Found(found, problems, hint)


def named(locations: Sequence[Location]) -> dict[str, Location]:
    """Return the locations by the names of their stores: ``primary``, ``copy1`` and so on."""
    names = ["primary", *(f"copy{number}" for number in range(1, len(locations)))]
    return dict(zip(names, locations, strict=True))


def problems_of(name: str, location: Location, problems: Sequence[str]) -> list[str]:
    """Return the problems of one store, by its variables; for a copy they say which copy it is."""
    worded = [_by_variable(name, problem) for problem in problems]
    if name == "primary":
        return worded
    return [f"{name} ({location.url}): {problem}" for problem in worded]


def _by_variable(name: str, problem: str) -> str:
    """Return a problem that begins with the variable of the option that it is about.

    A copy has variables only for its credentials; everything else is in its URL.
    """
    found = _OPTION.match(problem)
    if not found:
        return problem
    prefix = PREFIX if name == "primary" else f"{PREFIX}{name.upper()}_"
    if name != "primary" and found[0] not in CREDENTIALS:
        return f"its URL{problem[found.end() :]}" if found[0] == "destination" else problem
    return prefix + found[0].upper() + problem[found.end() :]


def hint_for(name: str, advice: Advice) -> Advice:
    """Return a hint for one store; for a copy it names the copy's own variables."""
    if name == "primary":
        return advice
    hint = as_hint(advice)
    return (
        f"The credentials of a copy are BACKUP_{name.upper()}_ACCESS_KEY, …_SECRET_KEY and "
        "…_TOKEN, and all else is in its URL, such as ?region=…"
        f"{f'. {hint.worded({**LIBRARY, **VARIABLE_NAMES})}' if hint else ''}"
    )


class _Contradiction(Exception):
    """The variables do not say where a store is."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint


def _primary(values: Mapping[str, Any]) -> Location:
    provider = values.get("provider", DEFAULT_PROVIDER)
    destination: Location | str = values.get("destination", DEFAULT_FOLDER)
    chosen = PROVIDERS[provider]
    if isinstance(destination, Location):
        location = destination
        if "provider" in values and location.scheme != chosen.scheme:
            problem = f"BACKUP_PROVIDER '{provider}' and BACKUP_DESTINATION disagree"
            raise _Contradiction(problem, "Leave BACKUP_PROVIDER out: the URL says it")
    elif not chosen.in_buckets:
        location = Location(chosen.scheme, path=destination)
    else:
        bucket, _, prefix = destination.strip("/").partition("/")
        if not bucket or destination == DEFAULT_FOLDER:
            problem = f"BACKUP_DESTINATION names no bucket for BACKUP_PROVIDER={provider}"
            raise _Contradiction(problem, "Write BACKUP_DESTINATION=bucket/prefix")
        location = Location(chosen.scheme, bucket, prefix)
    return _with_variables(location, values)


def _with_variables(location: Location, values: Mapping[str, Any]) -> Location:
    """Return the location, completed from variables where its URL leaves something out."""
    ours = STORE_TYPES.get(location.scheme)
    said: dict[str, Any] = {
        option.field: values[option.name]
        for option in (ours.options if ours else OPTIONS)
        if option.name in values
    }
    if location.object_lock_days:  # then the URL alone sets the lock
        said.pop("object_lock_days", None)
        said.pop("object_lock_mode", None)
    plain = Location(location.scheme)
    said = {n: v for n, v in said.items() if getattr(location, n) == getattr(plain, n)}
    said |= {name: values.get(name) for name in CREDENTIALS}
    return evolve(location, **said)


def _with_credentials(
    number: int, copy: Location, primary: Location, values: Mapping[str, Any]
) -> Location:
    own: dict[str, Any] = {name: values.get(f"copy{number}_{name}") for name in CREDENTIALS}
    if _service(copy) == _service(primary):
        region = copy.region or primary.region
        addressing = copy.addressing or primary.addressing
        copy = evolve(copy, region=region, addressing=addressing)
        if not any(own.values()):
            own = {name: getattr(primary, name) for name in CREDENTIALS}
    return evolve(copy, **own)


def _service(location: Location) -> tuple[str | None, ...]:
    """Return the service that credentials belong to; a third party's host may be part of it."""
    host = "" if location.scheme in STORE_TYPES else location.host
    return location.scheme, host, location.endpoint_url


def _folder(location: Location, variable: str) -> Location:
    """Return the location with the whole path of its folder, if it is one."""
    if location.scheme != "file":
        return location
    try:
        return evolve(location, path=str(Path(location.path).expanduser().absolute()))
    except RuntimeError as error:  # the home folder is unknown
        problem = f"{variable} '{location.path}': {error}"
        raise _Contradiction(problem, "Give the whole path") from None


def _ignored(values: Mapping[str, Any], ours: StoreType) -> Iterator[str]:
    """Yield guarantees that variables request and a store of this type can't keep."""
    for option in OPTIONS:
        if option.name in values and option.promise and option not in ours.options:
            yield f"BACKUP_{option.name.upper()} is set, but {ours.name} has no such thing"


def _unused(values: Mapping[str, Any], copies: int) -> Iterator[str]:
    """Yield credentials of stores that don't exist, for example because one has been removed."""
    stores = counted(copies, "store") if copies else "no store"
    for name in values:
        prefix, _, credential = name.partition("_")
        number = prefix.removeprefix("copy")
        if credential in CREDENTIALS and number.isdigit() and int(number) > copies:
            yield f"BACKUP_{name.upper()} is set, but BACKUP_COPY_TO names {stores}"


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
