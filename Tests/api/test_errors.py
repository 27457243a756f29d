"""Errors on our side, as Sentry gets them: what is sent, what never is, and when nothing is."""

from __future__ import annotations

import sqlite3
from typing import Iterator

import pytest

from checks import eventually, ok, problem
from gatehouse import SECRET, Server, run_command
from receivers import Reply, Sentry
from test_metrics import scrape, value


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    sentry = Sentry()
    yield sentry
    sentry.close()


@pytest.fixture
def damaged(start, sentry):
    """A server one of whose rows cannot be read, its owner, and the path of what it holds."""
    server: Server = start(
        sentry_dsn=sentry.dsn, sentry_environment="staging", sentry_timeout="1m"
    )  # fmt: skip
    person = server.person()
    item = ok(server.post("/items", person, json={"name": "a", "data": {}}), 201)
    server.stop()
    with sqlite3.connect(server.database()) as db:
        db.execute("UPDATE items SET data_json = 'Canary-data' WHERE id = ?", (item["id"],))
    db.close()
    return server.start(), person, f"/items/{item['id']}"


def test_a_failure_of_ours_is_sent_with_its_route_and_no_more(damaged, sentry):
    server, person, path = damaged
    answer = server.get(path + "?password=Canary-query", person, headers={"X-Note": "Canary-head"})
    told = problem(answer, 500, "internal")
    sentry.wait(1)
    [event] = sentry.events
    [envelope] = sentry.envelopes
    assert envelope.headers["event_id"] == event["event_id"] and len(event["event_id"]) == 32
    assert event["level"] == "error" and event["environment"] == "staging"
    assert event["release"].startswith("gatehouse@") and event["server_name"]
    assert event["transaction"] == "GET /api/v1/items/{id}"
    [exception] = event["exception"]["values"]
    assert exception["type"] == "request failed" and "is not JSON" in exception["value"]
    assert event["tags"]["request_id"] == told["request_id"]
    assert event["tags"]["code"] == "internal"
    assert event["fingerprint"] == ["request failed", "/api/v1/items/{id}", "internal"]
    raw = sentry.reports[0].body.decode()
    for secret in (person.email, person.access_token, "Canary", path.split("/")[-1]):
        assert secret not in raw
    assert not SECRET.search(raw)
    assert f"sentry_key={sentry.KEY}" in sentry.reports[0].headers["x-sentry-auth"]


def test_what_the_client_did_wrong_is_not(damaged, sentry):
    server, person, path = damaged
    problem(server.get("/items/nothing", person), 404, "not_found")
    problem(server.post("/items", person, json={"nonsense": 1}), 422, "validation_failed")
    problem(server.get("/me"), 401, "unauthorized")
    problem(server.get(path, person), 500, "internal")
    sentry.wait(1)
    assert len(sentry.events) == 1


def test_it_is_sent_although_the_log_is_not_to_have_it(damaged, sentry):
    server, person, path = damaged
    server.restart(log_requests="off")
    problem(server.get(path, person), 500, "internal")
    sentry.wait(1)
    assert sentry.events[0]["transaction"] == "GET /api/v1/items/{id}"
    assert not [e for e in server.events() if e["message"] == "request failed"]


def test_limits_are_obeyed_and_what_was_not_sent_is_told(damaged, sentry):
    server, person, path = damaged
    sentry.replies = [Reply(200, {"X-Sentry-Rate-Limits": "2:error:organization"})]
    for _ in range(3):
        problem(server.get(path, person), 500, "internal")
    eventually(lambda: sentry.discards, what="a client report")
    assert len(sentry.events) == 1
    discarded = 'gatehouse_error_reports_total{outcome="discarded"}'
    assert value(scrape(server).text, discarded) == 2

    def again() -> bool:
        problem(server.get(path, person), 500, "internal")
        return len(sentry.events) >= 2

    eventually(again, what="an event after the limit's time")
    assert {d["reason"] for d in sentry.discards} == {"ratelimit_backoff"}
    assert {d["category"] for d in sentry.discards} == {"error"}


def test_a_429_silences_everything_for_its_time(damaged, sentry):
    server, person, path = damaged
    sentry.replies = [Reply(429, {"Retry-After": "1"})]

    def sent() -> bool:
        problem(server.get(path, person), 500, "internal")
        return value(scrape(server).text, 'gatehouse_error_reports_total{outcome="sent"}') >= 1

    eventually(sent, what="an event after the time of a 429")
    quantity = sum(discard["quantity"] for discard in sentry.discards)
    discarded = value(scrape(server).text, 'gatehouse_error_reports_total{outcome="discarded"}')
    assert quantity == discarded >= 1


def test_a_sentry_that_hangs_holds_nobody_up_and_its_queue_has_an_end(damaged, sentry):
    server, person, path = damaged
    sentry.gate.clear()
    for _ in range(100):
        problem(server.get(path, person), 500, "internal")
    sentry.wait(1)
    sentry.gate.set()

    def overflow() -> int:
        own = [d["quantity"] for d in sentry.discards if d["reason"] == "queue_overflow"]
        return sum(own)

    # One is on its way and 64 wait, if the first was taken before the last came.
    assert eventually(overflow, what="a report of what did not fit") in (35, 36)


def test_a_stop_sends_what_there_is_and_waits_for_no_sentry(damaged, sentry):
    server, person, path = damaged
    sentry.gate.clear()
    problem(server.get(path, person), 500, "internal")
    problem(server.get(path, person), 500, "internal")
    sentry.wait(1)
    server.stop()  # within the time that it has, and with 0


def test_authorities_that_cannot_be_read_stop_the_start_with_the_key_to_change(make):
    server = make()
    settings = {"sentry_dsn": "https://key@localhost/1", "sentry_ca_file": "/no/such.pem"}
    refused = server.command("serve", "--listen", "127.0.0.1:0", **settings)
    assert refused.returncode == 78
    assert "sentry.ca_file: cannot use /no/such.pem" in refused.stderr


def test_one_that_refuses_is_said_once_in_the_log(damaged, sentry):
    server, person, path = damaged
    sentry.replies = [Reply(400), Reply(400)]
    for count in (1, 2):
        problem(server.get(path, person), 500, "internal")
        sentry.wait(count)
    problem(server.get(path, person), 500, "internal")
    eventually(lambda: sentry.discards, what="a client report")
    assert {d["reason"] for d in sentry.discards} == {"send_error"}
    told = [e["message"] for e in server.events()]
    assert told.count("errors cannot be reported") == 1


@pytest.mark.parametrize("dsn", ["https://host/1", "key@host/1", "https://key@host"])
def test_a_wrong_dsn_stops_the_start_without_being_shown(make, dsn):
    server = make()
    refused = server.command("serve", "--listen", "127.0.0.1:0", sentry_dsn=dsn)
    assert refused.returncode == 78
    assert "sentry.dsn" in refused.stderr and "expected https://KEY@HOST/PROJECT" in refused.stderr


def test_a_service_that_fails_is_told_before_the_end(tmp_path, sentry):
    folder = tmp_path / ("x" * 100) / "data"  # its control socket has a name that is too long
    folder.parent.mkdir()
    words = "serve", "--listen", "127.0.0.1:0", "--data-dir", str(folder)
    settings = {"sentry_dsn": sentry.dsn, "metrics_listen": "off"}
    ended = run_command(*words, cwd=tmp_path, **settings)
    assert ended.returncode != 0 and "a service has failed" in ended.stdout
    event = sentry.events[-1]  # behind what the one who runs the services says
    assert event["level"] == "fatal"
    assert event["exception"]["values"][0]["type"] == "a service has failed"
