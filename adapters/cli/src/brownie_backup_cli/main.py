"""The command ``brownie-backup``: parse, run one command, turn its error into an exit status."""

import signal
import sys
from types import FrameType
from typing import NoReturn

from brownie_backup_cli.parser import build_parser

_ENDED_BY = 128
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
    for number in _SIGNALS:
        signal.signal(number, _end)
    try:
        from brownie_backup_cli.run import run

        return run(arguments)
    except Ended as ended:
        print(f"brownie-backup: ended by {signal.Signals(ended.number).name}", file=sys.stderr)
        return _ENDED_BY + ended.number
    except BrokenPipeError:
        # Whoever read our output has gone (| head); what is buffered must not raise again at exit.
        sys.stdout = None
        return _ENDED_BY + signal.SIGPIPE


def _end(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    # Once is enough: a second signal must not cut the cleaning up short.
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Ended(number)


if __name__ == "__main__":
    sys.exit(main())
