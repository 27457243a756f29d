"""TLS in the binary: versions, the guard's bounds, and the gate as on plain HTTP."""

from __future__ import annotations

import os
import re
import signal
import ssl
import time

import pytest

from certificates import Authority, Pair, tcp, tls
from checks import eventually, ok, problem, read_response
from gatehouse import BASE, new_email, new_password
from test_connections import PATIENCE, rest_of


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def pair(authority, tmp_path):
    return Pair(tmp_path, authority.issue())


@pytest.fixture(scope="module")
def server(start_for_module, authority, tmp_path_factory):
    pair = Pair(tmp_path_factory.mktemp("pair"), authority.issue())
    return start_for_module(trust=authority.client(), **pair.settings)


def request(path="/healthz", *fields):
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def status(connection):
    """The status that the server answers with on this connection."""
    connection.sendall(request())
    return read_response(connection).status_code


# The handshake


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(server, authority, version):
    with tls(server.address, authority.client(version)) as connection:
        assert connection.version() == version.name.replace("_", ".")
        assert status(connection) == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(server, authority, version):
    context = authority.client(version)
    context.set_ciphers("ALL:@SECLEVEL=0")  # else our own side would not offer them
    with pytest.raises(ssl.SSLError, match="(?i)alert protocol version"):
        tls(server.address, context)


@pytest.mark.parametrize(
    "cipher", ["AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA"]
)
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(
    server, authority, cipher
):
    context = authority.client(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="(?i)alert handshake failure"):
        tls(server.address, context)


def test_the_protocol_is_http_1_1_also_for_who_would_rather_have_2(server, authority):
    context = authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with tls(server.address, context) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
        assert status(connection) == 200


def test_plain_http_is_told_what_is_spoken_here_and_closed(server):
    with tcp(server.address) as connection:
        connection.sendall(request())
        answer = read_response(connection)
        assert "https" in problem(answer, 400, "validation_failed")["detail"]
        assert answer.headers["connection"] == "close"
        assert rest_of(connection) == b""


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x00\x05hello", b"\x00" * 64, b"\x16\x03"],
    ids=["a record of nonsense", "zeros", "half a record"],
)
def test_what_is_no_tls_is_closed(server, authority, sent):
    with tcp(server.address) as connection:
        connection.sendall(sent)
        connection.shutdown(1)
        rest_of(connection)
    with tls(server.address, authority.client()) as connection:
        assert status(connection) == 200


# The guard's bounds


@pytest.fixture(scope="module")
def hasty(start_for_module, authority, tmp_path_factory):
    pair = Pair(tmp_path_factory.mktemp("pair"), authority.issue())
    timeouts = {f"server_{name}_timeout": "1s" for name in ("header", "body", "idle")}
    return start_for_module(trust=authority.client(), **pair.settings, **timeouts)


def client_hello(authority):
    outgoing = ssl.MemoryBIO()
    half = authority.client().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("share", [0, 0.5, 1], ids=["nothing", "half a hello", "a hello"])
def test_a_handshake_that_does_not_end_is_cut(hasty, authority, share):
    hello = client_hello(authority)
    with tcp(hasty.address) as connection:
        connection.sendall(hello[: int(len(hello) * share)])
        rest_of(connection)  # fails unless the server closes


def test_a_handshake_that_drips_is_cut(hasty, authority):
    hello = client_hello(authority)
    with tcp(hasty.address) as connection:
        connection.settimeout(0.1)  # the pace of the drip
        begin = time.monotonic()
        with pytest.raises(ConnectionError):
            for byte in hello:
                connection.sendall(bytes([byte]))
                try:
                    assert connection.recv(1) == b""
                    raise ConnectionResetError
                except TimeoutError:
                    pass
        assert time.monotonic() - begin < PATIENCE


@pytest.mark.parametrize(
    "sent",
    [b"", request()[:20], request() + b"GET /heal", request()],
    ids=["nothing", "half a head", "half of the next", "one request"],
)
def test_behind_the_handshake_a_request_is_on_the_clock_too(hasty, authority, sent):
    with tls(hasty.address, authority.client()) as connection:
        connection.sendall(sent)
        assert rest_of(connection).count(b"HTTP/1.1 200") == sent.count(request())


def test_connections_of_one_address_are_counted(start, authority, pair):
    server = start(
        trust=authority.client(), server_connections_per_address_max="2", **pair.settings
    )
    kept = [tls(server.address, authority.client()) for _ in range(2)]
    try:
        assert [status(connection) for connection in kept] == [200, 200]
        with pytest.raises(OSError):
            tls(server.address, authority.client())
    finally:
        for connection in kept:
            connection.close()


def test_a_client_that_is_gone_without_a_word_leaves_nothing_behind(start, authority, pair):
    server = start(
        trust=authority.client(), server_connections_per_address_max="3", **pair.settings
    )

    def is_free():
        try:
            with tls(server.address, authority.client()) as connection:
                return status(connection) == 200
        except OSError:
            return False

    for _ in range(9):
        eventually(is_free, what="a place for one more connection")
        connection = tls(server.address, authority.client())
        connection.sendall(request())
        os.close(connection.detach())  # TCP ends, TLS does not


