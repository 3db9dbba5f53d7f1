"""URLs of stores: what they say, and what is wrong with them, never with a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownie_backup.retention.rules import policy_from
from brownie_backup.secret import Secret
from brownie_backup.stores.location import Location
from brownie_backup.stores.options import OPTIONS, read_endpoint, read_tags
from brownie_backup.stores.urls import parse_location

PLANTED = "s3cr3t-Pl4nted"


@pytest.mark.parametrize(
    ("text", "location", "url"),
    [
        ("file:///mnt/a", Location("file", path="/mnt/a"), "file:///mnt/a"),
        ("file:///mnt/a%20b%3F", Location("file", path="/mnt/a b?"), "file:///mnt/a%20b%3F"),
        ("s3://bucket", Location("s3", "bucket"), "s3://bucket"),
        ("s3://bucket/", Location("s3", "bucket"), "s3://bucket"),
        ("S3://bucket//a/b/", Location("s3", "bucket", "a/b"), "s3://bucket/a/b"),
        ("gs://bucket/a", Location("gs", "bucket", "a"), "gs://bucket/a"),
        ("azure://box/a", Location("azure", "box", "a"), "azure://box/a"),
        (
            "sftp://host:22/a/b?cache=8&region=x",
            Location("sftp", "host:22", "/a/b", region="x", options={"cache": "8"}),
            "sftp://host:22/a/b",
        ),
    ],
)
def test_a_url_is_read_and_shown_again(text: str, location: Location, url: str) -> None:
    assert parse_location(text) == location
    assert location.url == url
    assert parse_location(url).url == url


def test_all_options_of_a_url() -> None:
    location = parse_location(
        "s3://bucket/a?region=eu-west-1&endpoint_url=https://minio:9000&s3_addressing=Virtual&sse_kms_key=alias/b"
        "&storage_class=STANDARD_IA&object_tags=team=data%2Cenv=prod&object_lock_days=30"
        "&object_lock_mode=Governance&retention_days=365&keep_daily=7&most_deleted_percent=10"
    )
    assert location == Location(
        "s3",
        "bucket",
        "a",
        region="eu-west-1",
        endpoint_url="https://minio:9000",
        addressing="virtual",
        sse_kms_key="alias/b",
        storage_class="STANDARD_IA",
        tags={"team": "data", "env": "prod"},
        object_lock_days=30,
        object_lock_mode="governance",
        retention=policy_from(
            {"retention_days": "365", "keep_daily": "7", "most_deleted_percent": "10"}
        ),
    )
    assert location.url == "s3://bucket/a"
    for option in OPTIONS:
        assert getattr(location, option.field)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"s3://key:{PLANTED}@bucket", "holds credentials"),
        (f"s3://{PLANTED}@bucket/a", "holds credentials"),
        (f"s3://key:slash/{PLANTED}@bucket/a", "holds credentials"),
        *(
            (f"s3://bucket?{name}={PLANTED}", "holds a secret")
            for name in (
                *("access_key", "accesskey", "AWSAccessKeyId", "secret_key", "token", "password"),
                *("X-Amz-Signature", "sig", "account_key", "api_key", "key", "pwd", "sas"),
            )
        ),
        (f"third://host?passphrase={PLANTED}", "holds a secret"),
        (f"s3://bucket/a#{PLANTED}", "has a '#' in it"),
        ("file://mnt/a", "names no folder"),
        ("file:///", "names no folder"),
        ("file://", "names no folder"),
        ("s3://", "names no bucket"),
        ("gs:///a", "names no bucket"),
        ("s3://localhost:9000/bucket", "endpoint_url="),
        ("s3://bucket?nonsense=1&more=2", "s3:// does not have: more, nonsense"),
        ("file:///mnt/a?nonsense=1", "file:// does not have: nonsense"),
        ("s3://bucket?region", "is not a URL"),
        ("s3://[bucket", "is not a URL"),
        ("s3://bucket?region=a&region=b", "says something twice"),
        (
            f"s3://bucket?endpoint_url=https://u:{PLANTED}@host",
            "wrong endpoint_url, which has more",
        ),
        ("s3://bucket?endpoint_url=minio:9000", "wrong endpoint_url, which is not an endpoint"),
        ("s3://bucket?s3_addressing=host", "wrong s3_addressing, which is none of"),
        ("gs://bucket?s3_addressing=path", "gs:// does not have: s3_addressing"),
        ("s3://bucket?object_lock_days=0", "wrong object_lock_days, which is not a whole number"),
        ("s3://bucket?object_lock_mode=x", "wrong object_lock_mode, which is none of"),
        ("gs://bucket?region=x", "gs:// does not have: region"),
        ("s3://bucket?keep_daily=x", "wrong retention: keep_daily ('x')"),
        ("s3://bucket?keep_dayly=7", "keep_dayly is not a rule of retention: did you mean keep_d"),
        ("s3://bucket?object_tags=x", "wrong object_tags, which has a tag that is not key=value"),
    ],
)
def test_what_is_wrong_is_said_and_no_secret_shown(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^ ") as caught:
        parse_location(text)
    assert problem in str(caught.value)
    assert PLANTED not in str(caught.value)
    assert caught.value.__cause__ is None


def test_credentials_are_not_in_what_is_shown() -> None:
    secret = Secret(PLANTED)
    location = Location("s3", "bucket", access_key=secret, secret_key=secret, token=secret)
    assert PLANTED not in repr(location) + str(location) + location.url


@given(st.text("abs3:/?=&#@%.[]'", max_size=30))
def test_whatever_the_text_it_is_a_location_or_a_problem(text: str) -> None:
    try:
        location = parse_location(text)
    except ValueError as error:
        said = str(error)
        assert said.startswith(" ")
    else:
        assert "@" not in location.host
        assert isinstance(location.url, str)


@pytest.mark.parametrize("text", ["https://host", "http://127.0.0.1:9000", "https://host/path"])
def test_an_endpoint_is_the_address_of_a_service(text: str) -> None:
    assert read_endpoint(text) == text


@pytest.mark.parametrize(
    "text",
    ["host", "ftp://host", "https://", "https://[", "https://host:x", "https://:9", "http://h?a=b"],
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^ (is not an endpoint|has more in it)"):
        read_endpoint(text)


def test_tags_are_keys_and_values() -> None:
    assert read_tags("a=1, b=,c=x=y") == {"a": "1", "b": "", "c": "x=y"}
    for text in ("", "a", "=1", "a=1,,b=2"):
        with pytest.raises(ValueError, match="not key=value"):
            read_tags(text)
