"""Threads: ordered maps over a pool, work in the background, workers that carry a context."""
