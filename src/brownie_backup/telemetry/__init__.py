"""Metrics and traces for monitoring backups. Only entry points import this package.

It needs the extra ``telemetry``: OpenTelemetry's SDK and its exporters. The core itself uses only
OpenTelemetry's API, which does nothing by itself.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

from brownie_backup.config import OpenStores
from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import SetupHint, install_command
from brownie_backup.telemetry.otel_environment import wanted_signals

__all__ = ["configure_telemetry", "prometheus_text", "write_textfile"]


def prometheus_text(stores: OpenStores) -> tuple[bytes, str]:
    """Return the metrics in Prometheus's format, and their content type.

    They come from manifests, audit trails and leases, read now or some seconds ago. A store that
    does not answer in time shows its last known values. Thread-safe.

    Raises:
        ConfigurationError: the extra ``telemetry`` is not installed, or a setting is wrong.
    """
    with _explained("the metrics for Prometheus need"):
        from brownie_backup.telemetry.exposition import exposition
    return exposition(stores)


def write_textfile(stores: OpenStores) -> None:
    """Write the metrics into BACKUP_METRICS_TEXTFILE, atomically; do nothing if that is not set.

    Raises:
        ConfigurationError: the extra ``telemetry`` is not installed, or the file can't be written.
    """
    if stores.settings.metrics_textfile:
        with _explained("the file of metrics needs"):
            from brownie_backup.telemetry.exposition import write
        write(stores, stores.settings.metrics_textfile)


def configure_telemetry(stores: OpenStores, *, component: str) -> Callable[[], None]:
    """Send traces and metrics to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, if any.

    It also checks the requirements of `write_textfile`, before there is anything to write.

    Args:
        stores: the stores that the metrics describe. They are opened when metrics are sent.
        component: the kind of this process: ``cli``, ``api`` or ``cron``.

    Returns:
        A function to call at the end of the process: it sends the rest, within some seconds. A
        collector that does not answer is not an error.

    Raises:
        ConfigurationError: the extra ``telemetry`` is not installed, or the address is wrong.
    """
    if stores.settings.metrics_textfile:
        with _explained("the file of metrics needs"):
            import_module("brownie_backup.telemetry.exposition")
    signals = wanted_signals(os.environ)
    if not signals:
        return lambda: None
    with _explained("OTEL_EXPORTER_OTLP_ENDPOINT needs"):
        from brownie_backup.telemetry.otlp import begin_sending
    return begin_sending(stores, component, signals)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Raise an error that says what to install, if the extra is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        problem = f"{what} '{error.name}', which is not installed"
        package = "brownie-backup[telemetry]"
        hint = SetupHint.INSTALL_PACKAGE(package=package, command=install_command(package))
        raise ConfigurationError([problem], hint=hint) from None
