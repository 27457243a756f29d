"""Accounts: registering, signing in, the signed-in user."""

from __future__ import annotations

import contextlib
import sqlite3
import unicodedata

import pytest

from checks import TIME, TOKEN_PAIR, USER, UUID_V7
from checks import eventually, invalid, members, ok, problem, same_but_for_the_request
from checks import together, unauthorized
from gatehouse import PASSWORD_MARK, new_email, new_password


def sign_in(server, email, password, **rest):
    return server.post("/auth/login", json={"email": email, "password": password}, **rest)


def test_a_new_account_is_shown_as_the_contract_draws_it(server):
    address = new_email()
    user = server.register(address, name="Ada Lovelace")
    assert user.keys() == USER
    assert UUID_V7.fullmatch(user["id"])
    assert (user["email"], user["name"], user["role"]) == (address, "Ada Lovelace", "user")
    assert user["is_active"] is True
    assert (user["is_superuser"], user["email_verified"], user["totp_enabled"]) == (False,) * 3
    assert user["plan"] == "free"
    assert TIME.fullmatch(user["created_at"]) and TIME.fullmatch(user["updated_at"])


def test_an_account_needs_no_name(server):
    assert server.register()["name"] in (None, "")


def test_a_taken_address_is_refused(server):
    address = new_email()
    server.register(address)
    body = {"email": address, "password": new_password()}
    problem(server.post("/auth/register", json=body), 409, "email_taken")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{}@example.org", "{}@EXAMPLE.Org"),
        ("{}@example.org", "  {}@example.org "),
        ("{}@b\u00fccher.example", "{}@xn--bcher-kva.example"),
        ("{}@caf\u00e9.example", "{}@cafe\u0301.example"),
    ],
    ids=["domain case", "spaces around", "international domain", "composed accents"],
)
def test_one_address_written_two_ways_is_one_account(server, first, second):
    unique, password = new_email().split("@")[0], new_password()
    user = server.register(first.format(unique), password)
    body = {"email": second.format(unique), "password": new_password()}
    problem(server.post("/auth/register", json=body), 409, "email_taken")
    assert server.login(second.format(unique), password)["user"]["id"] == user["id"]


def test_of_two_who_register_one_address_at_once_one_wins(server):
    body = {"email": new_email(), "password": new_password()}
    answers = together(8, lambda _: server.post("/auth/register", json=body))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 7


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "@example.org", "a@", "a b@example.org", "a@b@example.org", "a@example..org",
     "x" * 255 + "@example.org", "a\r\nBcc: b@example.org", "a\u0007@example.org"],
)  # fmt: skip
def test_what_is_no_address_is_refused(server, address):
    body = {"email": address, "password": new_password()}
    invalid(server.post("/auth/register", json=body), "email")


@pytest.mark.parametrize("password", ["x7$Kq9!", "1234567890", "qwertyuiop", "password123"])
def test_a_weak_password_is_refused(server, password):
    address = new_email()
    body = {"email": address, "password": password}
    problem(server.post("/auth/register", json=body), 422, "weak_password")
    problem(sign_in(server, address, password), 401, "invalid_credentials")


def test_a_long_password_counts_to_its_last_character(server):
    address, password = new_email(), PASSWORD_MARK + "aB3$" * 32
    server.register(address, password)
    problem(sign_in(server, address, password[:-1] + "x"), 401, "invalid_credentials")
    server.login(address, password)


def test_a_password_may_hold_spaces_and_any_script_in_either_normal_form(server):
    address, password = new_email(), PASSWORD_MARK + "Zürich öffnet früh \U0001f511 東京"
    server.register(address, unicodedata.normalize("NFC", password))
    server.login(address, unicodedata.normalize("NFD", password))


def test_an_enormous_password_is_refused_before_it_is_hashed(server):
    body = {"email": new_email(), "password": PASSWORD_MARK + "x" * 2000}
    invalid(server.post("/auth/register", json=body), "password")


def test_signing_in_answers_a_token_pair(server):
    address, password = new_email(), new_password()
    user = server.register(address, password)
    pair = server.login(address, password)
    assert pair.keys() == TOKEN_PAIR
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 900)
    assert pair["refresh_expires_in"] == 2_592_000
    assert pair["refresh_token"].startswith("ghr_")
    assert len(pair["refresh_token"]) >= len("ghr_") + 43  # 256 bits in base64url or base62
    assert pair["user"]["id"] == user["id"] and pair["user"].keys() == USER


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(server):
    person = server.person()
    wrong = sign_in(server, person.email, new_password())
    unknown = sign_in(server, new_email(), new_password())
    problem(wrong, 401, "invalid_credentials")
    same_but_for_the_request(wrong, unknown)


