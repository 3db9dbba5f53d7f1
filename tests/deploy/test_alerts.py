"""What we ship to watch backups: rules that fire and don't, and a dashboard that asks for what is.

Whether the metrics are those that we export is compared with the page that lists them.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.pages import ROOT, page

pytestmark = pytest.mark.once

FOLDER = ROOT / "examples" / "prometheus"
DASHBOARD = ROOT / "examples" / "grafana" / "brownie-backup.json"
RULES = yaml.safe_load((FOLDER / "rules.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
SEED = """
- alert: BackupFailed
  expr: increase(backup_errors_total[1h]) > 0
  for: 5m
  labels:
    severity: critical
  annotations:
    summary: "Backup operation failed"
    description: "Database backup has failed in the last hour"
"""
_METRIC = re.compile(r"\bbackup_[a-z_]+\b")
_LABELS = re.compile(r"\b(?:by|on) ?\(([^)]*)\)|([a-z]+)=~?\"|\{\{ ?(?:\$labels\.)?([a-z]+) ?\}\}")
_OF_A_HISTOGRAM = ("_sum", "_count", "_bucket")
_OF_GRAFANA = {"$database": "shop", "$store": "s3://a"}


def exported() -> set[str]:
    """Return the names of the metrics that are documented."""
    rows = page("docs/reference/metrics.md").rows("Metrics")
    return {row[0].strip("`") for row in rows}


def family(name: str) -> str:
    """Return the name of the histogram that a series belongs to; or the name."""
    for suffix in _OF_A_HISTOGRAM:
        if name.removesuffix(suffix) in exported():
            return name.removesuffix(suffix)
    return name


def run(promtool: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(promtool), *arguments], capture_output=True, check=False, cwd=FOLDER, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_well_formed(promtool: Path) -> None:
    assert "SUCCESS" in run(promtool, "check", "rules", "--lint-fatal", "rules.yaml")


def test_the_rules_fire_and_do_not_fire(promtool: Path) -> None:
    assert "SUCCESS" in run(promtool, "test", "rules", "rules-test.yaml")


def test_each_rule_is_seen_to_fire_and_not_to_fire() -> None:
    tests = yaml.safe_load((FOLDER / "rules-test.yaml").read_text(encoding="utf-8"))["tests"]
    seen: dict[str, set[bool]] = {}
    for case in (case for test in tests for case in test["alert_rule_test"]):
        seen.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert seen == {rule["alert"]: {True, False} for rule in RULES}


def test_the_alert_of_old_is_as_it_was() -> None:
    assert RULES[0] == yaml.safe_load(SEED)[0]


def test_every_alert_has_a_place_in_the_guide() -> None:
    headings = {text for _, text in page("docs/how-to/alerts.md").headings}
    assert {rule["alert"] for rule in RULES} <= headings


def queries() -> Iterator[str]:
    """Yield the dashboard's queries, with something in the place of its variables."""
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel["targets"]:
            query: str = target["expr"]
            for variable, value in _OF_GRAFANA.items():
                query = query.replace(variable, value)
            yield query


def test_every_query_of_the_dashboard_parses(promtool: Path, tmp_path: Path) -> None:
    rules = [{"record": f"query_{n}", "expr": query} for n, query in enumerate(queries())]
    assert len(rules) > 10
    assert "$" not in str(rules)
    document = {"groups": [{"name": "dashboard", "rules": rules}]}
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    assert f"{len(rules)} rules found" in run(promtool, "check", "rules", str(path))


@pytest.mark.parametrize("path", [FOLDER / "rules.yaml", DASHBOARD], ids=lambda p: str(p.name))
def test_only_what_is_exported_is_asked_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = {family(name) for name in _METRIC.findall(text)}
    assert used <= exported()
    if path == DASHBOARD:
        assert used == exported() - NOT_ON_THE_DASHBOARD
    labels = {
        label.strip()
        for found in _LABELS.findall(text.replace('\\"', '"'))
        for group in found
        for label in group.split(",")
    }
    assert labels - {"", "end"} == {"database", "store", "kind"}


NOT_ON_THE_DASHBOARD = {"backup_interval_seconds"}
"""It says what was configured, not what is."""


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert {"title", "uid", "schemaVersion", "templating", "time"} <= set(dashboard)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, f"'{panel['title']}' is over another panel"
        taken |= cells
        assert panel["datasource"]["uid"] == "${datasource}"
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert names == {"datasource", "database", "store"}
