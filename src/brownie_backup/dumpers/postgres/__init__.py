"""Logical dumps of a PostgreSQL database, by PostgreSQL's own client programs."""

from brownie_backup.dumpers.postgres.dumper import PostgresDumper
from brownie_backup.postgres.conninfo import Conninfo, parse_conninfo

__all__ = ["Conninfo", "PostgresDumper", "parse_conninfo"]
