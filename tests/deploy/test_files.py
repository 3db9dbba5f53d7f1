"""What we ship to deploy: well-formed, allowed where it goes, and of our own parts alone."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.pages import ROOT
from tests.servers.install import MAJORS

from brownie_backup.config.settings import load_settings
from brownie_backup.config.variables import PREFIX, VARIABLES
from brownie_backup.schedule import check_schedule
from brownie_backup_asgi.main import _parser as asgi_parser
from brownie_backup_cli.commands.schedule import PRINTERS
from brownie_backup_cli.parser import build_parser as cli_parser
from brownie_backup_cron.main import build_parser as cron_parser

pytestmark = pytest.mark.once

EXAMPLES = ROOT / "examples"
CONTAINERFILE = EXAMPLES / "Containerfile"
COMPOSE = EXAMPLES / "compose.yaml"
MANIFESTS = sorted(EXAMPLES.glob("kubernetes/**/*.yaml"))
SCRIPTS = sorted([*EXAMPLES.rglob("*.sh"), ROOT / ".ci" / "run"])
FILES = sorted(path for path in EXAMPLES.rglob("*") if path.is_file() and path.suffix != ".pyc")
PROGRAMS = {
    name
    for path in ROOT.glob("adapters/*/pyproject.toml")
    for name in tomllib.loads(path.read_text(encoding="utf-8"))["project"]["scripts"]
}
_VARIABLE = re.compile(rf"\b{PREFIX}[A-Z0-9_]*[A-Z0-9]\b")
_USER = 10001


def check(program: str, *arguments: object) -> None:
    """Run a checker that this Python has installed; it must find nothing."""
    command = [str(Path(sys.executable).parent / program), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the documents of a YAML file."""
    yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


# --- well-formed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_it_is_well_formed_and_knows_no_other_variables(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        json.loads(text)
    elif path.suffix == ".yaml":
        assert list(documents(path))
    elif path.suffix == ".py":
        ast.parse(text)
    known = {PREFIX + variable.name for variable in VARIABLES}
    known |= {f"{name}_FILE" for name in known}
    assert set(_VARIABLE.findall(text)) <= known
    assert text.endswith("\n")
    assert not re.search(r"[ \t]$", text, re.MULTILINE)


def test_the_containerfile_is_sound() -> None:
    check("hadolint", CONTAINERFILE)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_scripts_are_sound(path: Path) -> None:
    check("shellcheck", path)
    assert path.stat().st_mode & 0o111


