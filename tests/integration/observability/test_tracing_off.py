"""Tracing that is off, or whose collector is away: nobody notices."""

import socket
import time

from servers.fixtures import MakeInstallation, StartServer

IMPORTS = """
import sys
import netra.asgi
from agents.registry import discover
from agents.tracing import get_tracer
discover()
get_tracer()
ours = ("agents.opentelemetry_tracer", "opentelemetry.exporter", "opentelemetry.sdk.trace")  # not what redis takes
print(sorted(name for name in sys.modules if name.startswith(ours)))
"""


def test_off__nothing_is_imported_for_it(make_installation: MakeInstallation) -> None:
    installation = make_installation()
    assert installation.manage("shell", "--no-imports", "-c", IMPORTS).strip() == "[]"
    off = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}
    assert installation.manage("shell", "--no-imports", "-c", IMPORTS, env=off).strip() == "[]"


def test_collector__that_never_answers_hurts_no_run_and_no_shutdown(start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections, says nothing
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        server = start_server(env={"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "50"})
        server.installation.manage("golden_path", "--url", server.ws_url)
        began = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - began < 20  # of which tracing may take 3
    assert "Traceback" not in server.output()


def test_exporter__that_is_not_installed_is_told_and_forgotten(make_installation: MakeInstallation) -> None:
    wanted = {"OTEL_TRACES_EXPORTER": "carrier-pigeon"}
    output = make_installation(env={"LOG_LEVEL": "WARNING"}).manage(
        "shell", "--no-imports", "-c", "from agents.tracing import get_tracer; print(type(get_tracer()))", env=wanted
    )
    assert "_NoTracer" in output
