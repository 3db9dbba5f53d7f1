"""Hypothesis's settings for the contract tests."""

from hypothesis import settings

settings.register_profile("brownie", deadline=None, max_examples=50)  # a busy machine is no failure
settings.load_profile("brownie")
