"""A collector of OpenTelemetry: takes spans by HTTP as any other does, and keeps them."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class KeptSpan:
    """A span as it came over the wire."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    attributes: dict[str, Any]
    failed: bool
    events: int
    start: int
    end: int


class Collector:
    """Listens on a free port of the loopback interface while the `with` block lasts."""

    def __init__(self) -> None:
        self.spans: list[KeptSpan] = []
        self.raw = b""  # everything that came, to be searched
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Collector:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, body: bytes) -> None:
        """Keep the spans of one request."""
        self.raw += body
        for of_process in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {each.key: each.value.string_value for each in of_process.resource.attributes}
            for of_scope in of_process.scope_spans:
                self.spans += [_kept(resource["service.name"], span) for span in of_scope.spans]

    def of_run(self, run_id: str) -> dict[str, KeptSpan]:
        """The spans of a run's trace, by name."""
        (trace_id,) = {span.trace_id for span in self.spans if span.attributes.get("netra.run_id") == run_id}
        found = [span for span in self.spans if span.trace_id == trace_id]
        by_name = {span.name: span for span in found}
        assert len(by_name) == len(found), [span.name for span in found]
        return by_name


def _kept(service: str, span: Any) -> KeptSpan:
    return KeptSpan(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=span.kind,
        attributes={each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in span.attributes},
        failed=span.status.code == 2,
        events=len(span.events),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
    )
