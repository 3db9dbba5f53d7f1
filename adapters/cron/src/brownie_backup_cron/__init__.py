"""The runner: backups on a schedule."""
