"""What one connection may hold, and what is no HTTP."""

from __future__ import annotations

import contextlib
import json
import re
import time

import pytest

from checks import JSON, connect, ok, read_response
from gatehouse import BASE, new_email, new_password

SECOND = 1.0
SHORT = {f"server_{name}_timeout": "1s" for name in ("header", "body", "idle")}
PATIENCE = 8  # seconds: a timeout of 1 s, noticed within 2, on a busy machine


def host(server):
    return f"Host: {server.address.removeprefix('http://')}"


def rest_of(connection):
    """What still comes before the server closes; a server that does not close fails the test."""
    connection.settimeout(PATIENCE)
    with connection.makefile("rb") as stream:
        return stream.read()


@pytest.fixture(scope="module")
def hasty(start_for_module):
    return start_for_module(**SHORT)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "GET /healthz HTTP/1.1\r\nX-Slow: ",
        "POST /api/v1/auth/login HTTP/1.1\r\n{host}\r\nContent-Length: 9\r\n\r\n{{",
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_request_that_does_not_arrive_is_cut(hasty, sent):
    with connect(hasty.address) as connection:
        connection.sendall(sent.format(host=host(hasty)).encode())
        assert b"200" not in rest_of(connection)


@pytest.mark.parametrize("sent", ["", "GET /healthz HT"], ids=["nothing", "half a head"])
def test_a_kept_connection_is_cut_when_the_next_request_does_not_arrive(hasty, sent):
    with connect(hasty.address) as connection:
        request = f"GET /healthz HTTP/1.1\r\n{host(hasty)}\r\n\r\n"
        connection.sendall((request + sent).encode())
        assert rest_of(connection).count(b"HTTP/1.1 200") == 1


def test_a_connection_in_use_is_not_cut(hasty):
    request = f"GET /healthz HTTP/1.1\r\n{host(hasty)}\r\n\r\n".encode()
    with connect(hasty.address) as connection:
        connection.settimeout(PATIENCE)
        begin = time.monotonic()
        while time.monotonic() < begin + 4 * SECOND:  # past every limit that could cut it
            connection.sendall(request)
            assert b" 200 " in connection.recv(4096)
            time.sleep(SECOND / 4)  # less than the idle time: the time itself is what is tested


def test_a_connection_that_the_gate_answered_is_cut_when_it_idles(start):
    server = start(server_idle_timeout="1s", server_header_timeout="30s")
    key = server.make_key(server.person())["key"]
    request = f"GET {BASE}/gate HTTP/1.1\r\n{host(server)}\r\nX-API-Key: {key}\r\n\r\n"
    with connect(server.address) as connection:
        for _ in range(2):
            connection.sendall(request.encode())
            assert read_response(connection).status_code == 200
        assert rest_of(connection) == b""


