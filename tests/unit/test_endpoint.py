"""Servers told apart, and a client that stays with one."""

import pytest
from attrs import evolve

from brownie_backup.dumpers.postgres.doctor import check_servers
from brownie_backup.errors import ConnectionFailed
from brownie_backup.model.findings import Level
from brownie_backup.postgres.access import Access
from brownie_backup.postgres.conninfo import parse_conninfo
from brownie_backup.postgres.endpoint import Endpoint, Identity, parse_identity

PRIMARY = parse_identity("7001 primary 1795975001.599483")
STANDBY = parse_identity("7001 standby 1795975009.1")
ONE = Endpoint("db", "10.0.0.1", 5432, PRIMARY)


def test_a_primary_may_restart_and_a_standby_be_promoted() -> None:
    assert PRIMARY.is_same_as(evolve(PRIMARY, started_at="1795975999.0"))
    assert STANDBY.is_same_as(evolve(STANDBY, role="primary"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PRIMARY, STANDBY),
        (STANDBY, PRIMARY),
        (STANDBY, evolve(STANDBY, started_at="1795975010.2")),
        (PRIMARY, evolve(PRIMARY, system_identifier="7002")),
    ],
)
def test_a_primary_its_standbys_and_other_clusters_are_told_apart(
    one: Identity, other: Identity
) -> None:
    assert not one.is_same_as(other)
    with pytest.raises(ConnectionFailed, match=r"db:5432 \(10\.0\.0\.1\) leads to several servers"):
        evolve(ONE, identity=one).require(other)


def test_a_server_that_does_not_tell_its_identity_is_believed() -> None:
    evolve(ONE, identity=None).require(STANDBY)


def test_a_pinned_access_names_one_server_and_balances_nothing() -> None:
    text = "host=a,b port=1,2 dbname=x load_balance_hosts=random target_session_attrs=any"
    pinned = Access(parse_conninfo(text)).pinned_to(ONE.parameters)
    assert pinned.conninfo.parameters == {
        "host": "db",
        "hostaddr": "10.0.0.1",
        "port": "5432",
        "dbname": "x",
        "target_session_attrs": "any",
    }


def test_a_socket_has_no_address() -> None:
    socket = Endpoint("/run/postgresql", "", 5433, None)
    assert socket.parameters == {"host": "/run/postgresql", "port": "5433"}
    assert socket.place == "/run/postgresql:5433"


def test_doctor_judges_what_connections_lead_to() -> None:
    other = Endpoint("db", "10.0.0.2", 5432, STANDBY)
    assert list(check_servers([ONE, ONE])) == []
    (found,) = check_servers([ONE, other])
    assert found.level is Level.OK
    assert "db:5432 (10.0.0.1), db:5432 (10.0.0.2)" in found.message
    (found,) = check_servers([ONE, evolve(ONE, identity=STANDBY)])
    assert found.level is Level.ERROR
    (found,) = check_servers([ONE, evolve(other, identity=parse_identity("8 primary 1"))])
    assert found.level is Level.WARNING
