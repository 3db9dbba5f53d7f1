"""Pings and events: what others are told about runs, by the command and by the runner."""

from brownie_backup.notifications.run import BACKUP, RETENTION, VERIFICATION, notified

__all__ = ["BACKUP", "RETENTION", "VERIFICATION", "notified"]
