"""The process: stopping, being killed, its first admin, its files and its log."""

from __future__ import annotations

import itertools
import json
import socket
import stat

import httpx
import pytest

from checks import JSON, connect, eventually, media_type, ok, problem, read_response, together
from gatehouse import BASE, authorization, new_email, new_password
from load import Load, request_bytes

# Ends


def test_a_clean_stop_loses_nothing(start):
    server = start(limits_checkpoint_interval="30s")
    person = server.customer({"requests_per_month": 10_000, "max_items": 100})
    for cost in range(1, 21):
        ok(server.get("/gate", person, params={"cost": cost}))
    item = ok(server.post("/items", person, json={"name": "x", "data": 1}), 201)
    server.restart()
    assert server.used(person) == 211
    assert ok(server.get(f"/items/{item['id']}", person)) == item


def test_sessions_and_keys_outlive_a_restart_and_so_does_a_revocation(start):
    server = start()
    person, gone = server.person(), server.person()
    key = server.make_key(person)["key"]
    ok(server.post("/auth/logout", gone, json={"refresh_token": gone.refresh_token}), 204)
    server.restart()
    ok(server.get("/me", person))
    ok(server.get("/gate", key))
    problem(server.get("/me", gone), 401, "unauthorized")
    ok(server.post("/auth/refresh", json={"refresh_token": person.refresh_token}))


def test_a_restart_hands_out_no_fresh_quota(start):
    server = start()
    person = server.customer({"requests_per_month": 1})
    ok(server.get("/gate", person))
    server.restart()
    problem(server.get("/gate", person), 429, "quota_exceeded")


def test_sigterm_lets_a_request_in_flight_finish(start):
    server = start()
    person = server.customer({})
    body = json.dumps({"name": "in flight", "data": 1}).encode()
    head = [f"POST {BASE}/items HTTP/1.1", f"Host: {server.address.removeprefix('http://')}",
            f"Content-Type: {JSON}", f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in authorization(person).items())]  # fmt: skip
    with connect(server.address) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body[:5])
        ok(server.get("/me", person))  # the server has read on meanwhile
        server.process.terminate()
        eventually(lambda: not_serving(server), what="the drain")
        assert server.running()
        connection.sendall(body[5:])
        answer = read_response(connection)
    assert answer.status_code == 201
    assert server.wait() == 0
    server.start()
    names = [item["name"] for item in ok(server.get("/items", person))["items"]]
    assert names == ["in flight"]


def not_serving(server):
    """New connections are refused, or the server says that it is no longer ready."""
    try:
        return httpx.get(f"{server.address}/readyz", timeout=5).status_code == 503
    except httpx.TransportError:
        return True


def test_a_server_busy_with_clients_still_ends_cleanly(start):
    server = start()
    person = server.customer({})
    request = request_bytes(server, "GET", "/gate", person)
    load = Load(server, [itertools.repeat(request) for _ in range(8)])
    load.until(1000, server.stop)
    server.start()
    answered = sum(client.answered for client in load.clients)
    sent = sum(client.sent for client in load.clients)
    assert answered <= server.used(person) <= sent


# The first admin


def setup_body(token):
    return {"token": token, "email": new_email(), "password": new_password()}


def test_the_setup_token_works_once_and_its_file_is_gone(start):
    server = start()
    token = server.setup_token()
    assert stat.S_IMODE((server.data_dir / "setup-token").stat().st_mode) == 0o600
    refused = server.post("/setup", json=setup_body(token[:-1] + "~"))
    assert refused.status_code in (400, 401, 403, 404)
    pair = ok(server.post("/setup", json=setup_body(token)), 201)
    assert pair["user"]["role"] == "admin" and pair["user"]["is_superuser"] is True
    ok(server.get("/admin/users", pair["access_token"]))
    assert not (server.data_dir / "setup-token").exists()
    problem(server.post("/setup", json=setup_body(token)), 404, "not_found")
    server.restart()
    assert not (server.data_dir / "setup-token").exists()
    problem(server.post("/setup", json=setup_body(token)), 404, "not_found")


