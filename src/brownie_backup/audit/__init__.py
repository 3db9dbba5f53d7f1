"""The audit trail: what was done to backups, by whom, chained so that a change shows."""
