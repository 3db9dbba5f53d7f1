"""Coordination: how processes that share a repository avoid conflicts."""
