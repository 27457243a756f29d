"""What the tests say of answers: statuses, problems, shapes; and two small tools for races."""

from __future__ import annotations

import re
import select
import socket
import threading
import time
from http.client import HTTPResponse
from typing import Any, Callable
from urllib.parse import urlsplit

import httpx
from http_sfv import List

JSON = "application/json"
PROBLEM = "application/problem+json"
PROBLEM_FIELDS = {"type", "title", "status", "detail", "code", "request_id"}
ERROR_FIELDS = {"field", "code", "message"}
LIMIT_FIELDS = {"limit", "allowed", "used", "resets_at"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID_V7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

# The contract's objects, field for field.
USER = {
    "id", "email", "name", "role", "is_active", "is_superuser", "email_verified", "totp_enabled",
    "plan", "created_at", "updated_at",
}  # fmt: skip
TOKEN_PAIR = {
    "token_type", "access_token", "expires_in", "refresh_token", "refresh_expires_in", "user",
}  # fmt: skip
SESSION = {"id", "created_at", "last_used_at", "expires_at", "user_agent", "ip", "current"}
API_KEY = {
    "id", "name", "prefix", "last_four", "scopes", "limits", "allowed_cidrs", "expires_at",
    "last_used_at", "revoked_at", "created_at",
}  # fmt: skip
SUBSCRIPTION = {"id", "user_id", "plan", "status", "started_at", "expires_at", "canceled_at"}
PLAN = {
    "id", "slug", "name", "description", "price", "limits", "self_service", "is_default",
    "archived_at",
}  # fmt: skip
ITEM = {"id", "name", "data", "created_at", "updated_at"}
GATE = {"allowed", "user_id", "key_id", "plan", "scopes", "limits"}
CODES = """
    invalid_json validation_failed unsupported_media_type payload_too_large not_found
    method_not_allowed unauthorized invalid_credentials otp_required invalid_token
    invalid_refresh_token refresh_token_reused forbidden insufficient_scope csrf email_taken
    weak_password conflict last_admin idempotency_mismatch idempotency_in_progress rate_limited
    quota_exceeded concurrency_exceeded limit_reached subscription_required lease_lost
    reservation_lost overloaded unavailable internal
""".split()


def ok(response: httpx.Response, status: int = 200) -> Any:
    """The JSON of an answer with this status (None where it has no body)."""
    told = f"{response.request.method} {response.request.url}"
    assert response.status_code == status, f"{told}: {response.status_code} {response.text}"
    if status == 204:
        assert response.content == b""
        return None
    assert media_type(response) == JSON
    return response.json()


def media_type(response: httpx.Response) -> str:
    return response.headers.get("content-type", "").split(";")[0].strip().lower()


def problem(
    response: httpx.Response, status: int | tuple[int, ...], code: str | tuple[str, ...]
) -> dict:
    """A refusal as the contract draws it, whole; answers its JSON."""
    statuses = status if isinstance(status, tuple) else (status,)
    codes = code if isinstance(code, tuple) else (code,)
    assert response.status_code in statuses, f"{response.status_code} {response.text}"
    assert media_type(response) == PROBLEM
    body = response.json()
    assert PROBLEM_FIELDS <= body.keys(), body
    assert body["code"] in codes, body
    assert body["type"].endswith(f"/problems/{body['code']}"), body
    assert body["status"] == response.status_code
    assert body["title"] and isinstance(body["detail"], str)
    assert body["request_id"] == response.headers["x-request-id"]
    for error in body.get("errors") or []:
        assert ERROR_FIELDS <= error.keys(), error
    if response.status_code == 401:
        assert response.headers["www-authenticate"].startswith("Bearer")
    if response.status_code == 429:
        assert int(response.headers["retry-after"]) >= 1
    return body


def invalid(response: httpx.Response, *fields: str) -> dict:
    """422 with exactly one entry for each of these fields (`limits.x` counts as `limits`)."""
    body = problem(response, 422, "validation_failed")
    named = sorted(re.split(r"[.\[/]", error["field"])[0] for error in body["errors"])
    assert named == sorted(fields), body
    return body


def unauthorized(response: httpx.Response) -> dict:
    return problem(response, 401, "unauthorized")


def same_but_for_the_request(first: httpx.Response, second: httpx.Response) -> None:
    """Two answers that tell nothing apart: status, headers and body, request id aside."""

    def seen(response: httpx.Response) -> tuple:
        own = {"x-request-id", "date"}
        headers = {k: v for k, v in response.headers.items() if k.lower() not in own}
        text = response.text.replace(response.headers["x-request-id"], "")
        return response.status_code, headers, text

    assert seen(first) == seen(second)


def members(response: httpx.Response, name: str) -> dict[str, dict]:
    """The parameters of each member of a header that is a list of structured fields."""
    fields = List()
    fields.parse(response.headers[name].encode())
    return {member.value: dict(member.params) for member in fields}


def eventually(question: Callable[[], Any], within: float = 10, what: str = "") -> Any:
    """The first true answer; for effects that no line and no answer announces."""
    deadline = time.monotonic() + within
    while True:
        if answer := question():
            return answer
        assert time.monotonic() < deadline, f"not within {within} s: {what or question}"
        time.sleep(0.02)


def together(count: int, call: Callable[[int], Any]) -> list[Any]:
    """Calls `call(0…count-1)` at the same moment, each on its own thread."""
    answers: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(index: int) -> None:
        try:
            barrier.wait(timeout=30)
            answers[index] = call(index)
        except Exception as error:  # handed to the test below, not lost with the thread
            answers[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def connect(address: str) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def read_response(connection: socket.socket, method: str = "GET") -> httpx.Response:
    answer = HTTPResponse(connection, method=method)
    answer.begin()
    return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())


def raw(address: str, head: bytes, body: bytes = b"") -> httpx.Response:
    """One request byte for byte. A server may answer, and stop reading, before the end of it."""
    with connect(address) as connection:
        rest = memoryview(head + body)
        try:
            while rest and not select.select([connection], [], [], 0)[0]:
                rest = rest[connection.send(rest[:16384]) :]
        except (BrokenPipeError, ConnectionResetError):
            pass  # it closed early; what it said before is read below
        return read_response(connection)
