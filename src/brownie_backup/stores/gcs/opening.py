"""From a location to a store: all checks that are possible before the first request."""

import logging
from urllib.parse import urlsplit

from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Client

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import StoreHint
from brownie_backup.stores.connections import mount
from brownie_backup.stores.gcs.credentials import DefaultCredentials, read_token
from brownie_backup.stores.gcs.problems import endpoint_of, find_problems
from brownie_backup.stores.gcs.store import GcsStore
from brownie_backup.stores.location import Location
from brownie_backup.stores.retry_policy import RetryPolicy

# Its warnings only repeat our errors, and would be printed where logging is not set up.
logging.getLogger("google").addHandler(logging.NullHandler())


def open_store(location: Location, retry_policy: RetryPolicy | None = None) -> GcsStore:
    """Return the store at a location.

    Nothing is sent yet: the first call shows whether the bucket is there and the credentials are
    good. Without a token, Google's own chain finds credentials, except for an emulator, which needs
    none.

    Raises:
        ConfigurationError: with all problems.
    """
    retry_policy = retry_policy or RetryPolicy()
    endpoint = endpoint_of(location)
    problems = list(find_problems(location))
    if problems:
        raise ConfigurationError(problems, hint=StoreHint.GCS_GUIDE)
    if location.token:
        credentials: Credentials = read_token(location.token)
    elif endpoint and not _is_google(endpoint):
        credentials = AnonymousCredentials()
    else:
        credentials = DefaultCredentials()
    client = _client(credentials, endpoint)
    return GcsStore(client, location, (retry_policy.connect_seconds, retry_policy.read_seconds))


def _client(credentials: Credentials, endpoint: str | None) -> Client:
    session = AuthorizedSession(credentials)
    options = {"universe_domain": credentials.universe_domain}
    if endpoint:
        options["api_endpoint"] = endpoint.rstrip("/")
    try:
        client = Client(
            project=None, credentials=credentials, client_options=options, _http=mount(session)
        )
    except ValueError as error:  # environment variables contradict each other
        problem = f"Google's library cannot be set up: {error}"
    else:
        # With it the library would ask for the bucket's own metadata, in its own thread, again and
        # again, with retries and a right that we need for nothing else.
        client._bucket_metadata_cache = None  # noqa: SLF001 - there is no other switch
        return client
    raise ConfigurationError([problem], hint=StoreHint.GCS_GUIDE)


def _is_google(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return host == "googleapis.com" or host.endswith(".googleapis.com")
