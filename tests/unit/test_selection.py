"""What is sent to a collector, by OpenTelemetry's variables."""

import pytest

from brownie_backup.errors import ConfigurationError
from brownie_backup.telemetry.otel_environment import wanted_signals

URL = "http://collector:4318"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
BOTH = {"traces", "metrics"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, set()),
        ({ENDPOINT: " "}, set()),
        ({ENDPOINT: URL}, BOTH),
        ({ENDPOINT: URL, "OTEL_SDK_DISABLED": "TRUE"}, set()),
        ({ENDPOINT: URL, "OTEL_METRICS_EXPORTER": "none"}, {"traces"}),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": URL}, {"metrics"}),
        ({ENDPOINT: URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, BOTH),
    ],
)
def test_what_is_wanted(environ: dict[str, str], wanted: set[str]) -> None:
    assert wanted_signals(environ) == wanted


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({ENDPOINT: "collector:4318"}, "is not an http:// or https:// URL"),
        ({ENDPOINT: "grpc://u:hunter2@collector"}, r"u:\*\*\*\*\*\*\*\*@collector"),
        ({ENDPOINT: URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "by the protocol 'grpc'"),
    ],
)
def test_what_cannot_be_is_a_wrong_setting(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        wanted_signals(environ)
    assert "hunter2" not in str(caught.value)
    assert URL in str(caught.value.hint)
