"""Bad input to the calls of a customer's own service: each says what is wrong, nothing breaks."""

from __future__ import annotations

import json

import pytest

from checks import JSON, invalid, ok, problem, raw, unauthorized
from gatehouse import BASE
from test_input import Endpoint

MEBI = 1 << 20
EVENTS = Endpoint("POST", "/usage/events", {"id": 7, "metric": 7, "value": "7", "at": 7})
OBJECTS = [
    Endpoint("POST", "/reservations", {"metric": 7, "amount": "7", "ttl_seconds": "7"}),
    Endpoint("POST", "/reservations/{reservation}/commit", {"amount": "7"}),
    Endpoint("POST", "/leases", {"resource": 7, "ttl_seconds": "7"}),
    Endpoint("PUT", "/leases/{lease}", {"fencing_token": "7", "ttl_seconds": "7"}),
    Endpoint("DELETE", "/leases/{lease}", {"fencing_token": "7"}),
]
ENDPOINTS = [EVENTS, *OBJECTS]
RELEASE = Endpoint("DELETE", "/reservations/{reservation}")
SCOPES = {"/usage": "usage:write", "/reservations": "reservations", "/leases": "leases"}
every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
every_call = pytest.mark.parametrize("endpoint", [*ENDPOINTS, RELEASE], ids=str)


@pytest.fixture(scope="module")
def person(server):
    return server.customer({})


@pytest.fixture(scope="module")
def names(server, person):
    reservation = {"metric": "tokens", "amount": 1, "ttl_seconds": 3600}
    lease = {"resource": "jobs", "ttl_seconds": 3600}
    return {
        "reservation": ok(server.post("/reservations", person, json=reservation), 201)["id"],
        "lease": ok(server.post("/leases", person, json=lease), 201)["id"],
    }


@pytest.fixture
def send(server, person, names):
    def send(endpoint, content, content_type=JSON, who=person):
        path = endpoint.path.format_map(names)
        headers = {"Content-Type": content_type} if content_type else {}
        return server.request(endpoint.method, path, who, headers=headers, content=content)

    return send


@pytest.fixture(autouse=True)
def nothing_changes(server, person, names):
    yield
    report = ok(server.get("/usage", person))
    assert [(m["metric"], m["used"]) for m in report["metrics"]] == [("tokens", 1)]
    assert report["concurrency"] == [{"resource": "jobs", "in_use": 1, "limit": None}]


# Bodies


@every_endpoint
@pytest.mark.parametrize(
    "content",
    [b"{", b'{"id": }', b"{'id': 'x'}", b'{"a": 1,}', b"{} {}", b"[{},]", b'{"id": "\xff"}',
     b'{"value": NaN}', b'{"amount": 01}', b'{"a": 1, "a": 1}', b'{"id": "\x01"}', b"",
     b"[" * 100_000],
    ids=lambda content: repr(content[:20]),
)  # fmt: skip
def test_malformed_json_is_refused(send, endpoint, content):
    codes = "invalid_json", "payload_too_large"
    problem(send(endpoint, content), (400, 413), codes)


@every_endpoint
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_does_not_say_it_is_json_is_refused(send, endpoint, content_type):
    answer = send(endpoint, json.dumps(endpoint.fields), content_type)
    problem(answer, 415, "unsupported_media_type")


@every_endpoint
def test_wrong_types_and_unknown_fields_are_told_at_once(send, endpoint):
    body = endpoint.fields | {"surprise": 1}
    invalid(send(endpoint, json.dumps(body)), *body)


@every_endpoint
def test_missing_fields_are_named(send, endpoint):
    needed = endpoint.fields.keys() - {"at"}
    invalid(send(endpoint, b"{}"), *needed)
    invalid(send(endpoint, json.dumps(dict.fromkeys(needed))), *needed)


@every_endpoint
@pytest.mark.parametrize("content", [b"[]", b"[7]", b"null", b"7", b'"text"', b"true"], ids=repr)
def test_json_that_is_no_object_is_refused(send, endpoint, content):
    problem(send(endpoint, content), 422, "validation_failed")


@pytest.mark.parametrize("endpoint", OBJECTS, ids=str)
def test_a_list_is_for_events_alone(send, endpoint):
    problem(send(endpoint, json.dumps([endpoint.fields])), 422, "validation_failed")


@every_endpoint
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_oversize_body_is_refused(server, person, names, endpoint, framing):
    size = MEBI if endpoint is EVENTS else 16 * 1024
    body = json.dumps(endpoint.fields).encode().ljust(size + 1)
    head = (
        f"{endpoint.method} {BASE}{endpoint.path.format_map(names)} HTTP/1.1\r\n"
        f"Host: {server.address.removeprefix('http://')}\r\nContent-Type: {JSON}\r\n"
        f"Authorization: Bearer {person.access_token}\r\n"
    )
    if framing == "length":
        head += f"Content-Length: {len(body)}\r\n\r\n"
    else:
        head += "Transfer-Encoding: chunked\r\n\r\n"
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    problem(raw(server.address, head.encode(), body), 413, "payload_too_large")


# Who


@every_call
def test_nobody_without_a_credential_calls_it(send, endpoint):
    unauthorized(send(endpoint, json.dumps(endpoint.fields), who=None))


@every_call
def test_no_key_without_the_scope_calls_it(server, person, send, endpoint):
    needed = next(scope for path, scope in SCOPES.items() if endpoint.path.startswith(path))
    others = {"gate", "usage:read", "items:write", *SCOPES.values()} - {needed}
    without = server.make_key(person, sorted(others))["key"]
    problem(send(endpoint, b"{}", who=without), 403, "insufficient_scope")
    with_it = server.make_key(person, [needed])["key"]
    if endpoint is not RELEASE:
        problem(send(endpoint, b"{}", who=with_it), 422, "validation_failed")


# Methods


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/usage/events", {"POST"}),
        ("DELETE", "/usage/events", {"POST"}),
        ("GET", "/reservations", {"POST"}),
        ("PUT", "/reservations/{reservation}", {"DELETE"}),
        ("GET", "/reservations/{reservation}/commit", {"POST"}),
        ("PATCH", "/leases", {"POST"}),
        ("POST", "/leases/{lease}", {"PUT", "DELETE"}),
    ],
)
def test_a_wrong_method_is_refused_and_the_right_ones_told(
    server, person, names, method, path, allowed
):
    answer = server.request(method, path.format_map(names), person)
    problem(answer, 405, "method_not_allowed")
    told = {name.strip() for name in answer.headers["allow"].split(",")}
    assert allowed <= told and method not in told


@pytest.mark.parametrize(
    "path", ["/usage/events/1", "/reservations/{reservation}/nope", "/leases/{lease}/renew"]
)
def test_an_unknown_path_is_not_found(server, person, names, path):
    problem(server.post(path.format_map(names), person), 404, "not_found")
