"""Where a test's backups go: each store that there is, as a user's environment names it."""

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
    """fake-gcs-server, by a URL."""
    server = request.getfixturevalue("gcs_server")
    return {
        "BACKUP_DESTINATION": f"gs://{server.new_bucket()}/database",
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


STORES: dict[str, Callable[[pytest.FixtureRequest], Environment]] = {
    each.__name__: each for each in (local, s3, gcs, azure)
}