def test_a_banned_user_gets_the_answers_of_an_unknown_one(server):
    person, stranger = server.person(), new_email()
    ok(server.patch(f"/admin/users/{person.id}", server.admin(), {"is_active": False}))
    unknown = sign_in(server, stranger, new_password())
    for password in (person.password, new_password()):
        same_but_for_the_request(sign_in(server, person.email, password), unknown)
    for path in ("/auth/forgot-password", "/auth/resend-verification"):
        answers = [server.post(path, json={"email": email}) for email in (person.email, stranger)]
        same_but_for_the_request(*answers)


def test_me_is_who_signed_in(server):
    person = server.person()
    assert ok(server.get("/me", person)) == person.user


def test_a_name_can_be_changed(server):
    person = server.person()
    changed = ok(server.patch("/me", person, {"name": "Grace Hopper"}))
    assert changed["name"] == "Grace Hopper"
    assert changed == ok(server.get("/me", person))


@pytest.mark.parametrize("name", ["a\r\nb", "a\u0007b", "x" * 10_000, "\u202eevil"])
def test_a_name_with_control_characters_or_without_end_is_refused(server, name):
    person = server.person()
    invalid(server.patch("/me", person, {"name": name}), "name")
    assert ok(server.get("/me", person))["name"] == person.user["name"]


def test_a_new_address_needs_the_password_and_is_unverified(server):
    person, address = server.person(), new_email()
    change = {"email": address, "current_password": new_password()}
    refused = server.patch("/me", person, change)
    problem(refused, (401, 403, 422), ("invalid_credentials", "validation_failed", "forbidden"))
    invalid(server.patch("/me", person, {"email": address}), "current_password")
    assert ok(server.get("/me", person))["email"] == person.email
    changed = ok(server.patch("/me", person, change | {"current_password": person.password}))
    assert (changed["email"], changed["email_verified"]) == (address, False)
    server.login(address, person.password)


def test_nobody_can_take_anothers_address(server):
    person, other = server.person(), server.person()
    change = {"email": other.email, "current_password": person.password}
    problem(server.patch("/me", person, change), 409, "email_taken")


@pytest.mark.parametrize(
    "change",
    [{"role": "admin"}, {"is_superuser": True}, {"plan": "pro"}, {"email_verified": True},
     {"is_active": False}, {"id": "0"}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_nobody_can_write_what_is_not_theirs_to_write(server, change):
    person = server.person()
    invalid(server.patch("/me", person, {"name": "x"} | change), *change)
    assert ok(server.get("/me", person)) == person.user


def test_a_changed_password_ends_the_other_sessions(server):
    here = server.person()
    there = server.again(here)
    fresh = new_password()
    body = {"current_password": here.password, "new_password": fresh}
    ok(server.post("/me/password", here, json=body), 204)
    ok(server.get("/me", here))
    unauthorized(server.get("/me", there))
    problem(
        server.post("/auth/refresh", json={"refresh_token": there.refresh_token}),
        401, "invalid_refresh_token",
    )  # fmt: skip
    problem(sign_in(server, here.email, here.password), 401, "invalid_credentials")
    server.login(here.email, fresh)


def test_changing_the_password_needs_the_current_one_and_a_good_new_one(server):
    person = server.person()
    wrong = {"current_password": new_password(), "new_password": new_password()}
    refused = server.post("/me/password", person, json=wrong)
    problem(refused, (401, 403, 422), ("invalid_credentials", "validation_failed", "forbidden"))
    weak = {"current_password": person.password, "new_password": "password123"}
    problem(server.post("/me/password", person, json=weak), 422, "weak_password")
    server.login(person.email, person.password)


def test_a_deleted_account_is_gone_at_once_with_its_sessions_and_keys(server):
    person = server.person()
    other_session = server.again(person)
    key = server.make_key(person)["key"]
    ok(server.get("/gate", key))
    gone = {"current_password": person.password}
    ok(server.delete("/me", person, json=gone), 204)
    for credential in (person, other_session, key):
        unauthorized(server.get("/gate", credential))
    problem(sign_in(server, person.email, person.password), 401, "invalid_credentials")
    assert server.register(person.email, person.password)["id"] != person.id


def test_deleting_an_account_needs_the_password(server):
    person = server.person()
    refused = server.delete("/me", person, json={"current_password": new_password()})
    problem(refused, (401, 403, 422), ("invalid_credentials", "validation_failed", "forbidden"))
    invalid(server.delete("/me", person, json={}), "current_password")
    assert ok(server.get("/me", person))["id"] == person.id


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/me"), ("PATCH", "/me"), ("POST", "/me/password"), ("DELETE", "/me"),
     ("GET", "/me/sessions"), ("DELETE", "/me/sessions"), ("GET", "/api-keys"),
     ("POST", "/api-keys"), ("GET", "/subscription"), ("POST", "/subscribe"), ("GET", "/usage"),
     ("GET", "/usage/history"), ("GET", "/items"), ("POST", "/items"), ("GET", "/gate")],
)  # fmt: skip
def test_without_a_credential_nothing_of_a_user_is_reached(server, method, path):
    unauthorized(server.request(method, path))


