"""From a location to a store: all checks that are possible before the first request."""

from typing import Any

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import StoreHint
from brownie_backup.stores.location import Location
from brownie_backup.stores.retry_policy import RetryPolicy
from brownie_backup.stores.s3.errors import store_error
from brownie_backup.stores.s3.problems import credential_problems, find_problems
from brownie_backup.stores.s3.store import S3Store, content_md5

_CONNECTIONS = 32
"""More than the number of threads: 16 that read manifests, a few with blobs, and the lease's."""


def open_store(location: Location, retry_policy: RetryPolicy | None = None) -> S3Store:
    """Return the store at a location.

    Nothing is sent yet: the first call shows whether the bucket is there and the credentials are
    good. Without keys, the library's default chain finds credentials: environment, profile, web
    identity, the role of the container or host.

    Raises:
        ConfigurationError: with all problems.
    """
    retry_policy = retry_policy or RetryPolicy()
    problems = [*find_problems(location), *credential_problems(location)]
    if problems:
        raise ConfigurationError(problems, hint=StoreHint.S3_GUIDE)
    try:
        client = _client(location, retry_policy)
    except (BotoCoreError, ValueError) as error:
        failure = store_error("cannot open the store", location.url, error)
    else:
        return S3Store(client, location)
    raise ConfigurationError([failure.message], hint=failure.hint)


def _client(location: Location, retry_policy: RetryPolicy) -> BaseClient:
    access, secret, token = location.access_key, location.secret_key, location.token
    session = boto3.session.Session(
        aws_access_key_id=access.reveal() if access else None,
        aws_secret_access_key=secret.reveal() if secret else None,
        aws_session_token=token.reveal() if token else None,
        region_name=location.region or None,
    )
    region, endpoint = session.region_name, location.endpoint_url or None
    if region is None and endpoint is None:
        # The library would use us-east-1, which is a guess.
        problem = "region is not set, and AWS's own configuration names no region either"
        raise ConfigurationError([problem], hint=StoreHint.S3_GUIDE)
    config = Config(
        connect_timeout=retry_policy.connect_seconds,
        read_timeout=retry_policy.read_seconds,
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
        # Only one try: RetryingStore repeats calls.
        retries={"total_max_attempts": 1, "mode": "standard"},
        # We send Content-MD5, which every service checks; newer checksums break some.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": location.addressing or ("path" if endpoint else "auto")},
    )
    client = session.client(
        "s3", region_name=region or "us-east-1", endpoint_url=endpoint, config=config
    )
    client.meta.events.register_last("before-parameter-build.s3", _stay)
    client.meta.events.register("before-call.s3.PutObjectRetention", _sum_by_md5)
    return client


def _stay(context: dict[str, Any], **_: object) -> None:
    """Keep the library from looking for a bucket's region when it is redirected.

    It sends requests that we don't expect, and repeats them without end if a redirect is not S3's.
    """
    context.setdefault("s3_redirect", {})["redirected"] = True


def _sum_by_md5(params: dict[str, Any], **_: object) -> None:
    """Let the library send Content-MD5 for a required checksum: some services know no newer."""
    params["context"].pop("checksum", None)
    params["headers"]["Content-MD5"] = content_md5(params["body"])
