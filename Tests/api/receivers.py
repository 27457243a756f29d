"""Servers that take reports: a collector of traces, and a Sentry. Each keeps what it was sent."""

from __future__ import annotations

import base64
import gzip
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sentry_sdk.envelope import Envelope

from checks import eventually


@dataclass
class Report:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


class Receiver:
    """Answers each POST with the next of `replies`, or with 200 when there is none left."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.reports: list[Report] = []
        self.replies: list[Reply] = []
        self.gate = threading.Event()  # closed: answers wait
        self.gate.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.reports.append(Report(self.path, headers, body))
                receiver.gate.wait(timeout=60)
                reply = receiver.replies.pop(0) if receiver.replies else Reply()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=10)

    def wait(self, count: int) -> list[Report]:
        return eventually(
            lambda: self.reports if len(self.reports) >= count else None, what=f"{count} reports"
        )


class Collector(Receiver):
    """Parses what it gets with OpenTelemetry's own package."""

    @property
    def requests(self) -> list[ExportTraceServiceRequest]:
        parsed = []
        for report in list(self.reports):
            assert report.path == "/v1/traces", report.path
            assert report.headers["content-type"] == "application/json"
            # Ids are hexadecimal in OTLP's JSON, and base64 in everybody else's.
            body = _with_bytes(json.loads(report.body))
            parsed.append(json_format.ParseDict(body, ExportTraceServiceRequest()))
        return parsed

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def trace(self, trace_id: str, *names: str) -> dict[str, Span]:
        """The spans of a trace by name, once those are there."""

        def found() -> dict[str, Span] | None:
            own = {s.name: s for s in self.spans if s.trace_id.hex() == trace_id}
            return own if set(names) <= own.keys() else None

        return eventually(found, what=f"spans {names} of {trace_id}")


def _with_bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_bytes(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64encode(bytes.fromhex(inner)).decode()
        if name in ("traceId", "spanId", "parentSpanId")
        else _with_bytes(inner)
        for name, inner in value.items()
    }


def attributes(span: Span) -> dict[str, Any]:
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes
    }


class Sentry(Receiver):
    """Parses what it gets with Sentry's own package."""

    KEY, PROJECT = "c0ffee0123456789", "42"

    @property
    def dsn(self) -> str:
        return f"http://{self.KEY}@127.0.0.1:{self.port}/{self.PROJECT}"

    @property
    def envelopes(self) -> list[Envelope]:
        parsed = []
        for report in list(self.reports):
            assert report.path == f"/api/{self.PROJECT}/envelope/", report.path
            assert report.headers["content-type"] == "application/x-sentry-envelope"
            body = report.body
            if report.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            parsed.append(Envelope.deserialize(body))
        return parsed

    @property
    def events(self) -> list[dict]:
        return [event for e in self.envelopes if (event := e.get_event()) is not None]

    @property
    def discards(self) -> list[dict]:
        return [
            discard
            for envelope in self.envelopes
            for item in envelope.items
            if item.type == "client_report"
            for discard in json.loads(item.get_bytes())["discarded_events"]
        ]
