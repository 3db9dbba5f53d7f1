"""Logical dumps of a PostgreSQL database, by PostgreSQL's own client programs."""

from brownie_backup.dumpers.postgres.conninfo import Conninfo, parse_conninfo
from brownie_backup.dumpers.postgres.dumper import PostgresDumper

__all__ = ["Conninfo", "PostgresDumper", "parse_conninfo"]
