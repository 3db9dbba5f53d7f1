"""The command ``brownie-backup``: parse, run one command, turn its error into an exit status."""

import argparse
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

from brownie_backup_cli.parser import build_parser

_ENDED_BY = 128
_GRACE_SECONDS = 25  # Kubernetes and others kill after 30
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal asked us to end. Not an Exception, so that nothing on the way takes it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        from importlib.metadata import version

        print(f"brownie-backup {version('brownie-backup-cli')}")
        return 0
    if arguments.print_completion:
        import shtab

        print(shtab.complete(parser, arguments.print_completion))
        return 0
    if not arguments.command:
        parser.print_help(sys.stderr)
        return 2
    return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, _end)
    try:
        from brownie_backup_cli.run import run

        status = run(arguments)
        sys.stdout.flush()
    except Ended as ended:
        print(f"brownie-backup: ended by {signal.Signals(ended.number).name}", file=sys.stderr)
        return _ENDED_BY + ended.number
    except OSError as error:
        # What is buffered must not raise again at exit.
        sys.stdout = None
        if isinstance(error, BrokenPipeError):  # whoever read our output has gone (| head)
            return _ENDED_BY + signal.SIGPIPE
        print(f"brownie-backup: cannot write its output: {error.strerror}", file=sys.stderr)
        return 1
    return status


def _end(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    # Once is enough: a second signal must not cut the cleaning up short.
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    # Nothing that hangs (a store, a program that ignores us) may keep us for ever.
    last = threading.Timer(_GRACE_SECONDS, os._exit, [_ENDED_BY + number])
    last.daemon = True
    last.start()
    raise Ended(number)


if __name__ == "__main__":
    sys.exit(main())
