"""Blobs: named by a keyed hash of their content, stored once, proved when they are read."""