def test_guessing_a_password_is_throttled_whatever_address_is_claimed(start):
    server = start(limits_auth_enabled="true")
    address = new_email()
    server.register(address)
    answers = [
        sign_in(server, address, new_password(), headers={"X-Forwarded-For": f"203.0.113.{n}"})
        for n in range(12)
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses[0] == 401 and set(statuses) == {401, 429}
    problem(answers[statuses.index(429)], 429, "rate_limited")


def refusal(answer):
    """What a 429 says in its fields, which all agree."""
    problem(answer, 429, "rate_limited")
    policy, state = members(answer, "ratelimit-policy"), members(answer, "ratelimit")
    [(name, allowed)], [(same, left)] = policy.items(), state.items()
    assert name == same and left["r"] == 0
    assert 0 < left["t"] <= int(answer.headers["retry-after"])
    return name, allowed


def test_a_sign_in_that_is_refused_says_by_which_rule_and_not_whether_there_is_an_account(start):
    server = start(limits_auth_enabled="true")
    answers = []
    for address in (server.person().email, new_email()):
        for _ in range(10):
            problem(sign_in(server, address, new_password()), 401, "invalid_credentials")
        answers.append(sign_in(server, address, new_password()))
        assert refusal(answers[-1]) == ("login", {"q": 10, "w": 900})
    known, unknown = (set(answer.headers) for answer in answers)
    assert known == unknown
    waits = [int(answer.headers["retry-after"]) for answer in answers]
    assert all(80 < wait <= 90 for wait in waits), waits


def test_free_calls_that_are_refused_say_by_which_rule_and_nothing_of_others(start):
    server = start(
        limits_auth_enabled="true", limits_api_per_minute_user="3",
        limits_api_per_minute_address="15",
    )
    people = [server.person(), server.person()]
    for person in people:
        for _ in range(3):
            answer = server.get("/me", person)
            assert ok(answer) and "ratelimit" not in answer.headers
        assert refusal(server.get("/me", person)) == ("api", {"q": 3, "w": 60})
    answers = [server.get("/plans") for _ in range(20)]
    assert refusal(answers[-1]) == ("api-from", {"q": 15, "w": 60})


def test_mails_that_are_refused_say_by_which_rule(start):
    server = start(limits_auth_enabled="true")
    body = {"email": new_email()}
    answers = [server.post("/auth/forgot-password", json=body) for _ in range(6)]
    assert [answer.status_code for answer in answers[:5]] == [202] * 5
    assert refusal(answers[5]) == ("mail", {"q": 5, "w": 3600})


def test_a_run_of_wrong_passwords_outlives_a_kill(start):
    server = start(limits_auth_enabled="true", limits_checkpoint_interval="50ms")
    address, password = new_email(), new_password()
    server.register(address, password)
    for _ in range(10):
        problem(sign_in(server, address, new_password()), 401, "invalid_credentials")

    def saved():
        query = "SELECT backlog FROM rate_states WHERE name LIKE 'login:%'"
        with sqlite3.connect(f"file:{server.database()}?mode=ro", uri=True) as store:
            return ("10",) in store.execute(query).fetchall()

    eventually(saved, what="the tenth guess in the store")
    server.kill()
    server.start()
    problem(sign_in(server, address, password), 429, "rate_limited")


def test_a_run_of_wrong_passwords_outlives_the_clean_up_and_a_success_ends_it(start):
    settings = {"limits_auth_enabled": "true", "limits_checkpoint_interval": "50ms"}
    server = start(**settings, jobs_clean_up="")
    guessed, forgiven = server.person(), server.person()
    for person, count in ((guessed, 11), (forgiven, 9)):
        for _ in range(count):
            sign_in(server, person.email, new_password())
    server.login(forgiven.email, forgiven.password)
    server.stop()
    with contextlib.closing(sqlite3.connect(server.database())) as store, store:
        store.execute("UPDATE rate_states SET updated_at = updated_at - 40 * 86400000")
    server.restart(jobs_clean_up="@every 1s")

    def rows():
        query = "SELECT count(*) FROM rate_states WHERE name LIKE 'login:%'"
        with sqlite3.connect(f"file:{server.database()}?mode=ro", uri=True) as store:
            return store.execute(query).fetchone()[0]

    eventually(lambda: rows() < 2, what="the clean-up")
    server.restart()
    # Forty days later the next guess may begin, and the one after it waits.
    problem(sign_in(server, guessed.email, new_password()), 401, "invalid_credentials")
    problem(sign_in(server, guessed.email, guessed.password), 429, "rate_limited")
    server.login(forgiven.email, forgiven.password)


def test_the_number_of_reset_mails_is_throttled(start):
    server = start(limits_auth_enabled="true")
    address = new_email()
    answers = [server.post("/auth/forgot-password", json={"email": address}) for _ in range(50)]
    assert answers[0].status_code == 202
    problem(answers[-1], 429, "rate_limited")
