"""From variables to stores: where each is, whose credentials it gets, and which comes first."""

import sys
import tomllib
from pathlib import Path

import pytest

from brownie_backup.config import OpenStores, load_settings, make_repositories, make_store
from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import install_command
from brownie_backup.stores import LocalStore, RetryingStore
from brownie_backup.stores.location import Location
from brownie_backup.stores.urls import parse_location

ROOT = Path(__file__).parents[2]

PLANTED = "s3cr3t-Pl4nted"
CLEAR = {"BACKUP_ENCRYPTION": "no"}


def found(**variables: str) -> tuple[Location, ...]:
    settings = load_settings({f"BACKUP_{name}": text for name, text in variables.items()})
    return (settings.primary, *settings.copies)


def problems(**variables: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        found(**variables)
    assert PLANTED not in str(caught.value)
    assert PLANTED not in repr(caught.value)
    assert caught.value.__cause__ is None
    return caught.value.problems


def urls(environ: dict[str, str], first: str | None = None) -> list[str]:
    made = make_repositories(load_settings(CLEAR | environ), first=first)
    return [repository.store.url for repository in made]


# --- the primary one -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "destination", "url"),
    [
        ("local", "/mnt/a/", "file:///mnt/a"),
        ("s3", "bucket/a/b", "s3://bucket/a/b"),
        ("s3", "/bucket/", "s3://bucket"),
        ("gcs", "bucket", "gs://bucket"),
        ("azure", "box/a", "azure://box/a"),
        ("azure", "azure://box/a", "azure://box/a"),
    ],
)
def test_provider_and_destination(provider: str, destination: str, url: str) -> None:
    (location,) = found(PROVIDER=provider, DESTINATION=destination)
    assert location.url == url


def test_a_url_says_all_by_itself_and_goes_before_the_variables() -> None:
    (location,) = found(
        DESTINATION="s3://bucket?region=a&object_lock_days=3&object_tags=x=1",
        REGION="b",
        ENDPOINT_URL="https://host",
        OBJECT_LOCK_DAYS="9",
        OBJECT_LOCK_MODE="governance",
        OBJECT_TAGS="y=2",
        ACCESS_KEY=PLANTED,
    )
    assert (location.region, location.endpoint_url) == ("a", "https://host")
    assert (location.object_lock_days, location.object_lock_mode) == (3, "compliance")
    assert location.tags == {"x": "1"}
    assert location.access_key
    assert location.access_key.reveal() == PLANTED


def test_a_folder_is_known_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    for destination, url in (
        ("here", (tmp_path / "here").as_uri()),
        ("~/there", "file:///home/ada/there"),
        ("/a//b/", "file:///a/b"),
        ("file:///a%20b/", "file:///a%20b"),
    ):
        (location,) = found(DESTINATION=destination)
        assert location.url == make_store(location).url == url


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"PROVIDER": "s3"}, "BACKUP_DESTINATION names no bucket for BACKUP_PROVIDER=s3"),
        ({"PROVIDER": "s3", "DESTINATION": "gs://b"}, "BACKUP_PROVIDER 's3' and BACKUP_DEST"),
        ({"DESTINATION": "s3:bucket/a"}, "BACKUP_DESTINATION is neither a URL"),
        ({"DESTINATION": f"s3://k:{PLANTED}@bucket"}, "BACKUP_DESTINATION holds credentials"),
        ({"DESTINATION": f"s3://b?secret={PLANTED}"}, "BACKUP_DESTINATION holds a secret"),
        ({"DESTINATION": "~nobody-of-that-name/a"}, "BACKUP_DESTINATION '~nobody-of-that-name/a'"),
        ({"ENDPOINT_URL": f"https://u:{PLANTED}@h"}, "BACKUP_ENDPOINT_URL has more in it"),
    ],
)
def test_what_is_wrong_with_the_primary_one(variables: dict[str, str], problem: str) -> None:
    (said,) = problems(**variables)
    assert said.startswith(problem)


# --- copies --------------------------------------------------------------------------------------


