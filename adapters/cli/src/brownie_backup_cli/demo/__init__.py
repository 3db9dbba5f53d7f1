"""The command ``demo``: back up a sample database, drop a table, and restore the backup.

It runs the real commands on a real server, and shows each as a user would type it.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from attrs import asdict

from brownie_backup.encryptors.keyring import open_gpg
from brownie_backup.postgres.server import ThrowawayServer
from brownie_backup_cli.demo.comparison import Compared, compared_document
from brownie_backup_cli.demo.programs import find_package, reachable_programs, temporary_place
from brownie_backup_cli.demo.shell import DemoFailed, Shell, signals_held
from brownie_backup_cli.demo.tour import NEXT, take_tour
from brownie_backup_cli.exit_codes import DONE, FAILED
from brownie_backup_cli.output import Output

# Its data need not survive a crash of the machine.
_SERVER_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def demo(arguments: argparse.Namespace, output: Output) -> int:
    """Run the demo, clean up in every case, and return its exit status.

    Raises:
        ConfigurationError: the demo needs something that is not installed.
        DatabaseError: the server does not start.
    """
    started = time.monotonic()
    package = find_package()
    open_gpg(None)  # raises if there is no gpg
    shell = Shell(output)
    comparison: tuple[Compared, ...] = ()
    failure: DemoFailed | None = None
    stack = ExitStack()
    try:
        comparison = _run(stack, shell, package, arguments.rows)
    except DemoFailed as error:
        failure = error
    finally:
        with signals_held():
            stack.close()
    if shell.folder.exists():
        failure = failure or DemoFailed(f"{shell.folder} could not be removed")
    return _report(shell, comparison, failure, time.monotonic() - started)


def _run(stack: ExitStack, shell: Shell, package: Path, rows: int) -> tuple[Compared, ...]:
    with signals_held():
        temporary = tempfile.TemporaryDirectory(
            prefix="bb-demo-", dir=temporary_place(), ignore_cleanup_errors=True
        )
        folder = Path(stack.enter_context(temporary))
    if os.geteuid() == 0:
        # The server's user must be able to enter it; secret files in it have their own mode.
        folder.chmod(0o711)
    shell.enter(folder)
    programs = reachable_programs(package, folder)
    with signals_held():
        server = ThrowawayServer(programs.root, settings=_SERVER_SETTINGS, parent=folder)
        stack.enter_context(server)
    return take_tour(shell, server, programs, rows)


def _report(
    shell: Shell,
    comparison: Sequence[Compared],
    failure: DemoFailed | None,
    seconds: float,
) -> int:
    different = [each.name for each in comparison if not each.same]
    if not failure and (different or not comparison):
        found = ", ".join(different) or "there is nothing to compare"
        failure = DemoFailed(f"the restored data differs: {found}")
    document = {
        "ok": failure is None,
        "problem": str(failure) if failure else None,
        "seconds": round(seconds, 3),
        "steps": [asdict(step) for step in shell.steps],
        "comparison": [compared_document(each) for each in comparison],
    }
    if failure:
        shell.output.error(document, [f"the demo failed: {failure}", failure.details])
        return FAILED
    gone = f"# All data was restored, in {seconds:.1f} s. The server and its folder are removed."
    shell.output.result(document, ["", gone, "#", *NEXT])
    return DONE
