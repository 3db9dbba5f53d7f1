"""Reports a command's metrics to an OpenTelemetry collector and to node_exporter."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from brownie_backup.config import OpenStores
from brownie_backup.errors import BackupError
from brownie_backup.telemetry import configure_telemetry, write_textfile
from brownie_backup_cli.output import Output
from brownie_backup_cli.vocabulary import WORDS

_TELLING = frozenset({"backup", "cleanup", "delete", "restore", "sync", "verify"})
"""Commands that may change the metrics."""


@contextmanager
def observed(command: str, stores: OpenStores, output: Output) -> Iterator[None]:
    """Report the command that runs in the block, as the environment configures it.

    A signal that ends the command ends this too.

    Raises:
        ConfigurationError: the configured telemetry is not installed, or is invalid.
    """
    if command not in _TELLING:
        yield
        return
    send_the_rest = configure_telemetry(stores, component="cli")
    try:
        yield
    except Exception:
        send_the_rest()
        with suppress(BackupError):  # the command's own error is raised
            write_textfile(stores)
        raise
    send_the_rest()
    try:
        write_textfile(stores)
    except BackupError as error:  # the command itself has succeeded
        output.warn(error.worded(WORDS))
