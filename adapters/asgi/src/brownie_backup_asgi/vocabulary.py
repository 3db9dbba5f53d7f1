"""The REST API's words for options and actions in hints: fields, paths, the service's settings.

Options that only the command line has are named as there.
"""

from brownie_backup.config.vocabulary import VARIABLE_NAMES
from brownie_backup.hints import Vocabulary

WORDS: Vocabulary = {
    **{key: f"the service's {name}" for key, name in VARIABLE_NAMES.items()},
    "option:all_databases": "the option all-databases of the command 'cleanup'",
    "option:into": "the option into of the command 'restore'",
    "option:accept_differences": '"accept_differences": true',
    "option:accept_errors": '"accept_errors": true',
    "option:exclude_event_triggers": '"exclude_event_triggers": true',
    "option:exclude_extension": '"exclude_extensions": ["{name}"]',
    "option:exclude_settings": '"exclude_settings": true',
    "option:exclude_table": '"exclude_tables": ["{name}"]',
    "option:exclude_table_data": '"exclude_table_data": ["{name}"]',
    "option:locale": '"locale"',
    "option:accept_unencrypted": '"accept_unencrypted": true',
    "option:keep_failed": "the option keep-failed of the command 'restore'",
    "option:no_acl": '"privileges": false',
    "option:no_owner": '"owner": false',
    "option:no_tablespaces": '"tablespaces": false',
    "option:replace": '"replace": true',
    "option:table": "the option table of the command 'restore'",
    "option:table_named": "the option table of the command 'restore', with {table}",
    "option:target_database": '"target_database"',
    "option:with_roles": '"with_roles": true',
    "option:yes_delete_many": '"yes_delete_many": true',
    "verb:audit_verify": "the command 'audit' with its option verify",
    "verb:cleanup": "POST /backup/cleanup",
    "verb:cleanup_dry_run": 'POST /backup/cleanup with "dry_run": true',
    "verb:doctor": "the command 'doctor'",
    "verb:list": "GET /backup/list",
    "verb:operations": "GET /backup/operations",
    "verb:release": "the command 'release', with {name}",
    "verb:sync": "the command 'sync'",
    # The library's hints name commands for the operator of the service; these suit its clients.
    "hint:install_package": "Have the package '{package}' installed where the service runs",
    "hint:not_as_root": "Have the service run as an ordinary user",
    "hint:give_armoured_key": "Have an armoured public key set in the service",
    "hint:give_armoured_private_key": "Have an armoured private key set in the service",
    "hint:import_key": "Have the key imported into the keyring of the service",
    "hint:renew_key": "Have another key set in the service, or this one extended",
    "hint:list_databases": "Have the name of the database checked on the server",
    "hint:gcs_no_lock": (
        "The service's BACKUP_OBJECT_LOCK_DAYS needs a bucket that was created with object "
        "retention, and the right storage.objects.setRetention"
    ),
}
