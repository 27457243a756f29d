"""Token introspection (RFC 7662)."""

from __future__ import annotations

import pytest

from checks import invalid, ok, problem, unauthorized

INACTIVE = {"active": False}


@pytest.fixture(scope="module")
def service(server):
    """A key of a customer's own service that may ask."""
    return server.make_key(server.person(), ["tokens:introspect"])["key"]


def introspect(server, who, token, **more):
    return server.request("POST", "/auth/introspect", who, data={"token": token} | more)


def test_a_live_access_token_is_active_and_says_whose_it_is(server, service):
    person = server.person()
    answer = introspect(server, service, person.access_token, token_type_hint="access_token")
    told = ok(answer)
    assert told["active"] is True and told["token_type"] == "Bearer"
    assert (told["sub"], told["username"]) == (person.id, person.email)
    assert told["exp"] - told["iat"] == 900 and told["sid"] and told["jti"] and told["iss"]
    assert "gate" in told["scope"].split() and "admin:read" not in told["scope"].split()
    assert answer.headers["cache-control"] == "no-store"


def test_an_api_key_is_active_with_its_own_scopes(server, service):
    person = server.person()
    key = server.make_key(person, ["gate", "usage:read"])
    told = ok(introspect(server, service, key["key"]))
    assert told["scope"] == "gate usage:read"
    assert (told["sub"], told["client_id"]) == (person.id, key["id"])


def test_what_is_no_live_token_is_inactive_and_nothing_else(server, service):
    person = server.person()
    ok(server.post("/auth/logout", person, json={"refresh_token": person.refresh_token}), 204)
    revoked = server.make_key(other := server.person())
    ok(server.delete(f"/api-keys/{revoked['id']}", other), 204)
    for token in (person.access_token, revoked["key"], other.refresh_token, "x", "gh_" + "0" * 50):
        assert ok(introspect(server, service, token)) == INACTIVE


def test_only_a_caller_with_the_scope_may_ask(server):
    person = server.person()
    key = server.make_key(person, ["gate"])["key"]
    problem(introspect(server, key, person.access_token), 403, "insufficient_scope")
    unauthorized(introspect(server, None, person.access_token))


def test_a_question_without_a_token_is_refused(server, service):
    invalid(server.request("POST", "/auth/introspect", service, data={"x": "y"}), "token")
    answer = server.post("/auth/introspect", service, json={"token": "x"})
    problem(answer, 415, "unsupported_media_type")
