"""The command ``brownie-backup``: parse, run one command, turn its error into an exit status."""

import argparse
import signal
import sys

from brownie_backup_cli.parser import build_parser


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
    from brownie_backup.process.signals import ENDED_BY, TerminatedBySignal, end_on_signals

    end_on_signals()
    try:
        from brownie_backup_cli.run import run

        status = run(arguments)
        sys.stdout.flush()
    except TerminatedBySignal as ended:
        print(f"brownie-backup: ended by {signal.Signals(ended.number).name}", file=sys.stderr)
        return ENDED_BY + ended.number
    except OSError as error:
        # The buffered output must not raise again at exit.
        sys.stdout = None
        if isinstance(error, BrokenPipeError):  # the reader of our output is gone (| head)
            return ENDED_BY + signal.SIGPIPE
        print(f"brownie-backup: cannot write output: {error.strerror}", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
