"""Implementations of `brownie_backup.protocols.Dumper`."""

from brownie_backup.dumpers.postgres import PostgresDumper

__all__ = ["PostgresDumper"]
