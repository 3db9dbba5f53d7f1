"""Restore into a fresh database, check it, and swap it into place."""
