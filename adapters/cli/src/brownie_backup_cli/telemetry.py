"""What watches the backups hears of a command: a collector, and node_exporter."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from brownie_backup.config import OpenStores
from brownie_backup.errors import BackupError
from brownie_backup.telemetry import configure_telemetry, write_textfile
from brownie_backup_cli.output import Output
from brownie_backup_cli.vocabulary import WORDS

_TELLING = frozenset({"backup", "cleanup", "delete", "restore", "sync", "verify"})
"""Commands after which the metrics may be others."""


@contextmanager
def observed(command: str, stores: OpenStores, output: Output) -> Iterator[None]:
    """Tell of the command that runs in the block, as the environment asks for.

    A signal that ends the command ends this too.

    Raises:
        ConfigurationError: what was asked for is not installed, or makes no sense.
    """
    if command not in _TELLING:
        yield
        return
    send_the_rest = configure_telemetry(stores, component="cli")
    try:
        yield
    except Exception:
        send_the_rest()
        with suppress(BackupError):  # the command has its own
            write_textfile(stores)
        raise
    send_the_rest()
    try:
        write_textfile(stores)
    except BackupError as error:  # what was asked for is done, all the same
        output.warn(error.worded(WORDS))
