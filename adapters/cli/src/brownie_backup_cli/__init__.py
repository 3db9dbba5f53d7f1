"""The command `brownie-backup`."""
