"""Secrets through every route, and then a look into everything that somebody else may read: logs,
metrics, traces, Sentry, the audit log, jobs, and the answers themselves (security G1)."""

from __future__ import annotations

import re
import sqlite3
from typing import Iterator

import pytest

from checks import eventually, ok
from gatehouse import SECRET, Person, Server, new_password
from receivers import Collector, Sentry
from test_metrics import ROOT, scrape
from test_totp import enrol

EXPECTED = ROOT / "Tests" / "ApplianceTests" / "Support" / "ExpectedRoutes.swift"
GATE_METHODS = "GET POST PUT PATCH DELETE OPTIONS"
# What a client may put where no secret belongs, besides where it does.
WORD = "Canary-5f2c9b7d41e84a06"
KEY = "gh_" + "Canary5f2c9b7d41e84a06" * 2
JWT = "eyJhbGciOiJFZERTQSJ9.eyJDYW5hcnkiOiI1ZjJjOWI3ZCJ9.Canary5f2c9b7d41e84a06"
SECRET_FIELDS = (
    "password", "current_password", "new_password", "token", "refresh_token", "otp", "code",
    "secret", "api_key", "fencing_token",
)  # fmt: skip


def routes() -> list[tuple[str, str]]:
    """The list that a Swift test holds the server to."""
    text = EXPECTED.read_text()
    found = re.findall(r'"((?:GET|POST|PUT|PATCH|DELETE) /[^"\s]*)"', text)
    assert len(found) >= 80
    return [tuple(route.split(" ", 1)) for route in found] + [
        (method, "/api/v1/gate") for method in GATE_METHODS.split()
    ]


@pytest.fixture(scope="module")
def sinks() -> Iterator[tuple[Collector, Sentry]]:
    collector, sentry = Collector(), Sentry()
    yield collector, sentry
    collector.close()
    sentry.close()


@pytest.fixture(scope="module")
def watched(start_for_module, sinks) -> Server:
    """Everything on, and the log as wordy as it gets."""
    collector, sentry = sinks
    return start_for_module(
        log_level="trace", log_requests="all", log_slow_request="1ms", log_slow_query="1ms",
        otlp_endpoint=f"http://127.0.0.1:{collector.port}", otlp_interval="100ms",
        otlp_sample_ratio="1", otlp_headers=f"X-Collector-Key={WORD}", sentry_dsn=sentry.dsn,
        auth_recent_sign_in="1h",
    )  # fmt: skip


def strange_requests(server: Server, who: Person | None) -> list[str]:
    """Each route, with a secret wherever a request has room for one; what was answered."""
    answers = []
    for method, path in routes():
        path = re.sub(r"\{\w+\}", WORD, path)
        headers = {
            "Cookie": f"__Host-gatehouse_refresh={WORD}; gatehouse_refresh={WORD}",
            "X-API-Key": KEY, "X-Note": WORD, "Referer": f"https://example.com/#token={WORD}",
        }  # fmt: skip
        if who is not None:
            headers |= {"Authorization": f"Bearer {who.access_token}"}
            del headers["X-API-Key"]
        else:
            headers |= {"Authorization": f"Bearer {JWT}"}
        body = {field: WORD for field in SECRET_FIELDS} if method in "POST PUT PATCH" else None
        query = {"access_token": WORD, "token": WORD, "password": WORD, "api_key": KEY}
        answer = server.client.request(method, path, headers=headers, params=query, json=body)
        answers.append(f"{answer.status_code} {answer.headers} {answer.text}")
    return answers


def real_secrets(server: Server) -> set[str]:
    """What people are given, and give, in a life with an account."""
    admin, person = server.admin(), server.person()
    key = server.make_key(person)
    rotated = ok(server.post(f"/api-keys/{key['id']}/rotate", person, json={"overlap_seconds": 9}))
    refreshed = ok(server.post("/auth/refresh", json={"refresh_token": person.refresh_token}))
    secrets = {
        admin.access_token, admin.refresh_token, admin.password, person.access_token,
        person.refresh_token, person.password, key["key"], rotated["key"],
        refreshed["access_token"], refreshed["refresh_token"],
    }  # fmt: skip
    server.post("/auth/forgot-password", json={"email": person.email})
    link, password = server.mailed_token(person.email, "reset-password"), new_password()
    verify = server.mailed_token(person.email, "verify-email")
    ok(server.post("/auth/verify-email", json={"token": verify}), 204)
    ok(server.post("/auth/reset-password", json={"token": link, "password": password}), 204)
    person = Person(person.email, password, person.user, server.login(person.email, password))
    secret, recovery = enrol(server, person)
    secrets |= {link, verify, password, secret, *recovery, person.access_token}
    otp = {"email": person.email, "password": password, "otp": recovery[0]}
    secrets.add(ok(server.post("/auth/login", json=otp))["refresh_token"])
    for wrong in (WORD, "000000"):
        server.post("/auth/login", json=otp | {"otp": wrong})
        server.post("/auth/login", json=otp | {"password": wrong})
    ok(server.get("/gate", rotated["key"]))
    ok(server.post("/admin/users", admin, json={"email": f"x-{person.email}"}), 201)
    eventually(lambda: server.mailbox(f"x-{person.email}"), what="an invitation")
    secrets.add(server.mailed_token(f"x-{person.email}", "reset-password"))
    return secrets


def fail_inside(server: Server) -> None:
    """An error of ours, for a request that is full of secrets."""
    person = server.person()
    item = ok(server.post("/items", person, json={"name": "a", "data": {}}), 201)
    server.stop()
    with sqlite3.connect(server.database()) as db:
        db.execute("UPDATE items SET data_json = ? WHERE id = ?", (WORD, item["id"]))
    db.close()
    server.start()
    query = {"token": WORD, "password": WORD}
    headers = {"X-Note": WORD, "Cookie": f"session={WORD}"}
    answer = server.get(f"/items/{item['id']}", person, params=query, headers=headers)
    assert answer.status_code == 500 and WORD not in answer.text


def test_no_secret_reaches_anybody_who_reads_on(watched, sinks):
    collector, sentry = sinks
    setup = watched.setup_token()
    secrets = real_secrets(watched) | {WORD, KEY, JWT, setup, Sentry.KEY}
    answers = strange_requests(watched, None) + strange_requests(watched, watched.admin())
    metrics = scrape(watched).text
    fail_inside(watched)
    answers += strange_requests(watched, None)
    eventually(lambda: sentry.events, what="an error for Sentry")
    admin = watched.again(watched.admin())
    audit = watched.get("/admin/audit-logs?format=csv", admin).text
    jobs = watched.get("/admin/jobs?limit=200", admin).text
    metrics += scrape(watched).text
    log = "\n".join(watched.stdout + watched.stderr)
    watched.stop()
    assert len(collector.spans) > 100 and log.count('"message":"request"') > 200
    with sqlite3.connect(watched.database()) as db:
        rows = str(db.execute("SELECT * FROM jobs").fetchall())
        rows += str(db.execute("SELECT * FROM audit_logs").fetchall())
    db.close()
    sent = "\n".join(report.body.decode() for report in collector.reports + sentry.reports)
    for name, sink in {
        "the log": log.replace(setup, ""), "metrics": metrics, "traces and Sentry": sent,
        "the audit log": audit, "jobs": jobs, "rows": rows, "answers": "\n".join(answers),
    }.items():  # fmt: skip
        found = {secret for secret in secrets if secret in sink}
        assert not found, f"{name} has {found}"
        if name != "answers":
            assert not SECRET.search(sink), name
