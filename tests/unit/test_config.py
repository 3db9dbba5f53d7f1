"""Settings: from the environment, all problems at once, and never a secret in what is said."""

import json
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.fakes import DAY

from brownie_backup.compressors import Gzip, Uncompressed, Zstd
from brownie_backup.config import (
    Settings,
    check_key,
    describe,
    load_settings,
    make_codecs,
    make_compressors,
    make_dumper,
    make_repository,
    make_store,
)
from brownie_backup.config import settings as settings_module
from brownie_backup.config.variables import COPY_CREDENTIALS, OF_STORES, VARIABLES
from brownie_backup.dumpers.postgres.dump.large_tables import BULK_TABLE_BYTES
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import ConfigurationError
from brownie_backup.pipeline.parent import FULL_EVERY
from brownie_backup.secret import Secret
from brownie_backup.stores import LocalStore
from brownie_backup.stores.location import Location

PLANTED = "s3cr3t-Pl4nted"
SECRETS = [variable.name for variable in VARIABLES if variable.secret]
# Each variable: what may be set, and what comes of it.
EXAMPLES: dict[str, tuple[str, object]] = {
    "PROVIDER": ("S3", "s3"),
    "DESTINATION": ("/mnt/backups", "/mnt/backups"),
    "COPY_TO": ("file:///mnt/a, s3://b/c?region=x", "file:///mnt/a, s3://b/c?region=x"),
    "SCHEDULE": ("*/5 * * * *", "*/5 * * * *"),
    "RETENTION_DAYS": ("7", 7),
    "KEEP_WITHIN": ("36h", 36 * timedelta(hours=1)),
    "KEEP_LAST": ("3", 3),
    "KEEP_HOURLY": ("24", 24),
    "KEEP_DAILY": ("7", 7),
    "KEEP_WEEKLY": ("4", 4),
    "KEEP_MONTHLY": ("12", 12),
    "KEEP_YEARLY": ("10", 10),
    "KEEP_LABELS": ("release, env=prod ,", ("release", "env=prod")),
    "KEEP_MIN": ("2", 2),
    "MOST_DELETED_PERCENT": ("100", 100),
    "COMPRESSION": ("gzip", "gzip"),
    "ENCRYPTION": ("no", False),
    "ACCESS_KEY": (PLANTED, Secret(PLANTED)),
    "SECRET_KEY": (PLANTED, Secret(PLANTED)),
    "TOKEN": ('{"type": "x"}', Secret('{"type": "x"}')),
    **{name.upper(): (PLANTED, Secret(PLANTED)) for name in COPY_CREDENTIALS},
    "REGION": ("eu-central-1", "eu-central-1"),
    "ENDPOINT_URL": ("https://minio:9000", "https://minio:9000"),
    "S3_ADDRESSING": ("Virtual", "virtual"),
    "SSE_KMS_KEY": ("alias/backups", "alias/backups"),
    "STORAGE_CLASS": ("STANDARD_IA", "STANDARD_IA"),
    "OBJECT_TAGS": ("team=data, env=prod", {"team": "data", "env": "prod"}),
    "OBJECT_LOCK_DAYS": ("30", 30),
    "OBJECT_LOCK_MODE": ("Governance", "governance"),
    "RETRY_SECONDS": ("30", 30),
    "REQUIRE_EXISTING": ("yes", True),
    "CACHE_DIR": ("/var/cache/b", "/var/cache/b"),
    "PARALLEL_JOBS": ("11", 11),
    "BULK_TABLE_BYTES": ("1g", 1 << 30),
    "FULL_EVERY": ("None", 0),
    "DEBUG": ("TRUE", True),
    "VERIFY_SCHEDULE": ("none", ""),
    "TIMEZONE": ("Europe/Berlin", "Europe/Berlin"),
    "JITTER_SECONDS": ("60", 60),
    "LOG_FILE": ("/app/logs/backup.log", "/app/logs/backup.log"),
    "LOG_FORMAT": ("JSON", "json"),
    "METRICS_TEXTFILE": ("/var/lib/n/b.prom", "/var/lib/n/b.prom"),
    "PING_URL": (f"https://ping.example/{PLANTED}", Secret(f"https://ping.example/{PLANTED}")),
    "WEBHOOK_URL": (f"http://h:81/?{PLANTED}", Secret(f"http://h:81/?{PLANTED}")),
    "WEBHOOK_SECRET": (PLANTED, Secret(PLANTED)),
    "API_TOKEN": (PLANTED, Secret(PLANTED)),
    "API_TOKENS": (PLANTED, Secret(PLANTED)),
    "API_ANONYMOUS": ("read", "read"),
    "DATABASE_URL": (f"postgresql://u:{PLANTED}@h/db", Secret(f"postgresql://u:{PLANTED}@h/db")),
    "GPG_RECIPIENTS": ("a@b.c, 0xABCD ,", ("a@b.c", "0xABCD")),
    "GPG_PUBLIC_KEY": ("-----BEGIN", "-----BEGIN"),
    "GPG_PRIVATE_KEY": (PLANTED, Secret(PLANTED)),
    "PASSPHRASE": (PLANTED, Secret(PLANTED)),
    "KEY_RECIPIENTS": ("openpgp, vault:transit/b ,", ("openpgp", "vault:transit/b")),
    "AGE_IDENTITY_FILE": ("/etc/brownie-backup/age.txt", "/etc/brownie-backup/age.txt"),
    "VAULT_ADDRESS": ("https://vault:8200", "https://vault:8200"),
    "VAULT_TOKEN": (PLANTED, Secret(PLANTED)),
    "VAULT_NAMESPACE": ("team", "team"),
    "VAULT_CA_FILE": ("/etc/ssl/vault.pem", "/etc/ssl/vault.pem"),
    "PG_BIN": ("/opt/pg/bin", "/opt/pg/bin"),
}
ADDRESSES = ("PING_URL", "WEBHOOK_URL")
BUCKET = {"BACKUP_DESTINATION": "s3://bucket"}
# What else has to be set, since a variable alone makes no sense.
BESIDE: dict[str, dict[str, str]] = {
    "PROVIDER": {"BACKUP_DESTINATION": "bucket"},
    **dict.fromkeys(("SSE_KMS_KEY", "STORAGE_CLASS", "OBJECT_TAGS", "OBJECT_LOCK_DAYS"), BUCKET),
    **{
        name.upper(): {"BACKUP_COPY_TO": "file:///1 file:///2 file:///3 file:///4"}
        for name in COPY_CREDENTIALS
    },
}
every_variable = pytest.mark.parametrize("name", [variable.name for variable in VARIABLES])


