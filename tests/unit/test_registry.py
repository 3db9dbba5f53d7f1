"""One registry has all that is known of the kinds of stores."""

import subprocess
import sys

import pytest

from brownie_backup.config.variables import PROVIDERS
from brownie_backup.errors import ConfigurationError
from brownie_backup.secret import Secret
from brownie_backup.stores import LocalStore
from brownie_backup.stores.location import Location
from brownie_backup.stores.options import OPTIONS
from brownie_backup.stores.registry import STORE_TYPES, open_store, store_type
from brownie_backup.stores.secrets import secrets_of
from brownie_backup.stores.store_type import StoreType

TYPES = tuple(STORE_TYPES.values())


def test_each_is_found_by_its_scheme_and_its_provider() -> None:
    assert list(STORE_TYPES) == ["file", "s3", "gs", "azure"]
    assert list(PROVIDERS) == ["local", "s3", "gcs", "azure"]
    for found in TYPES:
        assert store_type(found.scheme) is found
        assert PROVIDERS[found.provider] is found


@pytest.mark.parametrize("found", TYPES, ids=lambda found: found.scheme)
def test_each_knows_its_own_options_and_says_what_is_wrong(found: StoreType) -> None:
    assert set(found.options) <= set(OPTIONS)
    assert found.name
    assert found.hint
    if not found.in_buckets:
        assert list(found.problems(Location(found.scheme))) == []
        return
    assert found.extra
    assert found.service_url.startswith("https://")
    (problem,) = found.problems(Location(found.scheme))
    assert problem.startswith("destination names no ")
    (wrong,) = found.problems(Location(found.scheme, "bucket", "a/../b"))
    assert "'a/../b'" in wrong


def test_none_imports_its_sdk_before_a_store_is_opened() -> None:
    script = (
        "import sys, brownie_backup.stores.s3, brownie_backup.stores.registry as r\n"
        "import brownie_backup.config\n"
        "r.STORE_TYPES['s3'].problems\n"
        "sdks = {'boto3', 'botocore', 'google.cloud', 'google.auth', 'azure.core', 'requests'}\n"
        "print(sorted(sdks & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"


def test_an_opened_store_tries_once() -> None:
    store = open_store(Location("file", path="/a"))
    assert isinstance(store, LocalStore)
    found = open_store(Location("s3", "bucket", region="x"))
    assert type(found).__name__ == "S3Store"


def test_what_nobody_serves_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no store for ftp://"):
        store_type("ftp")


def test_secrets_are_those_of_every_credential_and_in_it() -> None:
    token = (
        '{"type": "x", "private_key": "-----BEGIN\\nMIIEvplantedplanted\\n", "token_uri": "u://"}'
    )
    location = Location("file", access_key=Secret("a"), secret_key=Secret("b"), token=Secret(token))
    assert secrets_of(location) == (
        *("a", "b", token),
        *("-----BEGIN\nMIIEvplantedplanted\n", "MIIEvplantedplanted"),
    )
    assert secrets_of(Location("s3", token=Secret("{"))) == ("{",)
    assert secrets_of(Location("s3")) == ()
