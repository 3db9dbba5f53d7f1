"""The audit trail: each action on backups with its actor, chained so that a change is detected."""
