"""Whatever goes wrong below S3's library comes out as an error of ours, and holds no secret.

The answers come from a small HTTP server of our own: no real service gives most of them when asked.
"""
# ruff: noqa: D102 - the methods do what their names say

import gc
import inspect
import re
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import botocore.exceptions
import pytest
import urllib3.exceptions
from attrs import evolve, frozen
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from brownie_backup.config.vocabulary import VARIABLE_NAMES
from brownie_backup.errors import (
    AccessDenied,
    BackupError,
    BucketNotFound,
    ConfigurationError,
    KeyExists,
    KeyNotFound,
    ObjectArchived,
    ObjectLocked,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from brownie_backup.secret import Secret
from brownie_backup.stores import RetryPolicy
from brownie_backup.stores.location import Location
from brownie_backup.stores.s3 import S3Store, open_store
from brownie_backup.stores.s3.errors import SDK_ERRORS, store_error

ACCESS_KEY, SECRET_KEY, TOKEN = "AKIAPLANTED0123456789", "planted/secret+key", "planted-token"
SECRETS = (ACCESS_KEY, SECRET_KEY, TOKEN)
URL = "s3://bucket/prefix"
EXCEPTIONS = sorted(
    {
        kind
        for _, kind in inspect.getmembers(botocore.exceptions, inspect.isclass)
        if kind.__module__ == "botocore.exceptions" and not issubclass(kind, Warning)
    },
    key=lambda kind: kind.__name__,
)


def make(kind: type[Exception]) -> Exception:
    """Make one of the library's exceptions, with a secret in every field of its message."""
    if issubclass(kind, ClientError):
        return kind({"Error": {"Code": "Odd", "Message": f"key {ACCESS_KEY}"}}, "PutObject")
    template = getattr(kind, "fmt", "")
    fields = dict.fromkeys(re.findall(r"{(\w+)}", template), f"{SECRET_KEY} {ACCESS_KEY}")
    if issubclass(kind, botocore.exceptions.WaiterError):
        fields["last_response"] = ""
    return kind(**fields)


def told(error: BaseException) -> str:
    """Return whatever a log, a traceback or a debugger may show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


def assert_clean(error: BaseException) -> None:
    assert error.__cause__ is None
    assert error.__context__ is None
    text = told(error)
    assert [secret for secret in SECRETS if secret in text] == []
    assert not re.search(r"AWS4-HMAC|X-Amz-Signature=[^*]|Credential=", text)


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_every_exception_of_the_library_is_turned_into_ours(kind: type[Exception]) -> None:
    error = make(kind)
    assert isinstance(error, SDK_ERRORS)
    ours = store_error("cannot read 'key'", URL, error, SECRETS)
    assert isinstance(ours, StoreError)
    assert ours.message.startswith(f"cannot read 'key' in {URL}: ")
    assert ours.hint
    assert_clean(ours)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (botocore.exceptions.NoCredentialsError(), AccessDenied),
        (botocore.exceptions.PartialCredentialsError(provider="x", cred_var="y"), AccessDenied),
        (
            botocore.exceptions.CredentialRetrievalError(provider="x", error_msg=SECRET_KEY),
            AccessDenied,
        ),
        (botocore.exceptions.TokenRetrievalError(provider="x", error_msg="y"), AccessDenied),
        (botocore.exceptions.UnauthorizedSSOTokenError(), AccessDenied),
        (botocore.exceptions.SSOTokenLoadError(error_msg="x"), AccessDenied),
        (botocore.exceptions.LoginRefreshRequired(), AccessDenied),
        (botocore.exceptions.MetadataRetrievalError(error_msg=SECRET_KEY), StoreUnavailable),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="x"), StoreUnavailable),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="x"), StoreUnavailable),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="x"), StoreUnavailable),
        (botocore.exceptions.ConnectionClosedError(endpoint_url="x"), StoreUnavailable),
        (botocore.exceptions.ProxyConnectionError(proxy_url="x"), StoreUnavailable),
        (botocore.exceptions.ResponseStreamingError(error="x"), StoreUnavailable),
        (botocore.exceptions.HTTPClientError(error="x"), StoreUnavailable),
        (
            botocore.exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
            StoreUnavailable,
        ),
        (
            botocore.exceptions.SSLError(
                endpoint_url="x", error="EOF occurred in violation of protocol"
            ),
            StoreUnavailable,
        ),
        (urllib3.exceptions.ProtocolError("x"), StoreUnavailable),
        (ConnectionResetError(), StoreUnavailable),
        (ResponseParserError("x"), StoreUnavailable),
        (ValueError("x"), StoreUnavailable),
    ],
)
def test_what_may_be_tried_again_and_what_not(error: Exception, expected: type[StoreError]) -> None:
    ours = store_error("cannot read 'key'", URL, error, SECRETS)
    assert type(ours) is expected
    assert_clean(ours)


def test_a_certificate_that_is_not_trusted_is_no_outage() -> None:
    error = botocore.exceptions.SSLError(
        endpoint_url="https://x", error="certificate verify failed: self-signed certificate"
    )
    ours = store_error("cannot read 'key'", URL, error)
    assert type(ours) is StoreError
    assert "AWS_CA_BUNDLE" in ours.worded(VARIABLE_NAMES)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            botocore.exceptions.EndpointConnectionError,
            'Could not connect to the endpoint URL: "https://x:9000" ([Errno 111] refused)',
        ),
        (botocore.exceptions.ReadTimeoutError, "no answer in time (https://x:9000)"),
        (botocore.exceptions.SSLError, "SSL validation failed for https://x:9000 <botocore"),
    ],
)
def test_whom_we_spoke_to_is_said_and_no_more(kind: Callable[..., Exception], said: str) -> None:
    below = "<botocore.awsrequest.AWSHTTPConnection object at 0x7f00>: [Errno 111] refused"
    url = "https://x:9000/bucket/key?list-type=2&X-Amz-Signature=abc"
    ours = store_error("cannot read 'key'", URL, kind(endpoint_url=url, error=below))
    assert said in ours.message
    assert "bucket/key" not in ours.message


# --- answers of a service ------------------------------------------------------------------------


@frozen
class Answer:
    """What the server says to every request."""

    status: int
    code: str = ""
    text: str = "as it says"
    more: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    length: int | None = None
    """What it says that the body's length is, if it lies."""

    def bytes(self) -> bytes:
        xml = f"<Error><Code>{self.code}</Code><Message>{self.text}</Message>{self.more}</Error>"
        body = xml.encode() if self.body is None else self.body
        length = len(body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status} Anything", f"Content-Length: {length}"]
        lines += ["Connection: close", *(": ".join(header) for header in self.headers)]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Server:
    """Gives one answer, whatever it is asked, and remembers the requests."""

    def __init__(self) -> None:
        self.answer = Answer(500)
        self.requests: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        # A thread that waits in accept() is woken by a connection, not by closing the socket.
        self._closed = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._socket.close()

    _closed = False

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                if self._closed:
                    return
                request = self._read(connection)
                self.requests.append(request)
                connection.sendall(self.answer.bytes())

    def _read(self, connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        while length and len(body) < int(length[1]):
            if b"100-continue" in head and not body:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that hears nothing late from other tests."""
    running = Server()
    yield running
    running.close()


@pytest.fixture(scope="module")
def location(server: Server) -> Location:
    return Location(
        *("s3", "bucket", "prefix"),
        endpoint_url=f"http://127.0.0.1:{server.port}",
        access_key=Secret(ACCESS_KEY),
        secret_key=Secret(SECRET_KEY),
        token=Secret(TOKEN),
    )


@pytest.fixture(scope="module")
def store(location: Location) -> Iterator[S3Store]:
    store = open_store(location, RetryPolicy(connect_seconds=5, read_seconds=5))
    yield store
    store.client.close()


CALLS: dict[str, Callable[[S3Store], object]] = {
    "put": lambda store: store.put("key", b"data"),
    "create": lambda store: store.put("key", b"data", if_absent=True),
    "get": lambda store: store.get("key"),
    "list": lambda store: list(store.list("")),
    "delete": lambda store: store.delete("key"),
}

REGION = "<Region>eu-west-3</Region>"
ANSWERS: list[tuple[Answer, type[BackupError], str]] = [
    (Answer(403, "AccessDenied"), AccessDenied, "s3:ListBucket"),
    (Answer(403, "InvalidAccessKeyId"), AccessDenied, "BACKUP_ACCESS_KEY"),
    (Answer(403, "SignatureDoesNotMatch"), AccessDenied, "BACKUP_SECRET_KEY"),
    (Answer(400, "ExpiredToken"), AccessDenied, "new ones"),
    (Answer(400, "InvalidToken"), AccessDenied, "BACKUP_ACCESS_KEY"),
    (Answer(401, "Odd"), AccessDenied, "BACKUP_ACCESS_KEY"),
    (Answer(403, "Odd"), AccessDenied, "s3:ListBucket"),
    (Answer(403, "RequestTimeTooSkewed"), AccessDenied, "clock"),
    (Answer(404, "NoSuchBucket"), BucketNotFound, "BACKUP_DESTINATION"),
    (Answer(400, "InvalidBucketName"), BucketNotFound, "BACKUP_DESTINATION"),
    (Answer(400, "AuthorizationHeaderMalformed", more=REGION), StoreError, "'eu-west-3'"),
    (Answer(301, "PermanentRedirect"), StoreError, "BACKUP_REGION"),
    (
        Answer(301, "PermanentRedirect", headers=(("x-amz-bucket-region", "eu-west-3"),)),
        StoreError,
        "'eu-west-3'",
    ),
    (Answer(409, "ConditionalRequestConflict"), StoreUnavailable, "as it says"),
    (Answer(409, "OperationAborted"), StoreUnavailable, "as it says"),
    (Answer(400, "RequestTimeout"), StoreUnavailable, "as it says"),
    (Answer(408), StoreUnavailable, "as it says"),
    (Answer(429), StoreUnavailable, "as it says"),
    (Answer(500, "InternalError"), StoreUnavailable, "as it says"),
    (Answer(502, body=b"<html>Bad Gateway"), StoreUnavailable, "502"),
    (Answer(503, "SlowDown"), StoreUnavailable, "as it says"),
    (Answer(503, "ServiceUnavailable"), StoreUnavailable, "as it says"),
    (Answer(503, body=b""), StoreUnavailable, "503"),
    (Answer(504, body=b"upstream timed out"), StoreUnavailable, "504"),
    (Answer(400, "ThrottlingException"), StoreUnavailable, "as it says"),
    (Answer(503, "TooManyRequestsException"), StoreUnavailable, "as it says"),
    (Answer(400, "BadDigest"), StoreUnavailable, "on the way"),
    (Answer(400, "XAmzContentSHA256Mismatch"), StoreUnavailable, "on the way"),
    (Answer(302, headers=(("Location", "https://portal/"),)), StoreError, "BACKUP_ENDPOINT_URL"),
    (Answer(307), StoreUnavailable, "BACKUP_REGION"),
    (Answer(307, "TemporaryRedirect"), StoreUnavailable, "BACKUP_REGION"),
    (Answer(400, "IncompleteBody"), StoreUnavailable, "on the way"),
    (Answer(507, "XMinioStorageFull"), StoreFull, "Free some space"),
    (Answer(403, "QuotaExceeded"), StoreFull, "Free some space"),
    (Answer(400, "XMinioAdminBucketQuotaExceeded"), StoreFull, "Free some space"),
    (Answer(507), StoreFull, "Free some space"),
    (Answer(403, "InvalidObjectState"), ObjectArchived, "moved to an archive class"),
    (Answer(400, "KMS.DisabledException"), AccessDenied, "BACKUP_SSE_KMS_KEY"),
    (Answer(400, "KMS.NotFoundException"), AccessDenied, "BACKUP_SSE_KMS_KEY"),
    (Answer(400, "KMS.ThrottlingException"), StoreUnavailable, "as it says"),
    (
        Answer(403, "AccessDenied", text="not authorized to perform: kms:Decrypt on resource"),
        AccessDenied,
        "BACKUP_SSE_KMS_KEY",
    ),
    (Answer(400, "KMSInternalException"), AccessDenied, "BACKUP_SSE_KMS_KEY"),
    (Answer(400, "InvalidRequest", text="Object is WORM protected"), ObjectLocked, "WORM"),
    (Answer(400, "InvalidStorageClass"), StoreError, "BACKUP_STORAGE_CLASS"),
    (Answer(400, "InvalidTag"), StoreError, "BACKUP_OBJECT_TAGS"),
    (Answer(400, "InvalidRequest"), StoreError, "BACKUP_OBJECT_LOCK_DAYS"),
    (Answer(501, "NotImplemented"), StoreError, "create-if-absent"),
    (Answer(400, "Unheard-of"), StoreError, "Unheard-of: as it says"),
    (Answer(400, body=b"<html>"), StoreError, "400"),
]


@pytest.mark.parametrize(
    ("answer", "expected", "said"), ANSWERS, ids=[f"{a.status}-{a.code}" for a, *_ in ANSWERS]
)
def test_answers_that_are_errors(
    server: Server, store: S3Store, answer: Answer, expected: type[BackupError], said: str
) -> None:
    server.answer = answer
    for call in CALLS.values():
        server.requests.clear()
        with pytest.raises(BackupError) as raised:
            call(store)
        assert type(raised.value) is expected
        assert said in raised.value.worded(VARIABLE_NAMES)
        assert raised.value.hint
        assert_clean(raised.value)
        assert len(server.requests) == 1
        assert ACCESS_KEY.encode() in server.requests[0]
        assert TOKEN.encode() in server.requests[0]


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion", ""])
def test_not_found_depends_on_what_was_looked_for(
    server: Server, store: S3Store, code: str
) -> None:
    server.answer = Answer(404, code)
    with pytest.raises(KeyNotFound):
        store.get("key")
    store.delete("key")
    for call in ("put", "list"):
        with pytest.raises(BucketNotFound, match="address of an S3 API"):
            CALLS[call](store)


@pytest.mark.parametrize("code", ["PreconditionFailed", ""])
def test_a_precondition_that_failed_is_a_key_that_exists(
    server: Server, store: S3Store, code: str
) -> None:
    server.answer = Answer(412, code)
    with pytest.raises(KeyExists, match="'key' in s3://bucket/prefix: it exists") as raised:
        store.put("key", b"data", if_absent=True)
    assert_clean(raised.value)


@pytest.mark.parametrize(("value", "seconds"), [("17", 17), (" 0 ", 0), ("0", 0)])
def test_the_service_may_say_how_long_to_wait(
    server: Server, store: S3Store, value: str, seconds: float
) -> None:
    server.answer = Answer(503, "SlowDown", headers=(("Retry-After", value),))
    for call in CALLS.values():
        with pytest.raises(StoreUnavailable) as raised:
            call(store)
        assert raised.value.retry_after_seconds == seconds


@pytest.mark.parametrize(("ahead", "least", "most"), [(3600, 3000, 3600), (-3600, 0, 0)])
def test_the_service_may_say_when_to_come_back(
    server: Server, store: S3Store, ahead: int, least: float, most: float
) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    server.answer = Answer(503, "SlowDown", headers=(("Retry-After", at),))
    with pytest.raises(StoreUnavailable) as raised:
        store.get("key")
    assert raised.value.retry_after_seconds is not None
    assert least <= raised.value.retry_after_seconds <= most


@pytest.mark.parametrize("value", ["", "soon", "-1", "Sun, 99 Nov 2026 00:00:00 GMT", "1e3"])
def test_nonsense_in_that_header_is_passed_over(server: Server, store: S3Store, value: str) -> None:
    server.answer = Answer(503, headers=(("Retry-After", value),))
    with pytest.raises(StoreUnavailable) as raised:
        store.get("key")
    assert raised.value.retry_after_seconds is None


def test_a_body_that_is_shorter_than_it_says_is_no_object(server: Server, store: S3Store) -> None:
    server.answer = Answer(200, body=b"half", length=8)
    with pytest.raises(StoreUnavailable, match="cut off") as raised:
        store.get("key")
    assert_clean(raised.value)
    server.answer = Answer(200, body=b"half")
    assert store.get("key") == b"half"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not one of an S3 service"),
        (b"<html><body>Welcome</body></html>", "not one of an S3 service"),
        (b"<html>", "cannot"),
        (b"{}", "cannot"),
    ],
)
def test_a_server_that_is_no_s3_has_neither_an_empty_listing_nor_stored_anything(
    server: Server, store: S3Store, body: bytes, said: str
) -> None:
    server.answer = Answer(200, body=body)
    for call in ("list", "put", "create"):
        with pytest.raises(StoreError, match=said) as raised:
            CALLS[call](store)
        assert_clean(raised.value)


def test_a_listing_that_does_not_say_how_it_goes_on_is_not_the_end(
    server: Server, store: S3Store
) -> None:
    body = b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"
    server.answer = Answer(200, body=body)
    with pytest.raises(StoreError, match="breaks off"):
        list(store.list(""))


def test_what_the_service_says_is_cleaned(server: Server, store: S3Store) -> None:
    text = f"key {ACCESS_KEY} or ASIAOTHER0123456789 at https://x/?X-Amz-Signature=0123&amp;a=b"
    server.answer = Answer(400, "Odd", text=text)
    with pytest.raises(StoreError) as raised:
        store.get("key")
    assert_clean(raised.value)
    assert "ASIAOTHER" not in raised.value.message
    assert "0123&" not in raised.value.message
    assert "&a=b" in raised.value.message


def test_nothing_of_the_library_hangs_on_an_error(server: Server, store: S3Store) -> None:
    """Its exceptions and requests hold the signature; our error must not lead to them."""
    server.answer = Answer(403, "AccessDenied")
    with pytest.raises(AccessDenied) as raised:
        store.put("key", b"data")
    seen: set[int] = set()
    waiting: list[object] = [raised.value.with_traceback(None)]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or inspect.ismodule(each) or inspect.isclass(each):
            continue
        seen.add(id(each))
        assert not isinstance(each, Exception) or each is raised.value
        waiting += gc.get_referents(each)


# --- opening -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"host": ""}, ["destination names no bucket"]),
        ({"path": "a//b"}, ["destination: 'a//b' has an empty part, '.' or '..' in it"]),
        ({"path": "../b"}, ["destination: '../b' has an empty part, '.' or '..' in it"]),
        ({"secret_key": None}, ["access_key is set without a secret key"]),
        ({"access_key": None}, ["secret_key is set without an access key"]),
        (
            {"access_key": Secret("AKIA 1"), "token": Secret("t\n")},
            [
                "access_key has a space in it, or another character that no key has",
                "token has a space in it, or another character that no key has",
            ],
        ),
        (
            {"access_key": None, "secret_key": None},
            ["token, a session's token, is set without an access key"],
        ),
        (
            {"endpoint_url": "localhost:9000"},
            ["endpoint_url must begin with https:// or http://, and a host"],
        ),
        (
            {"endpoint_url": "https://"},
            ["endpoint_url must begin with https:// or http://, and a host"],
        ),
        ({"endpoint_url": "http://[::1"}, ["endpoint_url is not a URL"]),
        ({"endpoint_url": "http://x:99999"}, ["endpoint_url is not a URL"]),
        (
            {"endpoint_url": f"http://{ACCESS_KEY}:{TOKEN}@x"},
            [
                "endpoint_url has a user in it: credentials have variables of their own",
            ],
        ),
        (
            {"storage_class": "deep_archive", "object_lock_days": 0, "object_lock_mode": "x"},
            [
                (
                    "storage_class 'deep_archive' cannot be read at once, which every "
                    "backup, verification and restore needs; GLACIER_IR can"
                ),
                "object_lock_days (0) is not 1 or more",
                "object_lock_mode 'x' is not compliance or governance",
            ],
        ),
        (
            {"tags": {str(number): "" for number in range(11)}},
            ["object_tags has 11 tags; S3 takes 10"],
        ),
        ({"tags": {"": "x"}}, ["object_tags: '' or its value is empty or too long"]),
        ({"region": "not a region"}, None),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    server: Server,
    location: Location,
    changes: dict[str, object],
    problems: list[str] | None,
) -> None:
    before = len(server.requests)
    with pytest.raises(ConfigurationError) as raised:
        open_store(evolve(location, **changes))  # type: ignore[arg-type]  # each of its own type
    assert_clean(raised.value)
    assert raised.value.hint
    if problems is None:
        assert "region" in raised.value.worded(VARIABLE_NAMES)
    else:
        assert list(raised.value.problems) == problems
    assert len(server.requests) == before


@pytest.fixture
def _no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Let the library find nothing of its own on this host."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/credentials")


@pytest.mark.usefixtures("_no_aws")
def test_a_region_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Location("s3", "bucket")
    with pytest.raises(ConfigurationError, match="region is not set"):
        open_store(nowhere)
    assert open_store(evolve(nowhere, region="eu-west-3")).client.meta.region_name == "eu-west-3"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    assert open_store(nowhere).client.meta.region_name == "eu-north-1"


@pytest.mark.usefixtures("_no_aws")
def test_without_keys_the_default_chain_is_asked(
    own_server: Server, location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = evolve(
        location,
        endpoint_url=f"http://127.0.0.1:{own_server.port}",
        access_key=None,
        secret_key=None,
        token=None,
    )
    store = open_store(bare)
    for call in CALLS.values():
        with pytest.raises(AccessDenied, match="there are no credentials") as raised:
            call(store)
        assert_clean(raised.value)
    assert not own_server.requests
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFROMTHECHAIN0000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "chain")
    with pytest.raises(StoreUnavailable):
        open_store(bare).get("key")
    assert b"AKIAFROMTHECHAIN0000" in own_server.requests[-1]


@pytest.mark.usefixtures("_no_aws")
def test_a_profile_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of-nobody")
    with pytest.raises(ConfigurationError, match=r"of-nobody.*AWS_PROFILE"):
        open_store(Location("s3", "bucket", region="eu-west-3"))


@pytest.mark.parametrize("kind", [FileNotFoundError, PermissionError])
def test_a_token_file_that_cannot_be_read_is_named_at_once(kind: type[OSError]) -> None:
    error = kind(13, "Permission denied", "/var/run/secrets/token")
    ours = store_error("cannot read 'key'", URL, error)
    assert type(ours) is AccessDenied  # which is not repeated
    assert "'/var/run/secrets/token' cannot be read: Permission denied" in ours.message


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.CredentialRetrievalError(provider="container-role", error_msg="503"),
        botocore.exceptions.MetadataRetrievalError(error_msg="connection refused"),
        botocore.exceptions.EndpointConnectionError(endpoint_url="https://sts.amazonaws.com"),
        ClientError({"Error": {"Code": "IDPCommunicationError"}}, "AssumeRoleWithWebIdentity"),
        ClientError({"Error": {"Code": "InternalFailure"}}, "AssumeRole"),
    ],
)
def test_an_identity_service_that_is_away_for_a_moment_is_asked_again(error: Exception) -> None:
    assert type(store_error("cannot read 'key'", URL, error)) is StoreUnavailable