def test_of_many_who_hold_the_setup_token_one_becomes_admin(start):
    server = start()
    token = server.setup_token()
    answers = together(8, lambda _: server.post("/setup", json=setup_body(token)))
    assert sorted(answer.status_code for answer in answers) == [201] + [404] * 7


def test_a_first_start_prints_the_link_for_the_first_admin_and_a_later_one_does_not(start):
    server = start()
    token = server.setup_token()
    # The link and the line that says "listening" come through two pipes.
    eventually(lambda: [line for line in server.stdout + server.stderr if token in line])
    assert any("/setup" in line for line in server.stdout + server.stderr if token in line)
    server.admin()
    lines = len(server.stdout), len(server.stderr)
    server.restart()
    later = server.stdout[lines[0] :] + server.stderr[lines[1] :]
    assert not any("/setup" in line for line in later)


# Health, files, log


@pytest.mark.parametrize("path", ["//healthz", "//readyz"])
def test_a_serving_process_says_so(server, path):
    answer = server.get(path)
    assert answer.status_code == 200 and media_type(answer) == JSON


def test_what_only_its_owner_may_read_nobody_else_can(start):
    server = start()
    person = server.person()
    server.post("/auth/forgot-password", json={"email": person.email})
    server.wait_for_mail(person.email)
    files = [path for path in server.data_dir.rglob("*") if path.is_file()]
    open_ones = [path for path in files if path.stat().st_mode & 0o077]
    assert open_ones == []
    assert server.database() in files and server.data_dir / "setup-token" in files


def test_every_line_of_the_log_is_json_with_a_message(server):
    ok(server.get("/plans"))
    assert server.stdout
    for line in list(server.stdout):
        event = json.loads(line)
        assert isinstance(event["message"], str) and event["message"]


def test_a_log_line_cannot_be_forged(server):
    body = {"email": 'x\n{"message":"forged"}\u001b[31m@example.org', "password": new_password()}
    server.post("/auth/login", json=body, headers={"User-Agent": '{"message":"forged"}'})
    ok(server.get("/plans"))
    assert "forged" not in [event.get("message") for event in server.events()]
    assert not any("\x1b" in line for line in server.stdout)


def test_no_secret_is_in_the_log_nor_readable_in_the_files(start):
    server = start(log_level="trace")
    person = server.person()
    key = server.make_key(person)
    pair = ok(server.post("/auth/refresh", json={"refresh_token": person.refresh_token}))
    server.post("/auth/forgot-password", json={"email": person.email})
    reset = server.mailed_token(person.email, "reset-password")
    setup = server.setup_token()
    secrets = [person.password, person.access_token, person.refresh_token, key["key"], reset,
               pair["access_token"], pair["refresh_token"]]  # fmt: skip
    for secret in (*secrets, setup):  # where they do not belong, and are refused
        misplaced = {"Authorization": f"Bearer {secret}", "X-API-Key": secret,
                     "Cookie": f"gatehouse_refresh={secret}", "Referer": secret}  # fmt: skip
        for name, value in misplaced.items():
            server.get("/me", headers={name: value})
        server.get("/gate", params={"access_token": secret})
        server.post("/auth/login", json={"email": person.email, "password": secret})
        server.post("/auth/refresh", json={"refresh_token": secret})
        server.post("/auth/verify-email", json={"token": secret})
        server.post("/auth/login", json={"surprise": secret})
    server.stop()
    log = "\n".join(server.stdout + server.stderr)
    assert [secret for secret in secrets if secret in log] == []
    stored = [path.read_bytes() for path in server.data_dir.glob("*.db*")]
    assert stored
    assert [s for s in secrets if any(s.encode() in content for content in stored)] == []


def test_a_slow_or_silent_client_does_not_keep_the_server_from_others(server):
    parts = server.address.removeprefix("http://").split(":")
    silent = [socket.create_connection((parts[0], int(parts[1]))) for _ in range(100)]
    try:
        for connection in silent[::2]:
            connection.sendall(b"GET /api/v1/plans HTTP/1.1\r\nHost:")
        for _ in range(20):
            ok(server.get("/plans", timeout=5))
    finally:
        for connection in silent:
            connection.close()