def test_copies_are_separated_by_commas_or_space() -> None:
    for between in (",", ", ", " ", "\n", " ,\n"):
        copies = between.join(("file:///b", "gs://bucket/c", "azure://box"))
        stores = found(DESTINATION="/a", COPY_TO=copies)
        assert [each.url for each in stores] == [
            *("file:///a", "file:///b", "gs://bucket/c", "azure://box")
        ]


def test_a_copy_has_credentials_of_its_own() -> None:
    stores = found(
        DESTINATION="s3://a",
        COPY_TO="s3://b s3://c?endpoint_url=https://minio azure://box s3://e?region=x",
        REGION="eu",
        ACCESS_KEY="primary's",
        SECRET_KEY="primary's",
        COPY2_ACCESS_KEY="minio's",
        COPY2_SECRET_KEY="minio's",
        COPY4_TOKEN="fourth's",
    )
    keys = [(each.access_key, each.secret_key, each.token) for each in stores]
    shown = [tuple(secret.reveal() if secret else None for secret in each) for each in keys]
    assert shown == [
        ("primary's", "primary's", None),
        ("primary's", "primary's", None),  # the same service
        ("minio's", "minio's", None),
        (None, None, None),
        (None, None, "fourth's"),  # never a mixture of the two
    ]
    assert [each.region for each in stores] == ["eu", "eu", None, None, "x"]


def test_nobody_but_the_same_service_gets_the_primary_ones_credentials() -> None:
    for copy in (
        "s3://b?endpoint_url=https://elsewhere",
        "gs://b",
        "third://host/b",
        "file:///b",
    ):
        _, location = found(DESTINATION="s3://a", COPY_TO=copy, ACCESS_KEY=PLANTED, TOKEN=PLANTED)
        assert (location.access_key, location.token) == (None, None)
    _, same, other = found(
        DESTINATION="sftp://one/a", COPY_TO="sftp://one/b sftp://two/c", SECRET_KEY=PLANTED
    )
    assert same.secret_key
    assert other.secret_key is None


def test_what_is_said_of_the_primary_ones_objects_is_not_said_of_a_copys() -> None:
    _, copy = found(
        DESTINATION="s3://a",
        COPY_TO="s3://b",
        STORAGE_CLASS="STANDARD_IA",
        OBJECT_LOCK_DAYS="3",
        SSE_KMS_KEY="k",
        OBJECT_TAGS="a=b",
    )
    assert copy == parse_location("s3://b")


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"COPY_TO": "/b"}, "BACKUP_COPY_TO (store 1) is not a URL"),
        ({"COPY_TO": "file:///b s3://"}, "BACKUP_COPY_TO (store 2) names no bucket"),
        ({"COPY_TO": f"s3://k:{PLANTED}@b"}, "BACKUP_COPY_TO (store 1) holds credentials"),
        ({"COPY_TO": f"s3://b?token={PLANTED}"}, "BACKUP_COPY_TO (store 1) holds a secret"),
        ({"COPY_TO": "s3://b?object_lock_days=x"}, "BACKUP_COPY_TO (store 1) has a wrong object_"),
        ({"COPY_TO": " ".join(f"file:///{n}" for n in range(5))}, "BACKUP_COPY_TO names more than"),
        ({"COPY_TO": "file:///a"}, "BACKUP_DESTINATION and BACKUP_COPY_TO name file:///a twice"),
        ({"COPY_TO": "file:///a/"}, "BACKUP_DESTINATION and BACKUP_COPY_TO name file:///a twice"),
        ({"COPY_TO": "file:///b/../a"}, "file:///a and file:///b/../a are one folder"),
        ({"COPY_TO": "gs://b/c gs://b/c/"}, "BACKUP_DESTINATION and BACKUP_COPY_TO name gs://b/c"),
        ({"COPY1_TOKEN": PLANTED}, "BACKUP_COPY1_TOKEN is set, but BACKUP_COPY_TO names no store"),
        (
            {"COPY_TO": "file:///b", "COPY3_ACCESS_KEY": PLANTED},
            "BACKUP_COPY3_ACCESS_KEY is set, but BACKUP_COPY_TO names 1",
        ),
    ],
)
def test_what_is_wrong_with_copies_is_said_once(variables: dict[str, str], problem: str) -> None:
    (said,) = problems(**{"DESTINATION": "/a"} | variables)
    assert said.startswith(problem)