def problems(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ)
    return caught.value.problems


def test_variables_settings_and_these_examples_agree() -> None:
    fields = {field.name for field in attrs.fields(Settings)} - {"sources", "warnings"}
    fields = fields - {"primary", "copies", "of_stores"} | OF_STORES
    assert {variable.name.lower() for variable in VARIABLES} == fields
    assert len(VARIABLES) == len(fields)
    assert {variable.name for variable in VARIABLES} == set(EXAMPLES)
    assert all(variable.help for variable in VARIABLES)


@every_variable
def test_a_variable_sets_its_field_and_says_so(name: str) -> None:
    text, value = EXAMPLES[name]
    settings = load_settings({f"BACKUP_{name}": text} | BESIDE.get(name, {}))
    assert settings.value(name.lower()) == value
    assert settings.value(name.lower()) != Settings().value(name.lower())
    assert settings.sources[name.lower()] == f"BACKUP_{name}"
    assert settings.warnings == ()


def test_spaces_around_a_value_do_not_count_but_a_secret_is_taken_as_it_is() -> None:
    settings = load_settings({"BACKUP_REGION": " here\n", "BACKUP_PASSPHRASE": "  pad  "})
    assert settings.value("region") == "here"
    assert settings.passphrase == Secret("  pad  ")


@every_variable
def test_a_file_may_hold_the_value(name: str, tmp_path: Path) -> None:
    text, value = EXAMPLES[name]
    path = tmp_path / "value"
    path.write_text(text + "\n", encoding="utf-8")
    settings = load_settings({f"BACKUP_{name}_FILE": str(path)} | BESIDE.get(name, {}))
    assert settings.value(name.lower()) == value
    assert settings.sources[name.lower()] == f"BACKUP_{name}_FILE={path}"


