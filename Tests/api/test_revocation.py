"""Token revocation (RFC 7009)."""

from __future__ import annotations

import pytest

from checks import invalid, ok, problem, unauthorized


def revoke(server, who, token, **more):
    return server.request("POST", "/auth/revoke", who, data={"token": token} | more)


def done(answer):
    """The same for every token, whatever came of it."""
    assert (answer.status_code, answer.content) == (200, b""), answer.text
    assert answer.headers["cache-control"] == "no-store"


def alive(server, person):
    ok(server.get("/me", person))


def dead(server, person):
    """Both of a session's tokens."""
    unauthorized(server.get("/me", person))
    answer = server.post("/auth/refresh", json={"refresh_token": person.refresh_token})
    problem(answer, 401, "invalid_refresh_token")


def ended(server, person):
    """What the audit log has of sessions of theirs that ended."""
    parameters = {"target": f"user:{person.id}", "action": "session.ended"}
    return ok(server.get("/admin/audit-logs", server.admin(), params=parameters))["items"]


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_a_token_of_ones_own_ends_its_session_and_no_other(server, kind):
    person = server.person()
    elsewhere = server.again(person)
    token = person.refresh_token if kind == "refresh_token" else person.access_token
    session = next(s for s in ok(server.get("/me/sessions", person))["items"] if s["current"])
    answer = revoke(server, elsewhere, token, token_type_hint=kind)
    done(answer)
    dead(server, person)
    alive(server, elsewhere)
    [row] = ended(server, person)
    assert (row["actor"], row["meta"]) == (f"user:{person.id}", {"session": session["id"]})
    assert row["request_id"] == answer.headers["x-request-id"]


def test_who_revokes_the_token_that_they_ask_with_is_signed_out(server):
    person = server.person()
    done(revoke(server, person, person.access_token))
    dead(server, person)


def test_a_refresh_token_that_was_exchanged_ends_the_session_that_it_was_of(server):
    person = server.person()
    elsewhere, former = server.again(person), person.refresh_token
    person.tokens = ok(server.post("/auth/refresh", json={"refresh_token": former}))
    done(revoke(server, elsewhere, former))
    dead(server, person)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "", "\u00e9 &="])
def test_a_hint_is_a_hint_only(server, hint):
    person = server.person()
    done(revoke(server, server.again(person), person.refresh_token, token_type_hint=hint))
    dead(server, person)


def test_another_persons_token_is_answered_alike_and_stays_alive(server):
    person = server.person()
    key = server.make_key(server.person(), ["tokens:introspect"])["key"]
    for who in (server.person(), server.admin(), key):
        for token in (person.access_token, person.refresh_token):
            done(revoke(server, who, token))
    alive(server, person)
    ok(server.post("/auth/refresh", json={"refresh_token": person.refresh_token}))
    assert ended(server, person) == []


def test_what_is_no_token_is_answered_alike(server):
    person = server.person()
    key = server.make_key(person)["key"]
    changed = person.access_token[:-2] + ("AA" if person.access_token[-2:] != "AA" else "BB")
    for token in ("x", "a.b.c", "ghr_" + "0" * 43, "\u00fc%", "x" * 9000, changed, key):
        done(revoke(server, person, token))
    alive(server, person)
    # A key is ended where keys are.
    ok(server.get("/gate", key))
    assert ended(server, person) == []


def test_the_second_time_changes_nothing(server):
    person = server.person()
    elsewhere = server.again(person)
    for token in (person.access_token, person.refresh_token, person.access_token):
        done(revoke(server, elsewhere, token))
    assert len(ended(server, person)) == 1


def test_a_key_that_may_ask_about_tokens_revokes_those_of_its_owner(server):
    person = server.person()
    key = server.make_key(person, ["tokens:introspect"])["key"]
    done(revoke(server, key, person.refresh_token))
    dead(server, person)
    ok(server.request("POST", "/auth/introspect", key, data={"token": key}))


def test_nobody_revokes_without_a_credential_that_may(server):
    person = server.person()
    unauthorized(revoke(server, None, person.refresh_token))
    key = server.make_key(person, ["gate"])["key"]
    problem(revoke(server, key, person.refresh_token), 403, "insufficient_scope")
    alive(server, person)


def test_a_call_without_a_token_is_refused(server):
    person = server.person()
    for data in ({"token_type_hint": "access_token"}, {"token": ""}):
        invalid(server.request("POST", "/auth/revoke", person, data=data), "token")
    answer = server.post("/auth/revoke", person, json={"token": person.access_token})
    problem(answer, 415, "unsupported_media_type")
    alive(server, person)
