"""Bad input: each endpoint answers a 4xx problem that names what is wrong, and nothing breaks."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field

import pytest

from checks import CODES, JSON
from checks import connect, invalid, media_type, ok, problem, raw, read_response
from gatehouse import BASE, new_email, new_password

MEBI = 1 << 20


@dataclass
class Endpoint:
    method: str
    path: str
    fields: dict = field(default_factory=dict)  # each field with a value of a wrong type
    who: str = "nobody"
    right: dict = field(default_factory=dict)  # what a body needs besides

    def __str__(self):
        return f"{self.method} {self.path}"


ENDPOINTS = [
    Endpoint("POST", "/auth/register", {"email": 7, "password": 7, "name": 7}),
    Endpoint("POST", "/auth/login", {"email": 7, "password": [], "otp": 7}),
    Endpoint("POST", "/auth/refresh", {"refresh_token": 7}),
    Endpoint("POST", "/auth/logout", {"refresh_token": 7, "all": "yes"}, "user"),
    Endpoint("POST", "/auth/forgot-password", {"email": {}}),
    Endpoint("POST", "/auth/reset-password", {"token": 7, "password": True}),
    Endpoint("POST", "/auth/verify-email", {"token": []}),
    Endpoint("POST", "/auth/resend-verification", {"email": 7}),
    Endpoint("PATCH", "/me", {"name": 7, "email": 7, "current_password": 7}, "user"),
    Endpoint("POST", "/me/password", {"current_password": 7, "new_password": 7}, "user"),
    Endpoint("DELETE", "/me", {"current_password": 7}, "user"),
    Endpoint(
        "POST", "/api-keys",
        {"name": 7, "scopes": "gate", "limits": 7, "allowed_cidrs": 7, "expires_at": 7}, "user",
    ),
    Endpoint("PATCH", "/api-keys/{key}", {"name": 7, "scopes": "gate"}, "user"),
    Endpoint("POST", "/api-keys/{key}/rotate", {"overlap_seconds": "soon"}, "user"),
    Endpoint("POST", "/subscribe", {"plan": 7}, "user"),
    Endpoint("POST", "/items", {"name": 7}, "user", {"data": 1}),
    Endpoint("PATCH", "/items/{item}", {"name": 7}, "user"),
    Endpoint("PATCH", "/admin/users/{user}", {"role": 7, "is_active": 7, "name": 7}, "admin"),
    Endpoint(
        "POST", "/admin/plans",
        {"slug": 7, "name": 7, "description": 7, "limits": [], "self_service": "no"}, "admin",
    ),
    Endpoint("PATCH", "/admin/plans/{plan}", {"name": 7, "limits": []}, "admin"),
    Endpoint("POST", "/admin/subscriptions", {"user_id": 7, "plan": 7, "expires_at": 7}, "admin"),
    Endpoint("PATCH", "/admin/subscriptions/{subscription}", {"plan": 7}, "admin"),
]  # fmt: skip
every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)


@pytest.fixture(scope="module")
def world(server):
    """Somebody, what they own, and an admin: none of it is changed by a request refused."""
    person = server.customer({})
    return {
        "nobody": None,
        "user": person,
        "admin": server.admin(),
        "names": {
            "user": person.id,
            "key": server.make_key(person)["id"],
            "item": ok(server.post("/items", person, json={"name": "x", "data": 1}), 201)["id"],
            "plan": server.plan_of(person),
            "subscription": ok(server.get("/subscription", person))["id"],
        },
    }


@pytest.fixture
def send(server, world):
    def send(endpoint, content, content_type=JSON):
        path = endpoint.path.format_map(world["names"])
        headers = {"Content-Type": content_type} if content_type else {}
        return server.request(
            endpoint.method, path, world[endpoint.who], headers=headers, content=content
        )

    return send


@every_endpoint
@pytest.mark.parametrize(
    "content",
    [b"{", b'{"email": }', b"{'email': 'x'}", b'{"email": "x"', b'{"a": 1,}', b"{} {}",
     b'{"email": "\xff\xfe"}', b'{"email": NaN}', b'{"email": 01}', b'\xef\xbb\xbf{"a": 1',
     b'{"email": "\x01"}'],
    ids=repr,
)  # fmt: skip
def test_malformed_json_is_refused(send, endpoint, content):
    problem(send(endpoint, content), 400, "invalid_json")


@every_endpoint
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/jsonp", ""],
)  # fmt: skip
def test_a_body_that_does_not_say_it_is_json_is_refused(send, endpoint, content_type):
    answer = send(endpoint, json.dumps(endpoint.fields), content_type)
    problem(answer, 415, "unsupported_media_type")


@every_endpoint
def test_a_charset_beside_the_media_type_is_fine(send, endpoint):
    body = json.dumps({"surprise": 1})
    assert send(endpoint, body, "application/json; charset=utf-8").status_code == 422


@every_endpoint
def test_an_unknown_field_is_named(send, endpoint):
    body = problem(send(endpoint, b'{"surprise": 1}'), 422, "validation_failed")
    assert "surprise" in [error["field"] for error in body["errors"]]


@every_endpoint
def test_wrong_types_get_one_entry_per_field(send, endpoint):
    invalid(send(endpoint, json.dumps(endpoint.fields | endpoint.right)), *endpoint.fields)


@every_endpoint
def test_a_field_given_twice_is_refused(send, endpoint):
    name = next(iter(endpoint.fields))
    content = f'{{"{name}": "a", "{name}": "b"}}'
    problem(send(endpoint, content), 400, "invalid_json")


@every_endpoint
@pytest.mark.parametrize("content", [b"[]", b"[{}]", b"null", b"7", b'"text"', b"true"], ids=repr)
def test_json_that_is_no_object_is_refused(send, endpoint, content):
    problem(send(endpoint, content), 422, "validation_failed")


@every_endpoint
@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["arrays", "objects"])
def test_a_depth_bomb_is_refused(send, endpoint, opening):
    codes = "invalid_json", "validation_failed", "payload_too_large"
    for content in (opening * 40 + b"1" + {b"[": b"]"}.get(opening, b"}") * 40, opening * 100_000):
        problem(send(endpoint, content), (400, 413, 422), codes)


@every_endpoint
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_oversize_body_is_refused(server, world, endpoint, framing):
    who = world[endpoint.who]
    head = (
        f"{endpoint.method} {BASE}{endpoint.path.format_map(world['names'])} HTTP/1.1\r\n"
        f"Host: {server.address.removeprefix('http://')}\r\nContent-Type: {JSON}\r\n"
    )
    if who is not None:
        head += f"Authorization: Bearer {who.access_token}\r\n"
    body = b'{"name": "' + b"x" * (8 * MEBI) + b'"}'
    if framing == "length":
        head += f"Content-Length: {len(body)}\r\n\r\n"
    else:
        head += "Transfer-Encoding: chunked\r\n\r\n"
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    problem(raw(server.address, head.encode(), body), 413, "payload_too_large")


@pytest.mark.parametrize("field", ["email", "password"])
def test_a_missing_field_is_named(server, field):
    body = {"email": new_email(), "password": new_password()}
    del body[field]
    invalid(server.post("/auth/register", json=body), field)


def test_all_that_is_wrong_is_told_at_once(server):
    body = {"email": "nobody", "password": 7, "colour": "red"}
    invalid(server.post("/auth/register", json=body), "email", "password", "colour")


@pytest.mark.parametrize("content", [b'{"name": "\\ud800", "data": 1}', b'{"name": "\\u0000"}'])
def test_text_that_is_no_text_is_refused(server, world, content):
    answer = server.request(
        "POST", "/items", world["user"], headers={"Content-Type": JSON}, content=content
    )
    problem(answer, (400, 422), ("invalid_json", "validation_failed"))


# Methods and paths


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/auth/login", {"POST"}),
        ("PUT", "/me", {"GET", "PATCH", "DELETE"}),
        ("POST", "/plans", {"GET"}),
        ("DELETE", "/items", {"GET", "POST"}),
        ("PUT", "/items/01890000-0000-7000-8000-000000000000", {"GET", "PATCH", "DELETE"}),
        ("POST", "/usage", {"GET"}),
        ("DELETE", "/admin/users", {"GET"}),
        ("POST", "//healthz", {"GET"}),
        ("DELETE", "//.well-known/jwks.json", {"GET"}),
        ("TRACE", "/me", {"GET", "PATCH", "DELETE"}),
        ("TRACE", "/plans", {"GET"}),
        ("TRACE", "//healthz", {"GET"}),
        ("BREW", "/plans", {"GET"}),
    ],
)
def test_a_wrong_method_is_refused_and_the_right_ones_told(server, world, method, path, allowed):
    answer = server.request(method, path, world["admin"])
    if method == "BREW" and answer.status_code in (400, 501):
        return  # a server need not parse a method that nobody defined
    problem(answer, 405, "method_not_allowed")
    told = {name.strip() for name in answer.headers["allow"].split(",")}
    assert allowed <= told and method not in told


@pytest.mark.parametrize(
    "path", ["/nope", "/items/a/b", "/admin/nope", "/auth", "/auth/login/x", "//.well-known/nope"]
)
def test_an_unknown_path_is_not_found(server, world, path):
    problem(server.get(path, world["admin"]), 404, "not_found")


@pytest.mark.parametrize(
    "path", ["/items/{}", "/api-keys/{}", "/admin/users/{}", "/me/sessions/{}"]
)
@pytest.mark.parametrize(
    "odd",
    ["none", "0", "-1", "%00", "%ff", "%F0%9F%98%80", "..%2f..%2fetc%2fpasswd", "%27%20OR%201=1",
     "01890000-0000-7000-8000-000000000000", "01890000-0000-7000-8000-00000000000", "x" * 1000],
    ids=lambda odd: odd[:40],
)  # fmt: skip
def test_an_odd_id_is_not_found(server, world, path, odd):
    method = "DELETE" if "sessions" in path else "GET"
    who = world["admin" if "admin" in path else "user"]
    problem(server.request(method, path.format(odd), who), 404, "not_found")


# What comes before the body


def head_request(server, path, *lines):
    host = f"Host: {server.address.removeprefix('http://')}"
    text = "\r\n".join([f"GET {path} HTTP/1.1", host, *lines, "", ""])
    return raw(server.address, text.encode())


@pytest.mark.parametrize(
    "lines",
    [["X-Large: " + "x" * (200 * 1024)], [f"X-Many-{n}: x" for n in range(5000)]],
    ids=["large", "many"],
)
def test_oversize_headers_are_refused(server, lines):
    answer = head_request(server, "/api/v1/plans", *lines)
    assert answer.status_code == 431 and media_type(answer).endswith("json")
    assert answer.json()["status"] == 431 and answer.headers["x-request-id"]


def test_an_overlong_address_is_refused(server):
    answer = head_request(server, "/api/v1/plans?x=" + "y" * (9 * 1024))
    assert answer.status_code == 414 and media_type(answer) == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 4", "Transfer-Encoding: chunked"],
        ["Content-Length: 4", "Content-Length: 5"],
        ["Content-Length: -1"],
        ["Content-Length: 4x"],
        ["Transfer-Encoding: chunked, identity"],
    ],
    ids=" ".join,
)
def test_a_message_whose_end_is_in_doubt_is_refused_and_the_connection_closed(server, lines):
    head = "\r\n".join([
        "POST /api/v1/auth/login HTTP/1.1", f"Host: {server.address.removeprefix('http://')}",
        f"Content-Type: {JSON}", *lines, "", "",
    ])  # fmt: skip
    smuggled = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(server.address) as connection:
        connection.sendall(head.encode() + smuggled)
        with connection.makefile("rb") as stream:
            everything = stream.read()
    assert re.findall(rb"HTTP/1\.1 (\d+)", everything) == [b"400"]


# Headers of every answer

ANSWERS = {
    200: ("GET", "/plans"), 401: ("GET", "/me"), 404: ("GET", "/nope"), 405: ("PUT", "/plans"),
    415: ("POST", "/auth/login"),
}  # fmt: skip


@pytest.fixture
def answers(server, world):
    person, blocked = world["user"], server.customer({"requests_per_month": 0})
    named = {str(status): server.request(*call) for status, call in ANSWERS.items()}
    assert {name: str(answer.status_code) for name, answer in named.items()} == {
        name: name for name in named
    }
    return named | {
        "201": server.post("/items", person, json={"name": "x", "data": 1}),
        "204": server.delete("/me/sessions", person),
        "422": server.post("/auth/login", json={"surprise": 1}),
        "429": server.get("/gate", blocked),
        "gate": server.get("/gate", person),
        "health": server.get("//healthz"),
        "keys": server.get("//.well-known/jwks.json"),
        "problem page": server.get("//problems/not_found"),
        "400": server.request("POST", "/auth/login", headers={"Content-Type": JSON}, content="{"),
    }


def test_every_kind_of_answer_carries_the_security_headers(answers):
    for kind, answer in answers.items():
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff", kind
        assert headers["referrer-policy"] in ("no-referrer", "same-origin"), kind
        assert "frame-ancestors 'none'" in headers["content-security-policy"], kind
        assert not re.search(r"\d", headers.get("server", "")), kind
        assert headers["x-request-id"], kind


def test_no_other_site_is_let_in(server, world):
    for method in ("GET", "OPTIONS"):
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
        answer = server.request(method, "/me", world["user"], headers=headers)
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/plans", "/me", "/nope", "/gate", "//healthz"])
def test_a_valid_request_id_is_kept(server, path):
    mine = str(uuid.uuid4())
    answer = server.get(path, headers={"X-Request-Id": mine})
    assert answer.headers["x-request-id"] == mine
    if answer.is_error:
        assert answer.json()["request_id"] == mine


@pytest.mark.parametrize("theirs", ["", "x" * 300, "two words", '"><script>', "a\tb", "{}", "é"])
def test_an_invalid_request_id_is_replaced(server, theirs):
    headers = {"X-Request-Id": theirs.encode()}
    given = [server.get("/me", headers=headers).headers["x-request-id"] for _ in range(2)]
    assert theirs not in given and len(set(given)) == 2
    assert all(re.fullmatch(r"[\w.-]{8,128}", one) for one in given)


@pytest.mark.parametrize("code", CODES)
def test_each_problem_has_a_page(server, code):
    answer = server.get(f"//problems/{code}")
    assert answer.status_code == 200 and code in answer.text


def test_a_problem_nobody_defined_has_none(server):
    problem(server.get("//problems/nonsense"), 404, "not_found")


def test_after_a_refused_body_the_connection_serves_on(server):
    host = f"Host: {server.address.removeprefix('http://')}"
    bad = f"POST {BASE}/auth/login HTTP/1.1\r\n{host}\r\nContent-Length: 2\r\n\r\n{{}}"
    with connect(server.address) as connection:
        connection.sendall(bad.encode())
        assert read_response(connection).status_code == 415
        connection.sendall(f"GET /healthz HTTP/1.1\r\n{host}\r\n\r\n".encode())
        assert read_response(connection).status_code == 200