@every_variable
def test_both_forms_at_once_are_an_error(name: str, tmp_path: Path) -> None:
    text, _ = EXAMPLES[name]
    path = tmp_path / "value"
    path.write_text(text, encoding="utf-8")
    (problem,) = problems({f"BACKUP_{name}": text, f"BACKUP_{name}_FILE": str(path)})
    assert f"BACKUP_{name}_FILE are both set" in problem
    assert PLANTED not in problem


@every_variable
def test_empty_is_unset(name: str) -> None:
    for environ in ({f"BACKUP_{name}": ""}, {f"BACKUP_{name}": " ", f"BACKUP_{name}_FILE": ""}):
        settings = load_settings(environ)
        assert settings == load_settings({})
        assert settings.sources[name.lower()] == "default"


def test_the_defaults_are_safe() -> None:
    settings = load_settings({"PATH": "/bin", "HOME": "/root"})
    assert settings.encryption
    assert not settings.has_key
    assert settings.stores == {"primary": Location("file", path="/backups")}
    assert settings.policy.keep_within == 30 * DAY
    assert settings.policy.keep_min >= 1


WRONG = {
    "PROVIDER": "ftp",
    "SCHEDULE": "at noon",
    "VERIFY_SCHEDULE": "never",
    "TIMEZONE": "Berlin",
    "JITTER_SECONDS": "3601",
    "RETENTION_DAYS": "0",
    "COMPRESSION": "lzma",
    "ENCRYPTION": "maybe",
    "PARALLEL_JOBS": "65",
    "BULK_TABLE_BYTES": "64X",
    "FULL_EVERY": "7d",
    "DEBUG": "2",
    "LOG_FORMAT": "xml",
    "API_ANONYMOUS": "write",
}


def test_all_problems_are_reported_at_once_by_name_and_value() -> None:
    found = problems({f"BACKUP_{name}": value for name, value in WRONG.items()})
    assert len(found) == len(WRONG)
    for problem, (name, value) in zip(found, WRONG.items(), strict=True):
        assert problem.startswith(f"BACKUP_{name} ('{value}') is")


@pytest.mark.parametrize("value", ["-1", "1.5", "1e3", "36501", "x", "\u0661", "9" * 5000])
def test_a_number_is_a_whole_number_within_bounds(value: str) -> None:
    (problem,) = problems({"BACKUP_RETENTION_DAYS": value})
    assert problem.startswith("BACKUP_RETENTION_DAYS")


@pytest.mark.parametrize("word", ["true", "True", "yes", "on", "1"])
def test_words_for_true(word: str) -> None:
    assert load_settings({"BACKUP_DEBUG": word}).debug
    assert load_settings({"BACKUP_COMPRESSION": word}).compression == "zstd"


@pytest.mark.parametrize("word", ["false", "No", "off", "0"])
def test_words_for_false(word: str) -> None:
    assert not load_settings({"BACKUP_ENCRYPTION": word}).encryption
    assert load_settings({"BACKUP_COMPRESSION": word}).compression == "none"


