"""Metrics and traces for whoever watches the backups. Only entry points import this package.

It needs the extra ``telemetry``: OpenTelemetry's SDK and what sends for it. The core itself uses
OpenTelemetry's API alone, which does nothing by itself.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

from brownie_backup.config import OpenStores
from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import SetupHint
from brownie_backup.telemetry.otel_environment import wanted_signals

__all__ = ["configure_telemetry", "prometheus_text", "write_textfile"]


def prometheus_text(stores: OpenStores) -> tuple[bytes, str]:
    """Return the metrics as Prometheus reads them, and their content type.

    They are what manifests, audit trails and leases say now, or said some seconds ago. A store
    that does not answer in time shows what was last known of it. Thread-safe.

    Raises:
        ConfigurationError: the extra ``telemetry`` is not installed, or a setting is wrong.
    """
    with _explained("the metrics for Prometheus need"):
        from brownie_backup.telemetry.exposition import exposition
    return exposition(stores)


def write_textfile(stores: OpenStores) -> None:
    """Write the metrics into BACKUP_METRICS_TEXTFILE, all at once; do nothing if that is not set.

    Raises:
        ConfigurationError: the extra ``telemetry`` is not installed, or the file can't be written.
    """
    if stores.settings.metrics_textfile:
        with _explained("the file of metrics needs"):
            from brownie_backup.telemetry.exposition import write
        write(stores, stores.settings.metrics_textfile)


def configure_telemetry(stores: OpenStores, *, component: str) -> Callable[[], None]:
    """Send traces and metrics to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, if any.

    It also sees that `write_textfile` has what it needs, before there is anything to write.

    Args:
        stores: what the metrics are of. They are opened when metrics are sent.
        component: what this process is: ``cli``, ``api`` or ``cron``.

    Returns:
        What is to be called at the end of the process: it sends the rest, within some seconds. A
        collector that does not answer is no error.

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
    """Say what to install, if it is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        problem = f"{what} '{error.name}', which is not installed"
        hint = SetupHint.INSTALL_PACKAGE(package="brownie-backup[telemetry]")
        raise ConfigurationError([problem], hint=hint) from None
