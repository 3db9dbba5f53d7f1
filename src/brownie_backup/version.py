"""The version of this tool."""

from importlib.metadata import version

TOOL_VERSION = version("brownie-backup")
