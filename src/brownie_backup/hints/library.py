"""The words of the library itself: parameters and functions. `str` of an error has these."""

from collections.abc import Mapping

_SETTINGS = {
    "access_key": "'access_key'",
    "copy_to": "'copies'",
    "database_url": "the connection string",
    "destination": "the address of the store",
    "encryption": "the repository's encryptor",
    "endpoint_url": "'endpoint_url'",
    "gpg_private_key": "'private_key'",
    "gpg_recipients": "'recipients'",
    "key_recipients": "the envelope's 'sources'",
    "log_file": "Settings.log_file",
    "most_deleted_percent": "RetentionPolicy.most_deleted_share",
    "object_lock_days": "'object_lock_days'",
    "object_tags": "'object_tags'",
    "parallel_jobs": "'jobs'",
    "passphrase": "'passphrase'",
    "pg_bin": "'pg_bin'",
    "region": "'region'",
    "require_existing": "'require_existing'",
    "secret_key": "'secret_key'",
    "sse_kms_key": "'sse_kms_key'",
    "storage_class": "'storage_class'",
    "token": "'token'",
}
_OPTIONS = {
    "all_databases": "database=None",
    "into": "into=…",
    "accept_differences": "accept_differences=True",
    "accept_errors": "accept_errors=True",
    "exclude_event_triggers": "exclude_event_triggers=True",
    "exclude_extension": "exclude_extensions=('{name}',)",
    "exclude_settings": "exclude_settings=True",
    "exclude_table": "exclude_tables=('{name}',)",
    "exclude_table_data": "exclude_table_data=('{name}',)",
    "locale": "locale=…",
    "accept_unencrypted": "accept_unencrypted=True",
    "keep_failed": "keep_failed=True",
    "no_acl": "privileges=False",
    "no_owner": "owner=False",
    "no_tablespaces": "tablespaces=False",
    "replace": "replace=True",
    "table": "tables=('schema.name',)",
    "table_named": "tables=('{table}',)",
    "target_database": "target_database=…",
    "with_roles": "with_roles=True",
    "yes_delete_many": "yes_delete_many=True",
}
_VERBS = {
    "audit_verify": "prove_audit()",
    "cleanup": "apply_retention()",
    "cleanup_dry_run": "apply_retention(dry_run=True)",
    "doctor": "diagnose()",
    "list": "list_backups()",
    "operations": "the list of operations",
    "release": "release_backup(…, '{name}')",
    "sync": "sync_backups()",
}

LIBRARY: Mapping[str, str] = {
    **{f"setting:{name}": word for name, word in _SETTINGS.items()},
    **{f"option:{name}": word for name, word in _OPTIONS.items()},
    **{f"verb:{name}": word for name, word in _VERBS.items()},
}
