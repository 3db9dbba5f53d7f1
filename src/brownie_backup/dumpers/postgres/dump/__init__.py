"""Dump a database: a held snapshot, and the ways to read its parts."""
