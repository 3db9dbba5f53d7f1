"""Where a test's backups go: each store that there is, as a user's environment names it."""

import secrets
from collections.abc import Callable

import pytest

Environment = dict[str, str]


def local(request: pytest.FixtureRequest) -> Environment:
    """A folder."""
    folder = request.getfixturevalue("tmp_path") / "store"
    return {"BACKUP_PROVIDER": "local", "BACKUP_DESTINATION": str(folder)}


def s3(request: pytest.FixtureRequest) -> Environment:
    """SeaweedFS."""
    server = request.getfixturevalue("s3_server")
    return {
        "BACKUP_PROVIDER": "s3",
        "BACKUP_DESTINATION": f"{server.new_bucket()}/database",
        "BACKUP_ACCESS_KEY": server.access_key,
        "BACKUP_SECRET_KEY": server.secret_key,
        "BACKUP_REGION": server.region,
        "BACKUP_ENDPOINT_URL": server.endpoint_url,
    }


def gcs(request: pytest.FixtureRequest) -> Environment:
    """fake-gcs-server."""
    server = request.getfixturevalue("gcs_server")
    return {
        "BACKUP_PROVIDER": "gcs",
        "BACKUP_DESTINATION": f"{server.new_bucket()}/database",
        "BACKUP_ENDPOINT_URL": server.endpoint_url,
    }


def azure(request: pytest.FixtureRequest) -> Environment:
    """Azurite."""
    server = request.getfixturevalue("azure_server")
    return {
        "BACKUP_PROVIDER": "azure",
        "BACKUP_DESTINATION": f"{server.new_container()}/database",
        "BACKUP_ACCESS_KEY": server.account,
        "BACKUP_SECRET_KEY": server.key,
        "BACKUP_ENDPOINT_URL": server.endpoint_url,
    }


def s3_by_url(request: pytest.FixtureRequest) -> Environment:
    """SeaweedFS, all of it in a URL but for the secrets."""
    server = request.getfixturevalue("s3_server")
    query = f"region={server.region}&endpoint_url={server.endpoint_url}"
    return {
        "BACKUP_DESTINATION": f"s3://{server.new_bucket()}/{secrets.token_hex(4)}?{query}",
        "BACKUP_ACCESS_KEY": server.access_key,
        "BACKUP_SECRET_KEY": server.secret_key,
    }


STORES: dict[str, Callable[[pytest.FixtureRequest], Environment]] = {
    each.__name__: each for each in (local, s3, gcs, azure, s3_by_url)
}
