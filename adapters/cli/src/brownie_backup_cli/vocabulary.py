"""The command line's words for options and actions in hints: flags, commands and variables."""

from brownie_backup.config.vocabulary import VARIABLE_NAMES
from brownie_backup.hints import Vocabulary

WORDS: Vocabulary = {
    **VARIABLE_NAMES,
    "option:all_databases": "--all-databases",
    "option:into": "--into",
    "option:accept_differences": "--accept-differences",
    "option:accept_errors": "--accept-errors",
    "option:exclude_event_triggers": "--exclude-event-triggers",
    "option:exclude_extension": "--exclude-extension {name}",
    "option:exclude_settings": "--exclude-settings",
    "option:exclude_table": "--exclude-table {name}",
    "option:exclude_table_data": "--exclude-table-data {name}",
    "option:locale": "--locale",
    "option:accept_unencrypted": "--accept-unencrypted",
    "option:keep_failed": "--keep-failed",
    "option:no_acl": "--no-acl",
    "option:no_owner": "--no-owner",
    "option:no_tablespaces": "--no-tablespaces",
    "option:replace": "--replace",
    "option:table": "--table SCHEMA.NAME",
    "option:table_named": "--table {table}",
    "option:target_database": "--target-db",
    "option:with_roles": "--with-roles",
    "option:yes_delete_many": "--yes-delete-many",
    "verb:audit_verify": "'brownie-backup audit --verify'",
    "verb:cleanup": "'brownie-backup cleanup'",
    "verb:cleanup_dry_run": "'brownie-backup cleanup --dry-run'",
    "verb:doctor": "'brownie-backup doctor'",
    "verb:list": "'brownie-backup list'",
    "verb:operations": "the list of operations",
    "verb:release": "'brownie-backup release {name}'",
    "verb:sync": "'brownie-backup sync'",
}
