"""Tracing that is off, or whose collector is unavailable, has no effect on runs."""

import logging
import os
import socket
import time

import pytest

from netra.agents.observing.tracing import is_wanted, make_tracer
from servers.fixtures import MakeInstallation, StartServer

IMPORTS = """
import sys
import netra.project.asgi
from netra.agents.registry import discover
from netra.agents.observing.tracing import make_tracer
discover()
make_tracer()
# Not what redis takes of it.
ours = ("netra.agents.observing.opentelemetry_tracer", "opentelemetry.exporter", "opentelemetry.sdk.trace")
print(sorted(name for name in sys.modules if name.startswith(ours)))
"""


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_SERVICE_NAME": "netra"}, False),
    ],
)
def test_wanted__when_the_variables_say_where_to(variables: dict[str, str], wanted: bool) -> None:
    assert is_wanted(variables) is wanted


def test_off__nothing_is_imported_for_it(make_installation: MakeInstallation) -> None:
    assert make_installation().manage("shell", "--no-imports", "-c", IMPORTS).strip() == "[]"


def test_exporter__that_is_not_installed_is_told_and_forgotten(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(os.environ, "OTEL_TRACES_EXPORTER", "carrier-pigeon")
    with caplog.at_level(logging.WARNING):
        tracer = make_tracer()
    with tracer.recording() as kept:
        assert kept == ""
    assert "carrier-pigeon" in caplog.text
    assert "Install opentelemetry-sdk" in caplog.text


def test_collector__that_never_answers_hurts_no_run_and_no_shutdown(start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections, says nothing
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        server = start_server(env={"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "50"})
        server.installation.manage("golden_path", "--url", server.ws_url)
        began = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - began < 20  # of which tracing may take 3
    assert "Traceback" not in server.output()