def test_an_answer_that_takes_long_is_not_cut(start):
    """Slow by an honest cause: one thread for passwords, at a cost of a second or two each."""
    costly = {"memory_kib": "38912", "iterations": "100", "threads": "1"}
    server = start(**SHORT, **{f"auth_argon2_{name}": value for name, value in costly.items()})
    body = json.dumps({"email": new_email(), "password": new_password()})
    request = (
        f"POST {BASE}/auth/login HTTP/1.1\r\n{host(server)}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(connect(server.address)) for _ in range(5)]
        for connection in waiting:
            connection.settimeout(60)
            connection.sendall(request.encode())
        for connection in waiting:
            assert read_response(connection).status_code == 401
    assert time.monotonic() > begin + 4 * SECOND  # past every limit that could cut it


def test_one_client_has_so_many_connections_and_no_more(start):
    server = start(server_connections_per_address_max="3")
    kept = [connect(server.address) for _ in range(3)]
    try:
        for connection in kept:
            connection.sendall(f"GET /healthz HTTP/1.1\r\n{host(server)}\r\n\r\n".encode())
            connection.settimeout(PATIENCE)
            assert b"200" in connection.recv(4096)
        with connect(server.address) as one_more:
            assert rest_of(one_more) == b""
    finally:
        for connection in kept:
            connection.close()


CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "request_text",
    [
        "GET /healthz HTTP/1.1\r\n{host}\r\nHost: other\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n{host}\r\nX-Folded: a\r\n b\r\n\r\n",
        "GET /healthz HTTP/1.1\n{host}\n\n",
        "GET /healthz HTTP/1.1\r\n{host}\r\nX-Bare: a\nX-Hidden: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n{host}\r\nX-Bare: a\rX-Hidden: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n{host}\r\nX Space: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n{host}\r\nX-Space : a\r\n\r\n",
        "POST /healthz HTTP/1.1\r\n{host}\r\n" + CHUNKED + "zz\r\n\r\n",
        "POST /healthz HTTP/1.1\r\n{host}\r\n" + CHUNKED + "3\r\nabcd\r\n0\r\n\r\n",
        "POST /healthz HTTP/1.1\r\n{host}\r\n" + CHUNKED + "ffffffffffffffffff\r\n\r\n",
        "GET /healthz HTTP/9.9\r\n{host}\r\n\r\n",
        "not http at all\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_once_and_the_connection_closed(server, request_text):
    after = f"GET /healthz HTTP/1.1\r\n{host(server)}\r\n\r\n"
    with connect(server.address) as connection:
        connection.sendall((request_text.format(host=host(server)) + after).encode())
        everything = rest_of(connection)
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", everything)
    assert b"200" not in statuses and statuses[-1:] == [b"400"], everything


def test_a_name_that_is_not_ours_is_misdirected(server):
    answer = server.get("/plans", headers={"Host": "other.example"})
    assert answer.status_code == 421
    assert answer.json()["errors"][0]["field"] == "Host"
    ok(server.get("//healthz", headers={"Host": "other.example"}))


# Behind TLS


@pytest.fixture(scope="module")
def secure(start_for_module):
    return start_for_module(server_public_url="https://id.example.org")


def test_behind_tls_every_answer_tells_browsers_to_stay_with_it(secure):
    wanted = "max-age=31536000; includeSubDomains"
    for path in ("//healthz", "/plans", "/me", "/nope"):
        assert secure.get(path).headers["strict-transport-security"] == wanted
    with connect(secure.address) as connection:
        connection.sendall(b"not http at all\r\n\r\n")
        assert b"strict-transport-security" in rest_of(connection).lower()


def test_behind_tls_the_cookie_is_bound_to_its_host(secure):
    body = {"email": new_email(), "password": new_password()}
    ok(secure.post("/auth/register", json=body), 201)
    answer = secure.post("/auth/login?session=cookie", json=body)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-gatehouse_refresh=ghr_")
    for attribute in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert attribute in cookie.split("; "), cookie
    assert "Domain" not in cookie


def test_without_tls_a_cookie_goes_to_a_loopback_address_only(start):
    server = start(server_trusted_proxies="127.0.0.1")
    body = {"email": new_email(), "password": new_password()}
    ok(server.post("/auth/register", json=body), 201)
    login = f"{BASE}/auth/login?session=cookie"
    far = {"X-Forwarded-For": "192.0.2.7", "Content-Type": JSON}
    answer = server.client.post(login, json=body, headers=far)
    assert answer.status_code == 422 and "set-cookie" not in answer.headers
    assert answer.json()["errors"][0]["field"] == "session"
    assert "set-cookie" in server.client.post(login, json=body).headers


@pytest.mark.parametrize("first", ["HTTP/1.1\r\nConnection: close", "HTTP/1.0"])
def test_a_client_that_wants_one_answer_is_told_that_it_was_the_last(server, first):
    head = f"GET /api/v1/plans {first}\r\nHost: localhost\r\n\r\n".encode()
    with connect(server.address) as connection:
        connection.sendall(head * 2)
        stream = connection.makefile("rb").read()
    assert stream.startswith(b"HTTP/1.") and stream.count(b" 200 OK\r\n") == 1
    assert stream.lower().count(b"connection: close") == 1
