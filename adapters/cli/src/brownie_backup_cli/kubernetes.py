"""Kubernetes manifests that run the jobs. They contain no secrets."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from brownie_backup.config import Settings
from brownie_backup.config.variables import PREFIX
from brownie_backup_cli.exit_codes import CANNOT_DECRYPT, NOT_FOUND, USAGE, WARNINGS
from brownie_backup_cli.units import Environment, Printed, Unit, environment, five, text

SECRETS = "/run/secrets/brownie-backup"
_IMAGE = "brownie-backup:0.1.0"


_Volumes = list[tuple[dict[str, Any], dict[str, Any]]]
"""Volumes, each with its mount."""


def kubernetes(settings: Settings, environ: Mapping[str, str], program: str) -> Printed:
    """Return manifests: a ConfigMap, and a CronJob for each schedule."""
    del program  # the image's
    needed = environment(settings, environ, SECRETS, in_pod=True)
    claims = _claims(settings)
    volumes = _volumes(claims, has_secrets=bool(needed.missing))
    documents = [
        _config_map(settings, needed, claims),
        _cron_job(settings, "brownie-backup", settings.schedule, volumes),
    ]
    if settings.verify_schedule:
        name = "brownie-backup-verify"
        documents.append(_cron_job(settings, name, settings.verify_schedule, volumes))
    keys = sorted(path.rpartition("/")[2] for path in needed.missing.values())
    notes = []
    if keys:
        notes.append(
            f"# Create the Secret brownie-backup yourself, with the keys: {', '.join(keys)}"
        )
    notes += [f"# Create the PersistentVolumeClaim {claim} yourself." for claim in claims]
    texts = ["---\n" + "\n".join(_yaml(document)) + "\n" for document in documents]
    unit = Unit("brownie-backup.yaml", text(notes) + "".join(texts))
    return Printed((unit,), needed.left_out)


def _claims(settings: Settings) -> dict[str, str]:
    """Return the folder of each claim. Each store that is a folder has a claim."""
    return {
        "backups" if name == "primary" else f"backups-{name}": location.path
        for name, location in settings.stores.items()
        if location.scheme == "file"
    }


def _volumes(claims: Mapping[str, str], *, has_secrets: bool) -> _Volumes:
    """Return volumes, each with its mount."""
    mounted: _Volumes = [
        ({"name": "tmp", "emptyDir": {}}, {"mountPath": "/tmp"})  # noqa: S108 - the pod's own
    ]
    if has_secrets:
        secret = {"name": "secrets", "secret": {"secretName": "brownie-backup"}}
        mounted.append((secret, {"mountPath": SECRETS, "readOnly": True}))
    for claim, path in claims.items():
        volume = {"name": claim, "persistentVolumeClaim": {"claimName": claim}}
        mounted.append((volume, {"mountPath": path}))
    return [(volume, {"name": volume["name"], **mount}) for volume, mount in mounted]


def _config_map(
    settings: Settings, needed: Environment, claims: Mapping[str, str]
) -> dict[str, Any]:
    data = dict(needed.values)
    # The image sets a log file in a folder that a pod with a read-only root cannot write to.
    data[f"{PREFIX}LOG_FILE"] = ""
    if "backups" in claims and "://" not in settings.value("destination"):
        data[f"{PREFIX}DESTINATION"] = claims["backups"]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "brownie-backup"},
        "data": data,
    }


def _cron_job(settings: Settings, name: str, schedule: str, volumes: _Volumes) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": five(schedule),
            "timeZone": settings.timezone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 1,
                    "podFailurePolicy": {"rules": _not_repeated(name)},
                    "activeDeadlineSeconds": 86400,
                    "template": {"spec": _pod(name, volumes)},
                }
            },
        },
    }


def _not_repeated(container: str) -> list[dict[str, Any]]:
    """Return rules: a run is not repeated after warnings, nor if it would fail in the same way."""
    codes = [USAGE, WARNINGS, NOT_FOUND, CANNOT_DECRYPT]
    exits = {"containerName": container, "operator": "In", "values": codes}
    return [
        {"action": "FailJob", "onExitCodes": exits},
        # The node is drained, for example: this does not count.
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]


def _pod(name: str, volumes: _Volumes) -> dict[str, Any]:
    command = ["brownie-backup-cron", "--once"]  # also applies the retention after a good backup
    if name.endswith("verify"):
        command = ["brownie-backup", "verify", "latest"]
    container = {
        "name": name,
        "image": _IMAGE,
        "command": command,
        "envFrom": [{"configMapRef": {"name": "brownie-backup"}}],
        "resources": {"requests": {"memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [mount for _, mount in volumes],
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001},
        "containers": [container],
        "volumes": [volume for volume, _ in volumes],
    }


def _yaml(value: object, indent: str = "") -> Iterator[str]:
    """Yield YAML. Every string is quoted as in JSON, so that none is read as another type."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list) and inner:
                yield f"{indent}{key}:"
                yield from _yaml(inner, indent + "  ")
            else:
                yield f"{indent}{key}: {json.dumps(inner)}"
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict | list):
                first, *rest = _yaml(inner, indent + "  ")
                yield f"{indent}- {first.strip()}"
                yield from rest
            else:
                yield f"{indent}- {json.dumps(inner)}"
