"""The data to send to a collector, by OpenTelemetry's own variables. It needs no SDK."""

from collections.abc import Mapping

from brownie_backup.errors import ConfigurationError, redact
from brownie_backup.hints import SetupHint

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_SIGNALS = ("traces", "metrics")
_PROTOCOL = "http/protobuf"


def wanted_signals(environ: Mapping[str, str]) -> frozenset[str]:
    """Return which of ``traces`` and ``metrics`` are to be sent.

    Raises:
        ConfigurationError: an address is invalid, or the protocol is not supported.
    """
    said = {name: value.strip() for name, value in environ.items() if name.startswith("OTEL_")}
    if said.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return frozenset()
    wanted = {
        signal: name
        for signal in _SIGNALS
        for name in (_ENDPOINT, f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
        if said.get(name) and said.get(f"OTEL_{signal.upper()}_EXPORTER", "").lower() != "none"
    }
    problems = []
    for signal, name in sorted(wanted.items()):
        if not said[name].startswith(("http://", "https://")):
            problems.append(f"{name} '{redact(said[name])}' is not an http:// or https:// URL")
        general = said.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        protocol = said.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or general
        if protocol and protocol != _PROTOCOL:
            problems.append(f"{signal} can't be sent by the protocol '{protocol}'")
    if problems:
        hint = SetupHint.COLLECTOR_ADDRESS(protocol=_PROTOCOL)
        raise ConfigurationError(sorted(set(problems)), hint=hint)
    return frozenset(wanted)
