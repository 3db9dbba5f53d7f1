"""Putting and getting blobs of 32 MiB, against rclone and boto3 on the same server, in turns."""

import os
import secrets
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from brownie_backup.protocols import Store
from brownie_backup.secret import Secret
from brownie_backup.stores import RetryingStore
from brownie_backup.stores.location import Location
from tests.benchmarks.measuring import MIB, measure_peak, print_table
from tests.servers.objects import S3Server, script

BLOBS, BLOB_BYTES, THREADS, ROUNDS = 12, 32 * MIB, 3, 3
LEAST_SHARE = 0.6
"""How much of the quicker one's throughput ours must have; machines are noisy."""

pytestmark = pytest.mark.timeout(3600)


def _open(url: str, bucket: str, access_key: str, secret_key: str) -> Store:
    from brownie_backup.stores.s3 import open_store  # noqa: PLC0415 - in the measured process

    location = Location(
        *("s3", bucket, "ours", "us-east-1", url),
        access_key=Secret(access_key),
        secret_key=Secret(secret_key),
    )
    return RetryingStore(open_store(location))


def _each(work: Callable[[str], object]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(work, map(str, range(BLOBS))):
            pass


def put_ours(folder: Path, *server: str) -> None:
    """Put every blob, by our store."""
    store = _open(*server)
    _each(lambda name: store.put(name, (folder / name).read_bytes(), if_absent=False))


def get_ours(folder: Path, *server: str) -> None:
    """Get every blob, by our store."""
    store = _open(*server)
    _each(lambda name: (folder / f"got-{name}").write_bytes(store.get(name)))


def _client(url: str, access_key: str, secret_key: str) -> Any:  # noqa: ANN401 - boto3's own
    import boto3  # noqa: PLC0415 - in the measured process

    keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)


def put_boto3(folder: Path, url: str, bucket: str, *keys: str) -> None:
    """Put every blob, by boto3's own way."""
    client = _client(url, *keys)
    _each(lambda name: client.upload_file(str(folder / name), bucket, f"boto3/{name}"))


def get_boto3(folder: Path, url: str, bucket: str, *keys: str) -> None:
    """Get every blob, by boto3's own way."""
    client = _client(url, *keys)
    _each(lambda name: client.download_file(bucket, f"boto3/{name}", str(folder / f"got-{name}")))


def _rclone(*arguments: str, server: tuple[str, ...]) -> None:
    url, _, access_key, secret_key = server
    settings = {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_S3_PROVIDER": "Other",
        "RCLONE_S3_ENDPOINT": url,
        "RCLONE_S3_ACCESS_KEY_ID": access_key,
        "RCLONE_S3_SECRET_ACCESS_KEY": secret_key,
        "RCLONE_TRANSFERS": str(THREADS),
    }
    command = [script("rclone"), "copy", "--ignore-times", *arguments]
    subprocess.run(command, check=True, env=os.environ | settings)


def put_rclone(folder: Path, *server: str) -> None:
    """Put every blob, by rclone."""
    _rclone("--exclude=got-*", str(folder), f":s3:{server[1]}/rclone", server=server)


def get_rclone(folder: Path, *server: str) -> None:
    """Get every blob, by rclone."""
    _rclone(f":s3:{server[1]}/rclone", str(folder / "rclone"), server=server)


WAYS: dict[str, dict[str, Callable[..., None]]] = {
    "put": {"ours": put_ours, "boto3": put_boto3, "rclone": put_rclone},
    "get": {"ours": get_ours, "boto3": get_boto3, "rclone": get_rclone},
}


def test_throughput(s3_server: S3Server, tmp_path: Path) -> None:
    data = secrets.token_bytes(BLOB_BYTES)
    for number in range(BLOBS):
        (tmp_path / str(number)).write_bytes(number.to_bytes(8, "big") + data[8:])
    keys = (s3_server.access_key, s3_server.secret_key)
    server = (s3_server.endpoint_url, s3_server.new_bucket(), *keys)
    rows = []
    for verb, ways in WAYS.items():
        took: dict[str, list[float]] = {name: [] for name in ways}
        peak: dict[str, int] = {}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                began = time.perf_counter()
                peak[name] = measure_peak(way, tmp_path, *server)
                took[name].append(time.perf_counter() - began)
        rate = {n: BLOBS * BLOB_BYTES / MIB / statistics.median(each) for n, each in took.items()}
        for name in ways:
            memory = f"{peak[name] / MIB:.0f}" if name != "rclone" else "-"
            share = f"{rate['ours'] / rate[name]:.2f}"
            rows.append((verb, name, f"{rate[name]:.0f}", share, memory))
        assert rate["ours"] > LEAST_SHARE * max(rate.values()), (verb, rate)
    print_table(("", "by", "MiB/s", "ours against it", "peak MiB"), rows)
