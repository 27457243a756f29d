"""Traces: who is recorded, what a trace has, and what a collector that is unwell does to it."""

from __future__ import annotations

import itertools
import json
import sqlite3
import time
import uuid
from typing import Iterator

import httpx
import pytest

from checks import eventually, ok, problem
from mailservers import Authority
from receivers import Collector, Reply, attributes
from scraper import prometheus
from test_metrics import address, scrape, value

_spans = itertools.count(1)


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture
def traced(start, collector):
    """A server that records whom the caller records, and nobody else."""
    return start(
        otlp_endpoint=f"http://127.0.0.1:{collector.port}", otlp_interval="100ms",
        otlp_sample_ratio="0", otlp_headers="X-Collector-Key=Canary-collector",
        otlp_attributes="deployment.environment.name=test",
    )  # fmt: skip


def traceparent(sampled: bool = True) -> tuple[str, str, dict[str, str]]:
    trace, span = uuid.uuid4().hex, f"{next(_spans):016x}"
    return trace, span, {"traceparent": f"00-{trace}-{span}-{'01' if sampled else '00'}"}


def test_a_trace_has_the_request_and_what_the_store_did_for_it(traced, collector):
    person = traced.person()
    trace, caller, headers = traceparent()
    headers["tracestate"] = "vendor=1"
    ok(traced.get("/me/sessions", person, headers=headers))
    spans = collector.trace(trace, "GET /api/v1/me/sessions", "store read")
    request, read = spans["GET /api/v1/me/sessions"], spans["store read"]
    assert request.parent_span_id.hex() == caller and request.trace_state == "vendor=1"
    assert request.kind == request.SPAN_KIND_SERVER
    assert request.start_time_unix_nano <= read.start_time_unix_nano
    assert read.end_time_unix_nano <= request.end_time_unix_nano
    told = attributes(request)
    assert told["http.request.method"] == "GET" and told["http.response.status_code"] == 200
    assert told["http.route"] == "/api/v1/me/sessions" and told["url.scheme"] == "http"
    assert read.parent_span_id == request.span_id
    statements = [s for s in spans.values() if s.parent_span_id == read.span_id]
    assert statements
    for statement in statements:
        told = attributes(statement)
        assert statement.kind == statement.SPAN_KIND_CLIENT
        assert told["db.system.name"] == "sqlite"
        assert told["db.operation.name"] == told["db.query.text"].split()[0]
        assert "$1" in told["db.query.text"] and person.id not in told["db.query.text"]


def test_who_reports_is_said_with_each_batch(traced, collector):
    trace, _, headers = traceparent()
    ok(traced.get("//healthz", headers=headers))
    collector.trace(trace, "GET /healthz")
    [resource] = [r.resource for r in collector.requests[0].resource_spans]
    told = {pair.key: pair.value.string_value for pair in resource.attributes}
    assert told["service.name"] == "gatehouse" and told["service.version"]
    assert told["deployment.environment.name"] == "test"
    assert collector.reports[0].headers["x-collector-key"] == "Canary-collector"


def test_nobody_is_recorded_who_does_not_ask(traced, collector):
    ok(traced.get("//healthz"))
    silent, _, headers = traceparent(sampled=False)
    ok(traced.get("//healthz", headers=headers))
    broken = {"traceparent": headers["traceparent"].replace("00-", "zz-", 1)}
    ok(traced.get("//healthz", headers=broken))
    trace, _, headers = traceparent()
    ok(traced.get("//healthz", headers=headers))
    collector.trace(trace, "GET /healthz")
    assert {span.trace_id.hex() for span in collector.spans} == {trace}