def test_one_folder_under_two_names_is_one_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (said,) = problems(DESTINATION=str(tmp_path / "real"), COPY_TO=f"file://{tmp_path}/link")
    assert "are one folder" in said


def test_several_problems_are_told_together() -> None:
    said = problems(COPY_TO="/b", DESTINATION="s3://", ENDPOINT_URL="x", RETENTION_DAYS="0")
    assert [each.split()[0] for each in said] == [
        *("BACKUP_DESTINATION", "BACKUP_COPY_TO", "BACKUP_RETENTION_DAYS", "BACKUP_ENDPOINT_URL")
    ]


# --- which comes first ---------------------------------------------------------------------------

THREE = {"BACKUP_DESTINATION": "/a", "BACKUP_COPY_TO": "file:///b?retention_days=9,file:///c"}


@pytest.mark.parametrize(
    ("first", "order"),
    [
        (None, "abc"),
        ("primary", "abc"),
        ("copy1", "bac"),
        ("copy2", "cab"),
        ("file:///c", "cab"),
        ("file:///b", "bac"),
    ],
)
def test_the_store_that_is_asked_for_comes_first(first: str | None, order: str) -> None:
    assert urls(THREE, first) == [f"file:///{name}" for name in order]


@pytest.mark.parametrize("first", ["copy3", "copy0", "c", "file:///d", ""])
def test_a_store_that_there_is_not_is_refused_with_those_that_there_are(first: str) -> None:
    if not first:
        assert urls(THREE, first) == urls(THREE)
        return
    with pytest.raises(ConfigurationError) as caught:
        urls(THREE, first)
    assert caught.value.problems == (f"there is no store '{first}'",)
    assert str(caught.value.hint) == (
        "The stores are primary (file:///a), copy1 (file:///b), copy2 (file:///c)"
    )


def test_each_store_has_its_own_retention() -> None:
    stores = OpenStores(load_settings(CLEAR | THREE | {"BACKUP_RETENTION_DAYS": "5"}))
    kept = [each.keep_within for each in stores.policies]
    assert [span.days if span else None for span in kept] == [5, 9, 5]


def test_a_wrong_retention_names_its_store() -> None:
    with pytest.raises(ConfigurationError) as caught:
        urls({"BACKUP_COPY_TO": "file:///b?keep_daily=x"})
    (problem,) = caught.value.problems
    assert problem.startswith("BACKUP_COPY_TO (store 1) has a wrong retention: keep_daily ('x')")


def test_what_is_wrong_with_a_copy_says_which_and_by_which_variables() -> None:
    with pytest.raises(ConfigurationError) as caught:
        urls({"BACKUP_COPY_TO": "s3://b?region=x", "BACKUP_COPY1_ACCESS_KEY": PLANTED})
    assert caught.value.problems[0].startswith("copy1 (s3://b): ")
    assert "BACKUP_COPY1_ACCESS_KEY" in str(caught.value.hint)
    assert PLANTED not in str(caught.value)


# --- stores of others ----------------------------------------------------------------------------

MODULE = """
from brownie_backup.stores import MemoryStore

def open_store(location):
    store = MemoryStore()
    store.location = location
    return store
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a package is installed that brings stores."""
    (tmp_path / "our_store.py").write_text(MODULE, encoding="utf-8")
    information = tmp_path / "our_store-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: our-store\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[brownie_backup.stores]\n"
        "ours = our_store:open_store\n"
        "broken = our_store:nothing\n"
        "missing = no_such_module:open_store\n"
        "s3 = our_store:open_store\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "our_store", raising=False)
    return tmp_path


