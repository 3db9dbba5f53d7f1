"""The options of the command ``restore``. It imports only the standard library."""

import argparse

_REPEATABLE = (
    (
        "--table",
        "tables",
        "SCHEMA.NAME",
        "restore only this table (repeatable); add it to DB if DB exists",
    ),
    ("--schema", "schemas", "SCHEMA", "restore only this schema (repeatable)"),
    (
        "--exclude-extension",
        "exclude_extensions",
        "NAME",
        "leave out this extension, and all that needs it (repeatable)",
    ),
    (
        "--exclude-table",
        "exclude_tables",
        "SCHEMA.NAME",
        "leave out this table or view, and all that needs it (repeatable)",
    ),
    (
        "--exclude-table-data",
        "exclude_table_data",
        "SCHEMA.NAME",
        "leave out the rows of this table (repeatable)",
    ),
)
_FLAGS = (
    ("--exclude-event-triggers", "leave out the event triggers"),
    ("--exclude-settings", "leave out the settings of the database"),
    ("--no-indexes", "create no indexes on these tables, except those of constraints"),
    (
        "--no-constraints",
        "create no keys on these tables, and no checks except those in columns",
    ),
    ("--replace", "replace an existing database, and keep it under a dated name"),
    ("--with-roles", "create the roles that the database needs and the server lacks"),
    ("--no-owner", "make the restoring role the owner of everything"),
    ("--no-acl", "restore no privileges"),
    ("--no-tablespaces", "put everything into the default tablespace"),
    ("--accept-unencrypted", "restore an unencrypted backup although encryption is on"),
    (
        "--accept-differences",
        "finish although the restored database differs from what was backed up",
    ),
    ("--accept-errors", "finish without the objects that could not be restored"),
    ("--keep-failed", "if the restore fails, keep the incomplete database for inspection"),
    ("--dry-run", "check everything that can be checked, and change nothing"),
)


def add_restore_options(restore: argparse.ArgumentParser) -> None:
    """Add the options that choose what is restored, and how."""
    for flag, dest, metavar, text in _REPEATABLE:
        restore.add_argument(
            flag, action="append", default=[], dest=dest, metavar=metavar, help=text
        )
    restore.add_argument("--into", metavar="SCHEMA.NAME", help="give the table another name")
    restore.add_argument("--locale", help="another locale, one that the server has")
    for flag, text in _FLAGS:
        restore.add_argument(flag, action="store_true", help=text)
