"""Adds the man page and the shell completions to the wheel, made from the parser itself."""

import importlib.util
import os
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from types import ModuleType
from typing import Any

import shtab
from argparse_manpage.manpage import Manpage
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DESCRIPTION = "back up and restore PostgreSQL databases"


class Documents(BuildHookInterface[Any]):
    """Writes them to a temporary folder, from which hatchling packs them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files of a real wheel; an editable one has no use for them."""
        if version == "editable":
            return
        os.environ["COLUMNS"] = "80"  # argparse would wrap lines by the builder's terminal
        self.folder = tempfile.TemporaryDirectory()
        parser = _parser(Path(self.root, "src", "brownie_backup_cli", "parser.py"))
        documents = {
            "share/man/man1/brownie-backup.1": _man_page(parser, self.metadata.version),
            "share/bash-completion/completions/brownie-backup": shtab.complete(parser, "bash"),
            "share/zsh/site-functions/_brownie-backup": shtab.complete(parser, "zsh"),
        }
        for number, (target, text) in enumerate(documents.items()):
            path = Path(self.folder.name, str(number))
            path.write_text(text, encoding="utf-8")
            build_data["shared_data"][str(path)] = target

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        del build_data, artifact_path
        if version != "editable":
            self.folder.cleanup()


def _parser(path: Path) -> ArgumentParser:
    """Load the parser by its path: its package may need what a build doesn't have."""
    package = ModuleType(path.parent.name)
    package.__path__ = [str(path.parent)]  # for what the parser imports, without its __init__
    sys.modules[package.__name__] = package
    spec = importlib.util.spec_from_file_location("parser_of_the_build", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # which dataclasses ask for
    spec.loader.exec_module(module)
    parser = module.build_parser()
    if not isinstance(parser, ArgumentParser):
        raise TypeError(parser)
    return parser


def _man_page(parser: ArgumentParser, version: str) -> str:
    page = Manpage(parser)
    page.description = DESCRIPTION
    page.source = f"brownie-backup {version}"
    page.manual = "User Commands"
    page.date = ""  # so that one source always makes one page
    return str(page)