def test_the_gate_is_recorded_on_the_event_loop_too(traced, collector):
    person = traced.customer({"requests_per_month": 3})
    key = traced.make_key(person)["key"]
    before = value(scrape(traced).text, "gatehouse_gate_event_loop_answers_total")
    traces = []
    for _ in range(5):
        trace, caller, headers = traceparent()
        status = traced.get("/gate", key, headers=headers).status_code
        traces.append((trace, caller, status))
    # The first one loads the customer, and so goes through the framework.
    after = value(scrape(traced).text, "gatehouse_gate_event_loop_answers_total")
    assert after - before >= 4 and [status for *_, status in traces] == [200] * 3 + [429] * 2
    for trace, caller, status in traces:
        span = collector.trace(trace, "GET /api/v1/gate")["GET /api/v1/gate"]
        assert span.parent_span_id.hex() == caller
        assert attributes(span)["http.response.status_code"] == status
        assert span.status.code == span.status.STATUS_CODE_UNSET


def test_jobs_and_mails_have_traces_of_their_own(start, collector):
    server = start(
        otlp_endpoint=f"http://127.0.0.1:{collector.port}", otlp_interval="100ms",
        otlp_sample_ratio="1",
    )  # fmt: skip
    person = server.person()
    server.post("/auth/forgot-password", json={"email": person.email})
    server.wait_for_mail(person.email)

    def sent() -> list:
        jobs = [s for s in collector.spans if s.name == "job send_mail"]
        return [
            (job, mail)
            for job in jobs
            for mail in collector.spans
            if mail.name == "mailbox write" and mail.parent_span_id == job.span_id
        ]

    job, mail = eventually(sent, what="a job with a mail")[0]
    assert job.trace_id == mail.trace_id and job.kind == job.SPAN_KIND_CONSUMER
    told = attributes(job)
    assert told["messaging.operation.type"] == "process"
    assert told["messaging.destination.name"] == "send_mail"
    assert person.email not in json.dumps([r.body.decode() for r in collector.reports])


def test_a_line_of_the_log_says_which_request_and_trace_it_is_of(start):
    server = start(log_requests="all")  # and there is no collector
    trace, _, headers = traceparent()
    answer = server.get("//healthz", headers=headers | {"X-Request-Id": "the-one"})
    assert answer.headers["X-Request-Id"] == "the-one"
    [line] = [e for e in server.events() if e["message"] == "request" and "trace_id" in e]
    assert line["trace_id"] == trace and line["request_id"] == "the-one"


def test_a_slow_request_and_a_slow_statement_are_told_without_a_value(start):
    server = start(log_slow_request="2ms", log_slow_query="2ms")
    admin = server.admin()
    server.stop()
    with sqlite3.connect(server.database()) as db:  # more than can be searched in 2 ms
        columns = "role, is_active, email_verified, totp_enabled, token_version"
        db.execute(
            f"""
            INSERT INTO users (id, email, {columns}, created_at, updated_at)
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
            SELECT printf('01900000-0000-7000-8000-%012d', i), i || '@example.org',
                'user', 1, 1, 0, 1, 0, 0 FROM n
            """
        )
    db.close()
    server.start()
    ok(server.get("/admin/users", admin, params={"q": "nobody-has-this"}))

    def slow(message: str) -> list[dict]:
        return [e for e in server.events() if e["message"] == message and "users" in str(e)]

    [request] = eventually(lambda: slow("slow request"), what="a slow request")
    assert request["level"] == "warning" and request["route"] == "/api/v1/admin/users"
    assert float(request["milliseconds"]) >= 2 and request["status"] == "200"
    query = slow("slow query")[0]
    assert query["request_id"] == request["request_id"] and query["statement"].startswith("SELECT")
    told = "\n".join(server.stdout)
    assert "nobody-has-this" not in told and admin.email not in told


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_tried_again(traced, collector, status):
    collector.replies = [Reply(status, {"Retry-After": "0"}), Reply(status), Reply()]
    trace, _, headers = traceparent()
    ok(traced.get("//healthz", headers=headers))
    first = collector.wait(3)[:3]
    assert len({report.body for report in first}) == 1
    sent = 'gatehouse_spans_total{outcome="sent"}'
    eventually(lambda: value(scrape(traced).text, sent) == 1, what="a span that was sent")
    told = [e["message"] for e in traced.events()]
    assert told.count("spans cannot be sent") == 1 and told.count("spans are taken again") == 1


