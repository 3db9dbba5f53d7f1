"""Where the name of a bucket goes in an address."""

import pytest
from attrs import evolve

from brownie_backup.config import load_settings
from brownie_backup.secret import Secret
from brownie_backup.stores.location import Location
from brownie_backup.stores.s3 import open_store

LOCATION = Location(
    "s3", "bucket", region="eu-west-1", access_key=Secret("AKIAEXAMPLE"), secret_key=Secret("x")
)
ELSEWHERE = "https://s3.example.com"


@pytest.mark.parametrize(
    ("endpoint", "addressing", "address"),
    [
        (None, None, "https://bucket.s3"),
        (None, "path", "https://s3.eu-west-1.amazonaws.com/bucket/"),
        (ELSEWHERE, None, "https://s3.example.com/bucket/"),
        (ELSEWHERE, "path", "https://s3.example.com/bucket/"),
        (ELSEWHERE, "virtual", "https://bucket.s3.example.com/"),
    ],
)
def test_the_bucket_is_in_the_path_or_in_the_host(
    endpoint: str | None, addressing: str | None, address: str
) -> None:
    store = open_store(evolve(LOCATION, endpoint_url=endpoint, addressing=addressing))
    url = store.client.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "key"})
    assert url.startswith(address)


def test_a_copy_in_the_same_service_has_the_same_addressing() -> None:
    settings = load_settings(
        {
            "BACKUP_DESTINATION": "s3://one",
            "BACKUP_ENDPOINT_URL": ELSEWHERE,
            "BACKUP_S3_ADDRESSING": "virtual",
            "BACKUP_COPY_TO": f"s3://two?endpoint_url={ELSEWHERE} s3://three?region=x",
        }
    )
    assert [each.addressing for each in settings.stores.values()] == ["virtual", "virtual", None]
