"""AWS KMS for the tests: moto, for what no real server speaks.

It checks no signature, and lets a disabled key decrypt.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from tests.servers.objects import script
from tests.servers.process import Program, post

REGION = "eu-central-1"


class KmsServer(Program):
    """AWS KMS and IAM."""

    health = "/moto-api/"

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which AWS's SDK finds it, and finds nothing else."""
        return {
            "AWS_ENDPOINT_URL_KMS": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "the-secret-of-the-tests",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str = "kms") -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
        """Return a client of boto3 that may do everything."""
        return _client(service, self.endpoint_url)

    def new_key(self, **settings: str) -> str:
        """Create a key, and return its ARN."""
        made: str = self.client().create_key(**settings)["KeyMetadata"]["Arn"]
        return made

    def enforce_rights(self) -> None:
        """From now on, look at what the policies of IAM allow."""
        post(self.port, "/moto-api/reset-auth", "0", "text/plain")

    def _command(self) -> Sequence[str]:
        return (script("moto_server"), "-H", "127.0.0.1", "-p", str(self.port))


@functools.cache
def _client(service: str, endpoint_url: str) -> Any:  # noqa: ANN401 - see above
    import boto3  # noqa: PLC0415 - it takes half a second that few tests need

    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
