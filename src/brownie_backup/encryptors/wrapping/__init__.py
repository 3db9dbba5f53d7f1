"""Implementations of `brownie_backup.protocols.keys.KeyWrapper`."""