@pytest.mark.parametrize("kind", ["missing", "folder", "binary", "empty"])
def test_a_file_that_does_not_read_is_a_problem_with_its_path(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "value"
    match kind:
        case "folder":
            path.mkdir()
        case "binary":
            path.write_bytes(b"\xff\xfe")
        case "empty":
            path.write_bytes(b"\n")
    (problem,) = problems({"BACKUP_PASSPHRASE_FILE": str(path)})
    assert str(path) in problem


def test_a_file_that_does_not_read_is_a_problem_of_the_variable_that_names_it() -> None:
    (problem,) = problems({"BACKUP_PASSPHRASE_FILE": "/does/not/exist"})
    assert "BACKUP_PASSPHRASE_FILE" in problem


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("BACKUP_RETENTION_DAY", "BACKUP_RETENTION_DAYS"),
        ("BACKUP_PASSPHRASE_FLIE", "BACKUP_PASSPHRASE_FILE"),
        ("BACKUP_GPG_RECIPIENT", "BACKUP_GPG_RECIPIENTS"),
    ],
)
def test_an_unknown_variable_gets_a_warning_with_the_nearest_name(name: str, nearest: str) -> None:
    settings = load_settings({name: PLANTED, "BACK_UP": "x", "backup_debug": "x"})
    assert settings.warnings == (
        f"{name} is not a variable of brownie-backup: did you mean {nearest}?",
    )


def test_an_unknown_variable_that_is_near_to_none_gets_a_warning_too() -> None:
    (warning,) = load_settings({"BACKUP_QQQQQQQQ": "x"}).warnings
    assert "did you mean" not in warning


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_never_shown(name: str, tmp_path: Path) -> None:
    path = tmp_path / "value"
    value = str(EXAMPLES[name][0]) if name in ADDRESSES else PLANTED
    path.write_text(value, encoding="utf-8")
    for environ in ({f"BACKUP_{name}": value}, {f"BACKUP_{name}_FILE": str(path)}):
        settings = load_settings(environ | BESIDE.get(name, {}))
        rows = describe(settings)
        for text in (repr(settings), str(settings), json.dumps(rows), repr(rows)):
            assert PLANTED not in text
        shown = {row["name"]: row["value"] for row in rows}
        assert shown[f"BACKUP_{name}"] == "********"
        with pytest.raises(TypeError):
            pickle.dumps(settings)


@given(st.dictionaries(st.sampled_from(sorted(EXAMPLES)), st.text("abc0 *-@:/,'=", max_size=12)))
def test_whatever_is_set_only_settings_or_problems_come_of_it(values: dict[str, str]) -> None:
    secrets = {name: PLANTED + value for name, value in values.items() if name in SECRETS}
    environ = {f"BACKUP_{name}": value for name, value in (values | secrets).items()}
    try:
        settings = load_settings(environ)
    except ConfigurationError as error:
        said = str(error)
        wrong = [problem.split()[0] for problem in error.problems]
        assert len(wrong) == len(set(wrong))
        assert set(wrong) <= set(environ)
    else:
        said = repr(settings) + repr(describe(settings))
    assert PLANTED not in said


def test_the_description_has_each_variable_with_value_source_and_meaning() -> None:
    rows = {row["name"]: row for row in describe(load_settings({"BACKUP_GPG_RECIPIENTS": "a,b"}))}
    assert set(rows) == {f"BACKUP_{name}" for name in EXAMPLES}
    assert rows["BACKUP_GPG_RECIPIENTS"]["value"] == "a,b"
    assert rows["BACKUP_GPG_RECIPIENTS"]["source"] == "BACKUP_GPG_RECIPIENTS"
    assert rows["BACKUP_PROVIDER"] | {"help": ""} == {
        "name": "BACKUP_PROVIDER",
        "value": "local",
        "source": "default",
        "help": "",
    }
    assert json.dumps(list(rows.values()))


def test_no_key_is_an_error_that_shows_three_ways() -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_repository(load_settings({}), writes=True)
    for way in (
        "GPG_RECIPIENTS",
        "GPG_PUBLIC_KEY_FILE",
        "PASSPHRASE_FILE",
        "brownie-backup keygen",
    ):
        assert way in str(caught.value.hint)
    encryptor = make_repository(load_settings({})).codecs.encryptor  # to read with, any will do
    assert encryptor
    assert encryptor.method == "gpg"


