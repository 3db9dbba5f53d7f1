"""Spans: how long each step takes, for a trace collector.

Without OpenTelemetry's SDK they cost some microseconds each, and are discarded. A span holds
numbers, kinds and the names of backups. It never holds a table's name, and only the class of an
error, since a message may quote a row.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

Value = str | int | float | bool

_PREFIX = "brownie_backup."


class Step:
    """A span that is being measured."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def tell(self, **attributes: Value | None) -> None:
        """Add attributes that have become known; skip those that are None."""
        if self._span.is_recording():
            for name, value in attributes.items():
                if value is not None:
                    self._span.set_attribute(_PREFIX + name, value)


@contextmanager
def step(name: str, **attributes: Value | None) -> Iterator[Step]:
    """Measure the block, as a child of this thread's current span."""
    with _TRACER.start_as_current_span(
        name, record_exception=False, set_status_on_exception=False
    ) as span:
        measured = Step(span)
        measured.tell(**attributes)
        try:
            yield measured
        except BaseException as error:
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


_TRACER = trace.get_tracer("brownie_backup")
"""If the entry point sets a provider later, that one is asked for its tracer then."""
