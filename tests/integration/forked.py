"""The command in a process that is forked from one which has imported it.

To import the command takes most of the time of a short one. What differs from a command of a
terminal: it has no stdin, and its parent is another process.
"""

import atexit
import multiprocessing
import os
import sys
import tempfile
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import NoReturn

_IMPORTED = ["brownie_backup_cli.run", "brownie_backup_cli.output", "rich.table", "boto3"]
_AT_START = ("PYTHON", "LC_", "LANG", "COVERAGE")
"""How names of variables begin that Python reads when it starts."""


def can_run(env: dict[str, str]) -> bool:
    """Whether a forked process would see this environment as a new one does."""
    return all(
        env.get(name) == os.environ.get(name)
        for name in {*env, *os.environ}
        if name.startswith(_AT_START)
    )


def run(arguments: tuple[str, ...], env: dict[str, str]) -> tuple[int, str, str]:
    """Run a command to its end; return its status, and what it wrote to stdout and stderr."""
    with tempfile.TemporaryDirectory(prefix="bb-out-") as folder:
        outputs = [Path(folder, name) for name in ("out", "err")]
        process = _context().Process(target=_main, args=(arguments, env, Path.cwd(), outputs))
        process.start()
        process.join()
        assert process.exitcode is not None
        written = [path.read_text(encoding="utf-8") for path in outputs]
    return process.exitcode, written[0], written[1]


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    return context


def _main(
    arguments: tuple[str, ...], env: dict[str, str], cwd: Path, outputs: list[Path]
) -> NoReturn:
    from brownie_backup_cli.main import main  # noqa: PLC0415 - in the new process

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None  # which may be another now
    for path, descriptor in zip(outputs, (1, 2), strict=True):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, descriptor)
        os.close(opened)
    try:
        sys.exit(main(list(arguments)))
    finally:
        atexit._run_exitfuncs()  # a forked process would not
