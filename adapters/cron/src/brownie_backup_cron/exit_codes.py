"""The exit statuses of the command; the command line has the same."""

DONE = 0
FAILED = 1
USAGE = 2
WARNINGS = 3
"""The backup is good, but the retention policy was not applied; or nothing could be verified."""
