"""The runner's words for options and actions in hints: variables, or else the command line's."""

from brownie_backup.config.vocabulary import VARIABLE_NAMES
from brownie_backup.hints import Vocabulary

_RESTORE = "'brownie-backup restore "

WORDS: Vocabulary = {
    **VARIABLE_NAMES,
    "option:all_databases": "'brownie-backup cleanup --all-databases'",
    "option:into": f"{_RESTORE}--into'",
    "option:accept_differences": f"{_RESTORE}--accept-differences'",
    "option:accept_errors": f"{_RESTORE}--accept-errors'",
    "option:exclude_event_triggers": f"{_RESTORE}--exclude-event-triggers'",
    "option:exclude_extension": f"{_RESTORE}--exclude-extension {{name}}'",
    "option:exclude_settings": f"{_RESTORE}--exclude-settings'",
    "option:exclude_table": f"{_RESTORE}--exclude-table {{name}}'",
    "option:exclude_table_data": f"{_RESTORE}--exclude-table-data {{name}}'",
    "option:locale": f"{_RESTORE}--locale'",
    "option:accept_unencrypted": f"{_RESTORE}--accept-unencrypted'",
    "option:keep_failed": f"{_RESTORE}--keep-failed'",
    "option:no_acl": f"{_RESTORE}--no-acl'",
    "option:no_owner": f"{_RESTORE}--no-owner'",
    "option:no_tablespaces": f"{_RESTORE}--no-tablespaces'",
    "option:replace": f"{_RESTORE}--replace'",
    "option:table": f"{_RESTORE}--table SCHEMA.NAME'",
    "option:table_named": f"{_RESTORE}--table {{table}}'",
    "option:target_database": f"{_RESTORE}--target-db'",
    "option:with_roles": f"{_RESTORE}--with-roles'",
    "option:yes_delete_many": "'brownie-backup cleanup --yes-delete-many'",
    "verb:audit_verify": "'brownie-backup audit --verify'",
    "verb:cleanup": "'brownie-backup cleanup'",
    "verb:cleanup_dry_run": "'brownie-backup cleanup --dry-run'",
    "verb:doctor": "'brownie-backup doctor'",
    "verb:list": "'brownie-backup list'",
    "verb:operations": "the list of operations",
    "verb:release": "'brownie-backup release {name}'",
    "verb:sync": "'brownie-backup sync'",
}