def test_what_will_not_pass_is_not(traced, collector):
    collector.replies = [Reply(400), Reply(500)]
    for count in (1, 2):
        _, _, headers = traceparent()
        ok(traced.get("//healthz", headers=headers))
        collector.wait(count)
    rejected = 'gatehouse_spans_total{outcome="rejected"}'
    eventually(lambda: value(scrape(traced).text, rejected) == 2, what="rejected spans")
    trace, _, headers = traceparent()
    ok(traced.get("//healthz", headers=headers))
    collector.trace(trace, "GET /healthz")
    assert len(collector.reports) == 3


def test_a_collector_may_take_a_part(traced, collector):
    body = {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "no"}}
    collector.replies = [Reply(body=json.dumps(body).encode())]
    _, _, headers = traceparent()
    ok(traced.get("//healthz", headers=headers))
    collector.wait(1)
    rejected = 'gatehouse_spans_total{outcome="rejected"}'
    eventually(lambda: value(scrape(traced).text, rejected) == 1, what="a rejected span")


def test_a_collector_that_hangs_holds_nobody_up_and_spans_are_dropped(traced, collector):
    collector.gate.clear()
    with httpx.Client(base_url=traced.address) as client:
        for _ in range(2048 + 512 + 100):
            ok(client.get("/healthz", headers=traceparent()[2]))
    dropped = value(scrape(traced).text, 'gatehouse_spans_total{outcome="dropped"}')
    assert 1 <= dropped <= 612
    collector.gate.set()


def test_what_is_left_goes_out_at_the_end_and_no_collector_is_waited_for(start, collector):
    settings = {"otlp_endpoint": f"http://127.0.0.1:{collector.port}", "otlp_interval": "1m"}
    server = start(**settings)
    trace, _, headers = traceparent()
    ok(server.get("//healthz", headers=headers))
    server.stop()
    collector.trace(trace, "GET /healthz")
    server = start(**settings)
    collector.gate.clear()
    ok(server.get("//healthz", headers=headers))
    server.stop()  # within the time that it has


def test_a_collector_is_trusted_by_its_certificate_alone(start, tmp_path):
    ours, other = Authority(tmp_path), Authority(tmp_path, "other")
    collector = Collector(ours.context())
    try:
        settings = {
            "otlp_endpoint": f"https://localhost:{collector.port}", "otlp_interval": "100ms",
            "otlp_sample_ratio": "0",
        }  # fmt: skip
        wrong = start(otlp_ca_file=str(other.path), **settings)
        ok(wrong.get("//healthz", headers=traceparent()[2]))
        eventually(
            lambda: [e for e in wrong.events() if e["message"] == "spans cannot be sent"],
            what="a refusal of the certificate",
        )
        assert not collector.reports
        right = start(otlp_ca_file=str(ours.path), **settings)
        trace, _, headers = traceparent()
        ok(right.get("//healthz", headers=headers))
        collector.trace(trace, "GET /healthz")
    finally:
        collector.close()


def test_exemplars_lead_from_a_bucket_to_a_trace(traced, tmp_path):
    trace, _, headers = traceparent()
    problem(traced.get("/me", headers=headers), 401, "unauthorized")
    text = scrape(traced, Accept="application/openmetrics-text").text
    [line] = [line for line in text.splitlines() if trace in line]
    assert line.startswith("gatehouse_http_request_duration_seconds_bucket{")
    assert f'# {{trace_id="{trace}",span_id="' in line
    assert trace not in scrape(traced).text
    name = "gatehouse_http_request_duration_seconds_bucket"
    with prometheus(address(traced).removeprefix("http://"), tmp_path) as running:
        span = {"start": str(time.time() - 600), "end": str(time.time() + 600)}
        kept = running.ask("/query_exemplars", query=name, **span)
    assert trace in {e["labels"]["trace_id"] for series in kept for e in series["exemplars"]}
