"""Blobs: named by a keyed hash of their content, stored once, checked when they are read."""