@pytest.mark.parametrize(
    "name", ["GPG_RECIPIENTS", "GPG_PUBLIC_KEY", "GPG_PRIVATE_KEY", "PASSPHRASE"]
)
def test_any_key_will_do(name: str) -> None:
    settings = load_settings({f"BACKUP_{name}": "x"})
    check_key(settings)
    codecs = make_codecs(settings)
    _, encryptor = codecs.for_writing()
    assert encryptor.method == "gpg"


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("67108864", 64 << 20), ("512K", 512 << 10), ("64M", 64 << 20), ("2T", 2 << 40)],
)
def test_a_size_may_have_a_unit(text: str, size: int) -> None:
    assert load_settings({"BACKUP_BULK_TABLE_BYTES": text}).bulk_table_bytes == size


@pytest.mark.parametrize("text", ["M", "-1", "1.5G", "64 M", "64MB", "2097152T", "\u0661M"])
def test_what_is_no_size(text: str) -> None:
    (problem,) = problems({"BACKUP_BULK_TABLE_BYTES": text})
    assert problem.endswith("such as 67108864, 64M or 1G")


def test_how_often_all_is_read() -> None:
    assert Settings().full_every_span == FULL_EVERY
    assert load_settings({"BACKUP_FULL_EVERY": "30"}).full_every_span == 30 * DAY
    assert load_settings({"BACKUP_FULL_EVERY": "0"}).full_every_span is None


def test_as_many_jobs_as_processors_and_no_more_than_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    for processors, jobs in ((1, 1), (3, 3), (64, 8)):
        monkeypatch.setattr(settings_module, "usable_processors", lambda count=processors: count)
        assert load_settings({}).parallel_jobs == jobs


def test_the_default_size_of_a_bulk_table_is_the_dumpers() -> None:
    assert Settings().bulk_table_bytes == BULK_TABLE_BYTES


def test_cleartext_only_by_name() -> None:
    settings = load_settings({"BACKUP_ENCRYPTION": "false", "BACKUP_PASSPHRASE": "x"})
    check_key(settings)
    _, encryptor = make_codecs(settings).for_writing()
    assert isinstance(encryptor, Cleartext)


@pytest.mark.parametrize(("word", "kind"), [("zstd", Zstd), ("gzip", Gzip), ("no", Uncompressed)])
def test_all_compressors_are_there_the_chosen_one_first(word: str, kind: type[Any]) -> None:
    compressors = make_compressors(load_settings({"BACKUP_COMPRESSION": word}))
    assert isinstance(compressors[0], kind)
    assert {type(compressor) for compressor in compressors} == {Zstd, Gzip, Uncompressed}


def test_the_local_store_is_in_the_destination(tmp_path: Path) -> None:
    settings = load_settings({"BACKUP_DESTINATION": str(tmp_path)})
    assert make_store(settings.primary) == LocalStore(tmp_path)


@pytest.mark.parametrize("url", ["postgresql://u:{}@[h", "host=a password={} x", "{}"])
def test_a_wrong_database_url_is_named_and_not_repeated(url: str) -> None:
    settings = load_settings({"BACKUP_DATABASE_URL": url.format(PLANTED)})
    with pytest.raises(ConfigurationError) as caught:
        make_dumper(settings)
    assert caught.value.problems[0].startswith("BACKUP_DATABASE_URL: ")
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize(
    "address", [PLANTED, f"file:///{PLANTED}", f"ftp://{PLANTED}", "https://", f"http://[{PLANTED}"]
)
def test_an_address_to_tell_is_one_of_the_web_and_stays_secret(name: str, address: str) -> None:
    (problem,) = problems(
        {f"BACKUP_{name}": f"{address}{PLANTED}" if address != "https://" else address}
    )
    assert PLANTED not in problem
    assert problem == f"BACKUP_{name} is not an address that begins with https:// or http://"