def test_compose_takes_its_file() -> None:
    check("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_the_workflow_that_releases_is_valid_and_holds_no_secret() -> None:
    workflow = ROOT / ".github" / "workflows" / "release.yml"
    check("check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow)
    assert "secrets." not in workflow.read_text(encoding="utf-8")


def test_kubernetes_takes_its_manifests() -> None:
    assert MANIFESTS
    check("kubernetes-validate", "-k", "1.33", "--strict", *MANIFESTS)


# --- the container -------------------------------------------------------------------------------


def test_the_container_has_all_of_our_parts() -> None:
    text = CONTAINERFILE.read_text(encoding="utf-8")
    for major in MAJORS:
        assert f" postgresql-client-{major}" in text
    for path in sorted(ROOT.glob("adapters/*/pyproject.toml")):
        folder = path.parent.relative_to(ROOT)
        assert f"--out-dir=/wheels {folder}" in text
        name = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"]
        assert f" {name}" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"'brownie-backup[{','.join(project['optional-dependencies'])}]'" in text
    assert f"brownie-backup:{project['version']}" in text
    for words in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in words.split():
            assert (ROOT / source).exists(), source


def test_the_container_does_not_run_as_root() -> None:
    text = CONTAINERFILE.read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == [f"{_USER}:{_USER}"]
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)
    assert json.loads(entry) == ["brownie-backup-cron"]
    assert "BACKUP_LOG_FILE=/app/logs/backup.log" in text


# --- commands and settings -----------------------------------------------------------------------


def pods(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the specifications of pods."""
    for document in documents(path):
        if document["kind"] == "CronJob":
            yield document["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        elif document["kind"] == "Deployment":
            yield document["spec"]["template"]["spec"]


def containers(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the containers of all pods."""
    for pod in pods(path):
        yield from pod.get("initContainers", [])
        yield from pod["containers"]


def commands() -> Iterator[list[str]]:
    """Yield the command lines of all containers."""
    for path in MANIFESTS:
        for container in containers(path):
            yield container["command"]
    for service in next(documents(COMPOSE))["services"].values():
        if service["image"].startswith("brownie-backup:"):
            entry = service.get("entrypoint", ["brownie-backup-cron"])
            yield [*entry, *service.get("command", [])]


def test_every_command_line_is_one_that_we_take() -> None:
    seen = set()
    for command in commands():
        program, *arguments = command
        assert program in PROGRAMS
        seen.add(program)
        parse(program, arguments)
    assert seen == PROGRAMS


def parse(program: str, arguments: list[str]) -> None:
    """Parse a command line as its program does; the parser exits if it is wrong."""
    parsers = {
        "brownie-backup": cli_parser,
        "brownie-backup-asgi": asgi_parser,
        "brownie-backup-cron": cron_parser,
    }
    parsers[program]().parse_args(arguments)


def settings_of(path: Path, manifests: Sequence[Path]) -> Iterator[dict[str, str]]:
    """Yield the variables of each container, those of the ConfigMap among them."""
    shared: dict[str, str] = {}
    for each in manifests:
        for document in documents(each):
            if document["kind"] == "ConfigMap":
                shared = document["data"]
    for container in containers(path):
        own = {entry["name"]: entry["value"] for entry in container.get("env", [])}
        yield (shared if "envFrom" in container else {}) | own


def test_the_settings_are_right_and_their_files_are_mounted(tmp_path: Path) -> None:
    check_pods(MANIFESTS, tmp_path)
    services = next(documents(COMPOSE))["services"]
    for name in ("backup", "api"):
        variables = {
            key: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value)
            for key, value in services[name]["environment"].items()
        }
        secrets = {f"/run/secrets/{each}" for each in services[name]["secrets"]}
        check_settings(variables, tmp_path, secrets)


def check_pods(manifests: Sequence[Path], folder: Path) -> None:
    """Look at what each container is given, by variables and by mounts."""
    for path in manifests:
        for pod in pods(path):
            volumes = {volume["name"] for volume in pod["volumes"]}
            for container in [*pod.get("initContainers", []), *pod["containers"]]:
                assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        variables_of = settings_of(path, manifests)
        for container, variables in zip(containers(path), variables_of, strict=True):
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert "/tmp" in mounts  # noqa: S108 - in the container
            check_settings(variables, folder, mounts)
            # The image's own log file is where nothing can be written, unless that is mounted.
            assert variables["BACKUP_LOG_FILE"] == ""


@pytest.mark.parametrize("destination", ["s3://bucket/prefix", "/srv/it's here", "relative"])
def test_what_schedule_prints_is_as_ours(tmp_path: Path, destination: str) -> None:
    key = tmp_path / "key.asc"
    key.write_text("a key\n", encoding="utf-8")
    environ = {
        "BACKUP_DATABASE_URL": "postgresql://db/shop",
        "BACKUP_GPG_PUBLIC_KEY_FILE": str(key),
        "BACKUP_DESTINATION": destination,
        "BACKUP_COPY_TO": "gs://bucket file:///srv/copy",
        "BACKUP_LOG_FILE": "/var/log/brownie-backup.log",
    }
    if destination.startswith("s3"):
        environ["BACKUP_PROVIDER"] = "s3"
    settings = load_settings(environ)
    (unit,) = PRINTERS["kubernetes"](settings, environ, "brownie-backup").units
    path = tmp_path / unit.path
    path.write_text(unit.content, encoding="utf-8")
    assert str(key) not in unit.content
    assert "the keys: database-url, gpg-public-key\n" in unit.content
    check("kubernetes-validate", "-k", "1.33", "--strict", path)
    check_pods([path], tmp_path)
    check_rights([path])
    for job in (found for found in documents(path) if found["kind"] == "CronJob"):
        check_failure_policy(job)
    folder = str(Path(destination).absolute())
    stores = {"backups-copy2": "/srv/copy"}
    stores |= {} if destination.startswith("s3") else {"backups": folder}
    for pod, container, variables in zip(
        pods(path), containers(path), settings_of(path, [path]), strict=True
    ):
        assert {v["name"] for v in pod["volumes"] if "persistentVolumeClaim" in v} == set(stores)
        mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        assert stores.items() <= mounts.items()
        if "backups" in stores:
            assert variables["BACKUP_DESTINATION"] == folder
        program, *arguments = container["command"]
        parse(program, arguments)


def check_settings(variables: dict[str, str], folder: Path, mounts: set[str]) -> None:
    """Load settings, with something in each file that they name."""
    stand_in = folder / "value"
    stand_in.write_text("postgresql://db/shop\n", encoding="utf-8")
    real = dict(variables)
    for name, value in variables.items():
        if name.endswith("_FILE") and name != "BACKUP_LOG_FILE":
            assert value in mounts or str(Path(value).parent) in mounts, value
            real[name] = str(stand_in)
    settings = load_settings(real)
    assert settings.database_url
    assert settings.has_key
    assert not settings.warnings
    assert settings.log_file is None or settings.log_file.startswith("/app/logs/")


# --- what keeps a pod from doing harm ------------------------------------------------------------


def test_jobs_end_do_not_overlap_and_start_in_time() -> None:
    jobs = [job for path in MANIFESTS for job in documents(path) if job["kind"] == "CronJob"]
    assert len(jobs) == 3
    for job in jobs:
        spec = job["spec"]
        assert check_schedule(spec["schedule"])
        assert spec["concurrencyPolicy"] == "Forbid"
        assert spec["timeZone"] == "Etc/UTC"
        assert spec["startingDeadlineSeconds"] >= 600
        assert spec["jobTemplate"]["spec"]["backoffLimit"] <= 1
        assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"]
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["restartPolicy"] == "Never"


def test_pods_have_no_rights_that_they_do_not_need() -> None:
    check_rights(MANIFESTS)


def check_rights(manifests: Sequence[Path]) -> None:
    """See that no pod may do what it need not."""
    for path in manifests:
        for pod in pods(path):
            assert pod["automountServiceAccountToken"] is False
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["runAsUser"] == _USER
        for container in containers(path):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
        for document in documents(path):
            assert document["kind"] != "Secret"
            if document["kind"] == "Role":
                for rule in document["rules"]:
                    assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
                    assert "secrets" not in rule["resources"]
            if document["kind"] == "RoleBinding":
                assert {subject["kind"] for subject in document["subjects"]} == {"Group"}


def test_the_job_of_old_is_as_it_was() -> None:
    (job,) = documents(EXAMPLES / "kubernetes" / "backup.yaml")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert job["metadata"]["name"] == "backup-job"
    assert job["spec"]["schedule"] == "0 2 * * *"
    (container,) = containers(EXAMPLES / "kubernetes" / "backup.yaml")
    assert container["name"] == "backup"
    assert container["command"] == ["brownie-backup", "backup"]


@pytest.mark.parametrize("name", ["backup.yaml", "full/backup.yaml", "full/verify.yaml"])
def test_a_run_that_ended_with_warnings_is_not_repeated(name: str) -> None:
    (job,) = documents(EXAMPLES / "kubernetes" / name)
    check_failure_policy(job)


def check_failure_policy(job: dict[str, Any]) -> None:
    spec = job["spec"]["jobTemplate"]["spec"]
    (exits, disrupted) = spec["podFailurePolicy"]["rules"]
    (container,) = spec["template"]["spec"]["containers"]
    assert exits["action"] == "FailJob"
    assert exits["onExitCodes"]["containerName"] == container["name"]
    assert exits["onExitCodes"]["values"] == [2, 3, 10, 12]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # Kubernetes demands it
    assert disrupted["action"] == "Ignore"


def test_the_full_set_has_all_kinds() -> None:
    kinds = {
        document["kind"]
        for path in EXAMPLES.glob("kubernetes/full/*.yaml")
        for document in documents(path)
    }
    assert kinds == {
        *("ConfigMap", "CronJob", "Deployment", "NetworkPolicy", "PodDisruptionBudget"),
        *("Role", "RoleBinding", "Service", "ServiceAccount"),
    }


def test_compose_keeps_secrets_in_files() -> None:
    compose = next(documents(COMPOSE))
    for name, secret in compose["secrets"].items():
        assert set(secret) == {"file"}, name
    used = {name for service in compose["services"].values() for name in service["secrets"]}
    assert used == set(compose["secrets"])
    for name in ("backup", "api"):
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "private-key" not in service["secrets"] or name == "api"
    assert compose["services"]["api"]["ports"] == ["127.0.0.1:8000:8000"]
