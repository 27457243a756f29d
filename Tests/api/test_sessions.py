"""Sessions, what ends them, and the mails that reset a password and verify an address."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest

from checks import SESSION, TIME
from checks import eventually, ok, problem, same_but_for_the_request, unauthorized
from gatehouse import new_email, new_password


@pytest.fixture(scope="module")
def verifying(start_for_module):
    """A server where an account must verify its address."""
    return start_for_module(auth_require_verified_email="true")


def reset(server, token, password):
    return server.post("/auth/reset-password", json={"token": token, "password": password})


def verify(server, token):
    return server.post("/auth/verify-email", json={"token": token})


def test_a_session_is_listed_with_what_helps_to_know_it(server):
    person = server.person()
    other = server.again(person, headers={"User-Agent": "a-phone/1.0"})
    sessions = ok(server.get("/me/sessions", person))["items"]
    assert len(sessions) == 2
    assert all(session.keys() == SESSION for session in sessions)
    assert all(TIME.fullmatch(session["expires_at"]) for session in sessions)
    assert all(session["ip"] == "127.0.0.1" for session in sessions)
    assert [s["user_agent"] for s in sessions if not s["current"]] == ["a-phone/1.0"]
    mine = {s["id"] for s in sessions if s["current"]}
    theirs = {s["id"] for s in ok(server.get("/me/sessions", other))["items"] if s["current"]}
    assert len(mine) == len(theirs) == 1 and mine != theirs


def test_one_session_can_be_revoked_and_the_others_live_on(server):
    person = server.person()
    phone, tablet = server.again(person), server.again(person)
    sessions = ok(server.get("/me/sessions", phone))["items"]
    phone_id = next(session["id"] for session in sessions if session["current"])
    ok(server.delete(f"/me/sessions/{phone_id}", person), 204)
    unauthorized(server.get("/me", phone))
    ok(server.get("/me", tablet))
    assert phone_id not in [s["id"] for s in ok(server.get("/me/sessions", person))["items"]]


def test_all_other_sessions_can_be_revoked(server):
    person = server.person()
    others = [server.again(person), server.again(person)]
    ok(server.delete("/me/sessions", person), 204)
    for other in others:
        unauthorized(server.get("/me", other))
    assert [s["current"] for s in ok(server.get("/me/sessions", person))["items"]] == [True]


def test_anothers_session_is_not_there(server):
    person, stranger = server.person(), server.person()
    session = ok(server.get("/me/sessions", person))["items"][0]["id"]
    problem(server.delete(f"/me/sessions/{session}", stranger), 404, "not_found")
    ok(server.get("/me", person))


def audited(server, person, action):
    parameters = {"target": f"user:{person.id}", "action": action}
    return ok(server.get("/admin/audit-logs", server.admin(), params=parameters))["items"]


def test_each_end_of_a_session_is_audited_with_who_ended_it(server):
    person = server.person()
    other, third = server.again(person), server.again(person)
    sessions = ok(server.get("/me/sessions", other))["items"]
    other_id = next(session["id"] for session in sessions if session["current"])
    ok(server.delete(f"/me/sessions/{other_id}", person), 204)
    ok(server.post("/auth/logout", json={"refresh_token": third.refresh_token}), 204)
    rows = audited(server, person, "session.ended")
    assert [row["actor"] for row in rows] == [f"user:{person.id}"] * 2
    assert rows[1]["meta"]["session"] == other_id
    ok(server.delete("/me/sessions", person), 204)
    [all_others] = audited(server, person, "session.ended_all")
    assert all_others["actor"] == f"user:{person.id}"


def test_an_admin_ends_all_sessions_of_a_user_and_it_is_audited(server):
    person, bystander = server.person(), server.person()
    both = [person, server.again(person)]
    path = f"/admin/users/{person.id}/revoke-sessions"
    problem(server.post(path, bystander), 403, "forbidden")
    problem(server.post(path, server.with_role("support")), 403, "forbidden")
    ok(server.get("/me", person))
    ok(server.post(path, server.admin()), 204)
    for ended in both:
        unauthorized(server.get("/me", ended))
        refresh = server.post("/auth/refresh", json={"refresh_token": ended.refresh_token})
        assert refresh.status_code == 401
    ok(server.get("/me", bystander))
    [row] = audited(server, person, "session.ended_all")
    assert (row["actor"], row["meta"]) == (f"user:{server.admin().id}", {"sessions": 2})
    server.again(person)


def test_a_forgotten_password_is_reset_by_mail_and_ends_every_session(server):
    person = server.person()
    ok_202(server.post("/auth/forgot-password", json={"email": person.email}))
    token, fresh = server.mailed_token(person.email, "reset-password"), new_password()
    ok(reset(server, token, fresh), 204)
    unauthorized(server.get("/me", person))
    old = {"email": person.email, "password": person.password}
    problem(server.post("/auth/login", json=old), 401, "invalid_credentials")
    server.login(person.email, fresh)


def test_a_reset_link_works_once(server):
    person = server.person()
    ok_202(server.post("/auth/forgot-password", json={"email": person.email}))
    token = server.mailed_token(person.email, "reset-password")
    ok(reset(server, token, new_password()), 204)
    last = new_password()
    problem(reset(server, token, last), 400, "invalid_token")
    stale = {"email": person.email, "password": last}
    problem(server.post("/auth/login", json=stale), 401, "invalid_credentials")


def test_a_reset_link_dies_when_the_password_is_changed(server):
    person = server.person()
    ok_202(server.post("/auth/forgot-password", json={"email": person.email}))
    token = server.mailed_token(person.email, "reset-password")
    body = {"current_password": person.password, "new_password": new_password()}
    ok(server.post("/me/password", person, json=body), 204)
    problem(reset(server, token, new_password()), 400, "invalid_token")


def test_a_reset_link_dies_when_the_address_is_changed(server):
    person = server.person()
    ok_202(server.post("/auth/forgot-password", json={"email": person.email}))
    token = server.mailed_token(person.email, "reset-password")
    body = {"email": new_email(), "current_password": person.password}
    ok(server.patch("/me", person, body))
    problem(reset(server, token, new_password()), 400, "invalid_token")
    server.login(body["email"], person.password)


def test_only_the_newest_reset_link_works(server):
    person = server.person()
    ok_202(server.post("/auth/forgot-password", json={"email": person.email}))
    first = server.mailed_token(person.email, "reset-password")
    ok_202(server.post("/auth/forgot-password", json={"email": person.email}))
    problem(reset(server, first, new_password()), 400, "invalid_token")


@pytest.mark.parametrize("token", ["", "x", "\u0007", "0" * 43, "' OR 1=1 --"])
def test_a_made_up_token_is_refused(server, token):
    both = (400, 422), ("invalid_token", "validation_failed")
    problem(reset(server, token, new_password()), *both)
    problem(verify(server, token), *both)


def test_a_token_for_one_purpose_does_not_serve_another(server):
    person = server.person()
    ok_202(server.post("/auth/forgot-password", json={"email": person.email}))
    token = server.mailed_token(person.email, "reset-password")
    problem(verify(server, token), 400, "invalid_token")
    ok(reset(server, token, new_password()), 204)


@pytest.mark.parametrize("path", ["/auth/forgot-password", "/auth/resend-verification"])
def test_asking_for_a_mail_does_not_tell_who_has_an_account(server, path):
    known = server.post(path, json={"email": server.person().email})
    unknown = server.post(path, json={"email": new_email()})
    ok_202(known)
    same_but_for_the_request(known, unknown)


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "Forwarded", "X-Original-Host"])
def test_a_forged_host_never_shapes_a_link_in_a_mail(server, header):
    person = server.person()
    value = "host=evil.example" if header == "Forwarded" else "evil.example"
    body = {"email": person.email}
    answer = server.post("/auth/forgot-password", json=body, headers={header: value})
    if header == "Host" and answer.status_code in (400, 421):
        return  # refusing a foreign host outright is as good
    ok_202(answer)
    link = server.mailed_link(person.email, "reset-password")
    assert "evil.example" not in link
    mails = [mail.as_string() for mail in server.mailbox(person.email)]
    assert mails and not any("evil.example" in mail for mail in mails)


def test_links_in_mails_begin_with_the_public_address(start):
    server = start(server_public_url="http://localhost:8443")
    address, host = new_email(), {"Host": "localhost:8443"}
    body = {"email": address, "password": new_password()}
    ok(server.post("/auth/register", json=body, headers=host), 201)
    ok_202(server.post("/auth/forgot-password", json={"email": address}, headers=host))
    link = server.mailed_link(address, "reset-password")
    assert link.startswith("http://localhost:8443/reset-password#token=")


def test_where_addresses_must_be_verified_the_link_opens_the_account(verifying):
    address, password = new_email(), new_password()
    body = {"email": address, "password": password}
    answer = verifying.post("/auth/register", json=body)
    assert (answer.status_code, answer.json()) == (202, {"status": "verification_sent"})
    assert verifying.post("/auth/login", json=body).status_code in (401, 403)
    token = verifying.mailed_token(address, "verify-email")
    ok(verify(verifying, token), 204)
    assert verifying.login(address, password)["user"]["email_verified"] is True
    problem(verify(verifying, token), 400, "invalid_token")


def test_where_addresses_must_be_verified_a_taken_one_is_not_told_but_mailed(verifying):
    address, password = new_email(), new_password()
    first = verifying.post("/auth/register", json={"email": address, "password": password})
    ok(verify(verifying, verifying.mailed_token(address, "verify-email")), 204)
    intruder = {"email": address, "password": new_password()}
    second = verifying.post("/auth/register", json=intruder)
    same_but_for_the_request(first, second)
    verifying.wait_for_mail(address, 2)
    problem(verifying.post("/auth/login", json=intruder), 401, "invalid_credentials")
    verifying.login(address, password)


def test_a_verification_mail_can_be_sent_again(verifying):
    address, password = new_email(), new_password()
    body = {"email": address, "password": password}
    assert verifying.post("/auth/register", json=body).status_code == 202
    first = verifying.mailed_token(address, "verify-email")
    ok_202(verifying.post("/auth/resend-verification", json={"email": address}))
    verifying.wait_for_mail(address, 2)
    second = eventually(
        lambda: token if (token := verifying.mailed_token(address, "verify-email")) != first
        else None,
        what="a mail with another token",
    )  # fmt: skip
    ok(verify(verifying, second), 204)
    verifying.login(address, password)


def test_a_wrong_password_tells_nothing_of_an_unverified_account(verifying):
    address = new_email()
    body = {"email": address, "password": new_password()}
    assert verifying.post("/auth/register", json=body).status_code == 202
    wrong = verifying.post("/auth/login", json=body | {"password": new_password()})
    unknown = verifying.post("/auth/login", json=body | {"email": new_email()})
    problem(wrong, 401, "invalid_credentials")
    same_but_for_the_request(wrong, unknown)


def test_a_new_role_ends_the_sessions_of_before_and_the_same_one_does_not(server):
    person = server.person()
    path, admin = f"/admin/users/{person.id}", server.admin()
    ok(server.patch(path, admin, {"role": "user", "name": "Somebody Else"}))
    pair = ok(server.post("/auth/refresh", json={"refresh_token": person.refresh_token}))
    for role in ("support", "user"):
        ok(server.patch(path, admin, {"role": role}))
        unauthorized(server.get("/me", pair["access_token"]))
        body = {"refresh_token": pair["refresh_token"]}
        problem(server.post("/auth/refresh", json=body), 401, "invalid_refresh_token")
        assert ok(server.get(path + "/sessions", admin))["items"] == []
        pair = server.login(person.email, person.password)
        assert pair["user"]["role"] == role


def test_a_session_in_a_cookie_ends_with_a_new_role_and_the_next_one_is_another(server):
    person = server.person()
    body = {"email": person.email, "password": person.password}

    def cookie(answer):
        ok(answer)
        return SimpleCookie(answer.headers["set-cookie"])["gatehouse_refresh"].value

    former = cookie(server.post("/auth/login?session=cookie", json=body))
    ok(server.patch(f"/admin/users/{person.id}", server.admin(), {"role": "support"}))
    own = {"Cookie": f"gatehouse_refresh={former}", "Sec-Fetch-Site": "same-origin"}
    problem(server.post("/auth/refresh", headers=own), 401, "invalid_refresh_token")
    again = server.post("/auth/login?session=cookie", json=body, headers=own)
    assert cookie(again) != former
    [session] = ok(server.get("/me/sessions", ok(again)["access_token"]))["items"]
    assert session["current"] is True


def test_an_admin_who_steps_down_is_signed_out_and_answered(start):
    server = start()
    other = server.with_role("admin")
    path = f"/admin/users/{other.id}"
    assert ok(server.patch(path, other, {"role": "user"}))["role"] == "user"
    unauthorized(server.get("/me", other))
    body = {"refresh_token": other.refresh_token}
    problem(server.post("/auth/refresh", json=body), 401, "invalid_refresh_token")
    assert server.login(other.email, other.password)["user"]["role"] == "user"
    # Nobody is signed out by a step that is refused.
    last = server.admin()
    problem(server.patch(f"/admin/users/{last.id}", last, {"role": "user"}), 409, "last_admin")
    ok(server.get("/me", last))


def ok_202(answer):
    assert answer.status_code == 202, answer.text