@pytest.mark.usefixtures("plugins")
def test_a_scheme_of_a_third_party_works_as_ours_do() -> None:
    (location,) = found(DESTINATION="ours://host/path?cache=8", TOKEN=PLANTED)
    store = make_store(location)
    assert isinstance(store, RetryingStore)
    assert store.inner.location is location  # type: ignore[attr-defined]
    assert location.options == {"cache": "8"}
    assert location.token
    assert urls({"BACKUP_COPY_TO": "ours://host"}) == ["file:///backups", "memory:"]


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("scheme", ["broken", "missing"])
def test_an_entry_point_that_leads_nowhere_is_named(scheme: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{scheme}:// cannot be loaded") as caught:
        make_store(parse_location(f"{scheme}://host"))
    assert caught.value.__cause__ is None


@pytest.mark.usefixtures("plugins")
def test_a_third_party_does_not_take_our_schemes() -> None:
    store = make_store(parse_location("s3://bucket?region=x"))
    assert isinstance(store, RetryingStore)
    assert type(store.inner).__name__ == "S3Store"


def test_a_scheme_that_nobody_serves_is_told_with_those_that_there_are() -> None:
    for scheme in ("ours", "gcs"):
        with pytest.raises(ConfigurationError, match=f"no store for {scheme}://") as caught:
            make_store(parse_location(f"{scheme}://bucket"))
        assert "file://, s3://, gs://, azure://" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("url", "extra"), [("s3://b", "s3"), ("gs://b", "gcs"), ("azure://b", "azure")]
)
def test_a_missing_extra_is_told_with_the_command_that_installs_it(
    url: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"brownie_backup.stores.{extra}.opening", None)
    with pytest.raises(ConfigurationError, match="is not installed") as caught:
        make_store(parse_location(url))
    package = f"brownie-backup[{extra}]"
    command = install_command(package)
    assert str(caught.value.hint) == f"Install the package '{package}': {command}"


def test_one_switch_turns_the_commands_to_those_of_the_index() -> None:
    for name in ("brownie-backup", "brownie-backup-asgi", "brownie-backup-cli[demo]"):
        published = f"python -m pip install '{name}'"
        assert install_command(name, published=True) == published
        folder = ROOT / install_command(name, published=False).split("'")[1].partition("[")[0]
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        assert project["project"]["name"] == name.partition("[")[0]


def test_a_folder_has_no_options_of_clouds() -> None:
    for option in ("storage_class=x", "object_lock_days=3", "object_tags=a=b", "region=x"):
        with pytest.raises(ValueError, match=r"options that file:// does not have"):
            parse_location(f"file:///a?{option}")
    assert isinstance(make_store(parse_location("file:///a")), LocalStore)


def test_a_promise_that_a_folder_cannot_keep_is_refused_and_no_address() -> None:
    said = problems(STORAGE_CLASS="x", OBJECT_LOCK_DAYS="3", OBJECT_TAGS="a=b", SSE_KMS_KEY="k")
    assert [each.split()[0] for each in said] == [
        *("BACKUP_SSE_KMS_KEY", "BACKUP_STORAGE_CLASS"),
        *("BACKUP_OBJECT_TAGS", "BACKUP_OBJECT_LOCK_DAYS"),
    ]
    assert all("a local folder has no such thing" in each for each in said)
    (location,) = found(REGION="x", ENDPOINT_URL="https://host", OBJECT_LOCK_MODE="governance")
    assert location == Location("file", path="/backups")


def test_what_a_store_cannot_do_is_a_problem_of_the_settings_with_all_others() -> None:
    said = problems(
        DESTINATION="s3://bucket?storage_class=GLACIER",
        COPY_TO="gs://b/c?object_tags=a=b azure://Box/a",
        SCHEDULE="at noon",
    )
    wanted = (
        "BACKUP_SCHEDULE ('at noon')",
        "BACKUP_STORAGE_CLASS 'GLACIER'",
        "copy1 (gs://b/c): object_tags:",
        "copy2 (azure://Box/a): its URL: 'Box'",
    )
    assert all(each.startswith(start) for each, start in zip(said, wanted, strict=True))
