"""The metrics in Prometheus's format: over HTTP, or from a file by node_exporter."""

import logging
import os
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from brownie_backup.config import OpenStores
from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import SetupHint
from brownie_backup.telemetry.aggregate import MetricsSnapshot
from brownie_backup.telemetry.collect import look_at
from brownie_backup.telemetry.instruments import record
from brownie_backup.telemetry.sources import new_sources, sources_of

_log = logging.getLogger(__name__)

_FILE_MODE = 0o644
"""node_exporter runs as a user of its own; there is no secret in metrics."""


def exposition(stores: OpenStores) -> tuple[bytes, str]:
    """Return the metrics in Prometheus's text format, and its content type."""
    sources = sources_of(stores)
    contents = sources.contents()
    text = sources.once(contents, lambda: render(look_at(stores.settings, contents)))
    return text, CONTENT_TYPE_PLAIN_0_0_4


def render(snapshot: MetricsSnapshot) -> bytes:
    """Return a snapshot in Prometheus's text format."""
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(
        disable_target_info=True, scope_info_enabled=False, registry=registry
    )
    provider = record(snapshot, reader, Resource.get_empty())
    try:
        return generate_latest(registry)
    finally:
        provider.shutdown()


def write(stores: OpenStores, path: str, *, wait: timedelta = timedelta(minutes=1)) -> None:
    """Write the metrics into a file, which is replaced atomically.

    Until every store has been read, the old file stays: without a store's series, alerts would
    treat its backups as gone.

    Args:
        stores: of the settings.
        path: the file.
        wait: how long to wait for slow stores.

    Raises:
        ConfigurationError: it can't be written.
    """
    # Ignore values that were cached a moment ago: the operation that just ended must be in the
    # file, since the next write may be long after.
    contents = new_sources(stores).contents(wait)
    target = Path(path)
    unknown = [content.url for content in contents if not content.known]
    if unknown and target.is_file():
        urls = ", ".join(unknown)
        _log.warning("%s keeps its old numbers: those of %s could not be read", path, urls)
        return
    text = render(look_at(stores.settings, contents))
    try:
        # Not named like the file: node_exporter reads every *.prom that it finds.
        opened, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(text)
                os.fchmod(opened, _FILE_MODE)
            Path(temporary).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        problem = f"the file of metrics '{path}' cannot be written: {error.strerror}"
        raise ConfigurationError([problem], hint=SetupHint.MAKE_METRICS_FOLDER) from None