def test_a_stop_does_not_wait_for_silent_connections(start, authority, pair):
    server = start(trust=authority.client(), **pair.settings)
    with tls(server.address, authority.client()) as idle, tcp(server.address) as half:
        assert status(idle) == 200
        half.sendall(client_hello(authority)[:50])
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 15  # server.drain_timeout is 20 s


# The gate, cookies, bodies


def answer_on(connection):
    """One answer as its bytes, without what differs from one second to the next."""
    received = b""
    while not (head := re.search(rb"Content-Length: (\d+)\r\n(?s:.*?)\r\n\r\n", received)) or (
        len(received) < head.end() + int(head[1])
    ):
        received += connection.recv(65536)
    return re.sub(rb"Date: [^\r]*|;t=\d+|Retry-After: \d+", b"", received)


def gate_answers(connection, key):
    """What the gate says to requests that are granted, refused for each reason, unknown."""
    who = f"X-API-Key: {key}"
    answers = []
    for number, (query, *fields) in enumerate(
        [
            ("?cost=0", who),
            ("?cost=0&metric=nope!", who),
            ("?cost=0&on_deny=403&scope=items:write", who),
            ("",),
            ("?cost=99", who),
        ]
    ):
        connection.sendall(request(f"{BASE}/gate{query}", f"X-Request-Id: {number}", *fields))
        answers.append(answer_on(connection))
    return answers


def test_the_gate_answers_over_tls_what_it_answers_without_byte_for_byte(start, authority, pair):
    server = start(server_public_url="https://id.example.com")
    person = server.customer({"requests_per_month": 50})
    key = server.make_key(person)["key"]
    ok(server.get("/gate", key))
    with tcp(server.address) as connection:
        without = gate_answers(connection, key)
    server.stop()
    server.trust = authority.client()
    server.settings |= pair.settings
    server.start()
    ok(server.get("/gate?cost=0", key))  # from here on it is answered on the event loop
    with tls(server.address, authority.client()) as connection:
        assert gate_answers(connection, key) == without
    statuses = [int(answer.split(b" ")[1]) for answer in without]
    assert statuses == [200, 422, 403, 401, 429]
    assert server.used(person) == 1


def test_requests_in_one_write_are_answered_in_their_order(server, authority):
    key = server.make_key(server.customer({"requests_per_month": 1000}))["key"]
    ok(server.get("/gate", key))
    paths = [f"{BASE}/gate", "/healthz", f"{BASE}/gate", f"{BASE}/plans"] * 20
    requests = [
        request(path, f"X-API-Key: {key}", f"X-Request-Id: n{number}")
        for number, path in enumerate(paths)
    ]
    with tls(server.address, authority.client()) as connection:
        connection.sendall(b"".join(requests))
        received = b""
        while received.count(b"X-Request-Id") < len(paths):
            received += connection.recv(65536)
    found = re.findall(rb"X-Request-Id: n(\d+)\r", received)
    assert [int(number) for number in found] == list(range(len(paths)))
    assert received.count(b"HTTP/1.1 200") == len(paths)


def test_cookies_are_bound_to_the_host_and_browsers_told_to_stay(server):
    body = {"email": new_email(), "password": new_password()}
    ok(server.post("/auth/register", json=body), 201)
    answer = server.post("/auth/login?session=cookie", json=body)
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-gatehouse_refresh=ghr_")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    held = {"Cookie": cookie.split(";")[0], "Origin": server.address}
    again = server.client.post(f"{BASE}/auth/refresh", headers=held, json={})
    assert ok(again)["access_token"]
    held["Origin"] = "https://evil.example"
    problem(server.client.post(f"{BASE}/auth/refresh", headers=held, json={}), 403, "csrf")


def test_bodies_of_any_size_go_both_ways(server):
    person = server.customer({"max_items": 300})
    data = "x" * 16_000
    for number in range(60):
        ok(server.post("/items", person, json={"name": f"n{number}", "data": data}), 201)
    listed = ok(server.get("/items?limit=60", person))["items"]  # 1 MB in one answer
    assert [item["data"] for item in listed] == [data] * 60


def test_links_are_made_with_https(start, authority, pair):
    server = start(trust=authority.client(), **pair.settings)
    assert server.address.startswith("https://")
    link = f"{server.address}/setup#token="
    eventually(lambda: link in "\n".join(server.stderr), what="the link on standard error")
    assert server.admin().user["role"] == "admin"


# The probe for containers


@pytest.mark.parametrize("secure", [True, False], ids=["over TLS", "without"])
def test_healthcheck_asks_the_daemon(start, authority, pair, secure):
    settings = pair.settings if secure else {}
    server = start(trust=authority.client() if secure else None, **settings)
    listen = server.address.split("//")[1]

    def healthcheck():
        return server.command("healthcheck", "--listen", listen, **settings)

    done = healthcheck()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    server.process.send_signal(signal.SIGSTOP)
    try:
        done = healthcheck()
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
    server.stop()
    assert healthcheck().returncode == 1
    assert server.command("healthcheck", server_listen="127.0.0.1:0").returncode == 78
