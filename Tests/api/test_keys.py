"""API keys: what they look like, what they may do, and how they end."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest

from checks import API_KEY, TIME, UUID_V7
from checks import eventually, invalid, ok, problem, unauthorized

# gh_, a public id, 160 bits of secret (27 digits) and a CRC-32 (6 digits), all base62
FORMAT = re.compile(r"gh_[0-9A-Za-z]{34,}")


def in_time(**delta):
    moment = datetime.now(timezone.utc) + timedelta(**delta)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rotate(server, person, key, overlap):
    path = f"/api-keys/{key['id']}/rotate"
    answer = server.post(path, person, json={"overlap_seconds": overlap})
    return ok(answer, answer.status_code if answer.is_success else 200)


def test_a_key_is_shown_once_and_as_the_contract_draws_it(server):
    person = server.person()
    made = server.make_key(person, ["gate", "items:read"], name="ci")
    assert made.keys() == API_KEY | {"key"}
    assert FORMAT.fullmatch(made["key"])
    assert made["key"].startswith(made["prefix"]) and made["key"].endswith(made["last_four"])
    assert UUID_V7.fullmatch(made["id"]) and TIME.fullmatch(made["created_at"])
    assert (made["name"], set(made["scopes"])) == ("ci", {"gate", "items:read"})
    assert made["revoked_at"] is made["expires_at"] is made["last_used_at"] is None
    listed = ok(server.get("/api-keys", person))
    assert listed["next_cursor"] is None
    shown = ok(server.get(f"/api-keys/{made['id']}", person))
    assert listed["items"] == [shown]
    assert shown == {name: value for name, value in made.items() if name != "key"}
    assert made["key"] not in server.get("/api-keys", person).text


@pytest.mark.parametrize("scheme", ["X-API-Key", "Bearer"])
def test_a_key_opens_the_gate_in_either_header(server, scheme):
    key = server.make_key(server.person())
    value = {"X-API-Key": key["key"]} if scheme == "X-API-Key" else None
    answer = server.get("/gate", headers=value or {"Authorization": f"Bearer {key['key']}"})
    assert ok(answer)["key_id"] == key["id"]


@pytest.mark.parametrize(
    "alter",
    [
        lambda key: key[:-1] + ("0" if key[-1] != "0" else "1"),
        lambda key: key[:-12] + ("0" if key[-12] != "0" else "1") + key[-11:],
        lambda key: key[:4] + ("0" if key[4] != "0" else "1") + key[5:],
        lambda key: key[:-1],
        lambda key: key + "0",
        lambda key: key.swapcase(),
        lambda key: key.removeprefix("gh_"),
        lambda key: "gh_",
        lambda key: "gh_" + "0" * 10_000,
    ],
    ids=["checksum", "secret", "public id", "shorter", "longer", "case", "no prefix", "empty",
         "endless"],
)  # fmt: skip
def test_a_key_with_anything_changed_is_refused(server, alter):
    key = server.make_key(server.person())["key"]
    unauthorized(server.get("/gate", headers={"X-API-Key": alter(key)}))
    ok(server.get("/gate", key))


def test_a_revoked_key_is_dead_from_the_next_request_on(server):
    person = server.person()
    key, other = server.make_key(person), server.make_key(person)
    ok(server.get("/gate", key["key"]))
    ok(server.delete(f"/api-keys/{key['id']}", person), 204)
    unauthorized(server.get("/gate", key["key"]))
    ok(server.get("/gate", other["key"]))


def test_a_rotated_key_and_the_one_before_both_work_during_the_overlap(server):
    person = server.person()
    key = server.make_key(person)
    fresh = rotate(server, person, key, 3600)
    assert FORMAT.fullmatch(fresh["key"]) and fresh["key"] != key["key"]
    for secret in (key["key"], fresh["key"]):
        ok(server.get("/gate", secret))
    # Two secrets at most: another rotation ends the first one, however long it still had.
    newest = rotate(server, person, key, 3600)
    unauthorized(server.get("/gate", key["key"]))
    for secret in (fresh["key"], newest["key"]):
        ok(server.get("/gate", secret))


def test_a_key_rotated_without_overlap_is_dead_at_once(server):
    person = server.person()
    key = server.make_key(person)
    fresh = rotate(server, person, key, 0)
    unauthorized(server.get("/gate", key["key"]))
    ok(server.get("/gate", fresh["key"]))


@pytest.mark.parametrize("overlap", [-1, 604_801, 1.5, "10", [1]])
def test_an_overlap_outside_its_bounds_is_refused(server, overlap):
    person = server.person()
    key = server.make_key(person)
    body = {"overlap_seconds": overlap}
    invalid(server.post(f"/api-keys/{key['id']}/rotate", person, json=body), "overlap_seconds")
    ok(server.get("/gate", key["key"]))


def test_a_key_stops_at_its_expiry(server):
    person = server.person()
    key = server.make_key(person, expires_at=in_time(seconds=2))
    assert TIME.fullmatch(key["expires_at"])
    ok(server.get("/gate", key["key"]))
    eventually(lambda: server.get("/gate", key["key"]).status_code == 401, what="the key's expiry")
    unauthorized(server.get("/gate", key["key"]))


@pytest.mark.parametrize(
    ("ranges", "open"),
    [(["127.0.0.0/8"], True), (["10.0.0.0/8", "127.0.0.1/32"], True), (["10.0.0.0/8"], False),
     (["::/0"], False)],
)  # fmt: skip
def test_a_key_works_only_from_its_address_ranges(server, ranges, open):
    key = server.make_key(server.person(), allowed_cidrs=ranges)
    claimed = {"X-Forwarded-For": "10.1.2.3"}  # no proxy is trusted: it must not count
    answer = server.get("/gate", key["key"], headers=claimed)
    if open:
        ok(answer)
    else:
        problem(answer, (401, 403), ("unauthorized", "forbidden"))


@pytest.mark.parametrize(
    ("scopes", "method", "path", "allowed"),
    [
        (["gate"], "GET", "/gate", True),
        (["items:read"], "GET", "/gate", False),
        (["items:read"], "GET", "/items", True),
        (["items:write"], "GET", "/items", False),
        (["items:read"], "POST", "/items", False),
        (["items:write"], "POST", "/items", True),
        (["gate"], "GET", "/items", False),
        (["usage:read"], "GET", "/usage", True),
        (["gate"], "GET", "/usage", False),
    ],
)
def test_a_key_does_what_its_scopes_say_and_no_more(server, scopes, method, path, allowed):
    key = server.make_key(server.person(), scopes)["key"]
    rest = {"json": {"name": "x", "data": 1}} if method == "POST" else {}
    answer = server.request(method, path, key, **rest)
    if allowed:
        assert answer.is_success, answer.text
    else:
        problem(answer, 403, "insufficient_scope")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api-keys", {"name": "more", "scopes": ["gate"]}),
        ("GET", "/api-keys", None),
        ("PATCH", "/me", {"name": "x"}),
        ("GET", "/me/sessions", None),
        ("DELETE", "/me/sessions", None),
        ("POST", "/subscribe", {"plan": "free"}),
        ("DELETE", "/subscription", None),
    ],
)
def test_no_scope_lets_a_key_manage_its_owners_account(server, method, path, body):
    scopes = ["gate", "items:read", "items:write", "usage:read", "usage:write"]
    key = server.make_key(server.person(), scopes)["key"]
    rest = {"json": body} if body else {}
    answer = server.request(method, path, key, **rest)
    problem(answer, (401, 403), ("unauthorized", "forbidden", "insufficient_scope"))


@pytest.mark.parametrize("scope", ["admin:read", "admin:write"])
def test_only_an_admin_makes_keys_with_admin_scopes(server, scope):
    refused = server.post("/api-keys", server.person(), json={"name": "x", "scopes": [scope]})
    codes = "forbidden", "insufficient_scope", "validation_failed"
    problem(refused, (403, 422), codes)
    assert server.make_key(server.admin(), [scope])["scopes"] == [scope]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scopes", ["everything"]),
        ("scopes", ["gate", 7]),
        ("allowed_cidrs", ["10.0.0.0/33"]),
        ("allowed_cidrs", ["localhost"]),
        ("expires_at", "tomorrow"),
        ("expires_at", "2001-01-01T00:00:00.000Z"),
        ("limits", {"requests_per_fortnight": 1}),
        ("limits", {"requests_per_month": -1}),
        ("name", "x" * 10_000),
    ],
)
def test_a_key_with_a_wrong_part_is_not_made(server, field, value):
    person = server.person()
    body = {"name": "x", "scopes": ["gate"]} | {field: value}
    invalid(server.post("/api-keys", person, json=body), field)
    assert ok(server.get("/api-keys", person))["items"] == []


def test_a_keys_own_limit_narrows_the_plans(server):
    person = server.customer({"requests_per_month": 5})
    narrow = server.make_key(person, limits={"requests_per_month": 2})["key"]
    for _ in range(2):
        ok(server.get("/gate", narrow))
    problem(server.get("/gate", narrow), 429, "quota_exceeded")
    ok(server.get("/gate", server.make_key(person)["key"]))
    assert server.used(person) == 3


def test_a_keys_own_limit_never_widens_the_plans(server):
    person = server.customer({"requests_per_month": 2})
    body = {"name": "wide", "scopes": ["gate"], "limits": {"requests_per_month": 1_000_000}}
    made = server.post("/api-keys", person, json=body)
    if made.status_code == 422:  # as good: it is not even made
        invalid(made, "limits")
        return
    key = ok(made, 201)["key"]
    for _ in range(2):
        ok(server.get("/gate", key))
    problem(server.get("/gate", key), 429, "quota_exceeded")


def test_a_key_can_be_renamed_and_narrowed_at_once(server):
    person = server.person()
    key = server.make_key(person, ["gate", "usage:read"])
    ok(server.get("/usage", key["key"]))
    changed = ok(server.patch(f"/api-keys/{key['id']}", person, {"name": "b", "scopes": ["gate"]}))
    assert (changed["name"], changed["scopes"]) == ("b", ["gate"])
    assert "key" not in changed
    problem(server.get("/usage", key["key"]), 403, "insufficient_scope")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_anothers_key_is_not_there(server, method):
    person, stranger = server.person(), server.person()
    key = server.make_key(person)
    rest = {"json": {"name": "mine"}} if method == "PATCH" else {}
    answer = server.request(method, f"/api-keys/{key['id']}", stranger, **rest)
    problem(answer, 404, "not_found")
    ok(server.get("/gate", key["key"]))


def test_a_used_key_says_when_it_was_used(server):
    person = server.person()
    key = server.make_key(person)
    ok(server.get("/gate", key["key"]))
    path = f"/api-keys/{key['id']}"
    used = eventually(lambda: ok(server.get(path, person))["last_used_at"], what="last_used_at")
    assert TIME.fullmatch(used)
