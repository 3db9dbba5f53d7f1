"""What a restore over REST leaves out, and goes on in spite of."""

import pytest
from tests.integration.cli import Cli
from tests.integration.serving import serving
from tests.servers.running import Servers

pytestmark = pytest.mark.once

WAIT = {"Prefer": "wait=60"}

# A row that lost the one it refers to, and an object for each option that leaves something out.
OBJECTS = """
CREATE EXTENSION hstore;
CREATE TABLE tagged (tags hstore);
CREATE TABLE secrets (n int);
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (id int REFERENCES parents);
SET session_replication_role = replica;
INSERT INTO children VALUES (1);
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch();
"""
FOUND = """
SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM children),
  to_regclass('tagged'), to_regclass('secrets'),
  (SELECT count(*) FROM pg_constraint WHERE contype = 'f'),
  (SELECT count(*) FROM pg_extension WHERE extname = 'hstore'),
  (SELECT count(*) FROM pg_event_trigger),
  (SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
    WHERE d.datname = current_database()),
  (SELECT datcollate FROM pg_database WHERE datname = current_database())
"""


def test_a_restore_over_rest_leaves_out_what_is_excluded_and_lists_what_failed(
    servers: Servers, small: str, small_cli: Cli
) -> None:
    server = servers.get(18)
    server.sql(small, f"ALTER DATABASE {small} SET work_mem = '5MB'; {OBJECTS}")
    target = f"{small}_restored"
    body = {"backup_name": "mine", "target_database": target}
    chosen = {
        "exclude_extensions": ["hstore"],
        "exclude_tables": ["public.secrets"],
        "exclude_table_data": ["public.orders"],
        "exclude_event_triggers": True,
        "exclude_settings": True,
        "locale": "C",
    }
    accepted = {"accept_errors": True, "accept_differences": True}
    with serving(small_cli) as api:
        assert api.post("/backup/create", {"backup_name": "mine"}, headers=WAIT).status_code == 201

        failed = api.post("/backup/restore", body | chosen, headers=WAIT)
        assert failed.status_code == 502, failed.text
        assert "children_id_fkey" in failed.json()["detail"]
        assert "accept_errors" in failed.text
        assert "--" not in failed.json()["detail"]
        assert server.databases(f"{target}%") == []

        done = api.post("/backup/restore", body | chosen | accepted, headers=WAIT)
        assert done.status_code == 200, done.text
        result = done.json()["result"]
        assert [each["kind"] for each in result["failed"]] == ["FK CONSTRAINT"]
        assert server.sql(target, FOUND) == "0|1|||0|0|0|0|C\n"
    entries = [each for each in small_cli.json("audit")["entries"] if each["action"] == "restore"]
    assert [(each["outcome"], bool(each["accepted"])) for each in entries] == [
        ("failure", False),
        ("success", True),
    ]


def test_a_wrong_option_of_a_restore_is_named(small_cli: Cli) -> None:
    wrong: list[dict[str, object]] = [
        {"exclude_tables": "public.secrets"},
        {"exclude_extensions": [7]},
        {"accept_errors": "yes"},
        {"locale": "C'; DROP"},
    ]
    with serving(small_cli) as api:
        for options in wrong:
            answer = api.post("/backup/restore", {"backup_name": "mine"} | options)
            assert answer.status_code in (400, 422)
            assert next(iter(options)) in answer.text
