"""What the listing of a bucket says about archive classes."""

from attrs import evolve
from tests.unit.scripted import Answer, ScriptedService

from brownie_backup.protocols import Availability
from brownie_backup.secret import Secret
from brownie_backup.stores import RetryPolicy
from brownie_backup.stores.location import Location
from brownie_backup.stores.s3 import S3Store, open_store

LOCATION = Location("s3", "box", access_key=Secret("AKIAEXAMPLE"), secret_key=Secret("secret"))
LONG_AGO, LATELY = "2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"
TIERING = (
    "<ListBucketIntelligentTieringConfigurationsOutput><IntelligentTieringConfiguration>"
    "<Id>a</Id><Status>{}</Status></IntelligentTieringConfiguration>"
    "</ListBucketIntelligentTieringConfigurationsOutput>"
)


def opened(service: ScriptedService) -> S3Store:
    return open_store(evolve(LOCATION, endpoint_url=service.url), RetryPolicy(read_seconds=5))


def listing(*entries: tuple[str, str], more: str = "", modified: str = LONG_AGO) -> Answer:
    contents = "".join(
        f"<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><Size>3</Size>"
        f"<StorageClass>{storage_class}</StorageClass>{more}</Contents>"
        for key, storage_class in entries
    )
    return Answer(
        200,
        f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>".encode(),
    )


def found(service: ScriptedService) -> dict[str, Availability]:
    return {each.key: each.availability for each in opened(service).list("")}


def test_archive_classes_are_seen() -> None:
    entries = [("a", "STANDARD"), ("b", "GLACIER"), ("c", "DEEP_ARCHIVE"), ("d", "GLACIER_IR")]
    with ScriptedService(listing(*entries), listing(*entries)) as service:
        assert found(service) == {
            "a": Availability.READABLE,
            "b": Availability.ARCHIVED,
            "c": Availability.ARCHIVED,
            "d": Availability.READABLE,
        }
        first, second = service.asked
    assert "x-amz-optional-object-attributes" not in {name.lower() for name in first.headers}
    assert second.headers["x-amz-optional-object-attributes"] == "RestoreStatus"


def test_an_object_that_was_retrieved_can_be_read() -> None:
    entry = ("b", "GLACIER")
    ready = (
        "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>"
        f"<RestoreExpiryDate>{LATELY}</RestoreExpiryDate></RestoreStatus>"
    )
    late = "<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>"
    for more, expected in ((ready, Availability.FOR_A_TIME), (late, Availability.ARCHIVED)):
        with ScriptedService(listing(entry), listing(entry, more=more)) as service:
            assert found(service) == {"b": expected}


def test_a_service_that_does_not_know_what_was_retrieved_is_believed() -> None:
    with ScriptedService(listing(("b", "GLACIER")), Answer(501)) as service:
        assert found(service) == {"b": Availability.ARCHIVED}


def test_archive_tiers_are_asked_for_where_a_bucket_has_them() -> None:
    entries = [("a", "INTELLIGENT_TIERING"), ("b", "INTELLIGENT_TIERING")]
    archived = Answer(200, b"", {"x-amz-archive-status": "ARCHIVE_ACCESS"})
    answers = (
        listing(*entries),
        Answer(200, TIERING.format("Enabled").encode()),
        archived,
        Answer(200),
    )
    with ScriptedService(*answers) as service:
        assert found(service) == {"a": Availability.ARCHIVED, "b": Availability.READABLE}


def test_archive_tiers_cost_one_request_where_a_bucket_has_none() -> None:
    entries = [("a", "INTELLIGENT_TIERING"), ("b", "INTELLIGENT_TIERING")]
    for answer in (Answer(200, TIERING.format("Disabled").encode()), Answer(403)):
        with ScriptedService(listing(*entries), answer) as service:
            assert {*found(service).values()} == {Availability.READABLE}
    with ScriptedService(listing(*entries, modified=LATELY)) as service:
        assert {*found(service).values()} == {Availability.READABLE}
