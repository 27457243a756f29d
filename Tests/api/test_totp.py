"""One-time codes, with the real clock, as an app makes them; and what outlives a restore."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import stat
import struct
import time
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from checks import eventually, ok, problem
from gatehouse import Server, new_password

PERIOD = 30  # seconds


def code(secret: str, steps: int = 0) -> str:
    """RFC 6238 by hand: what an app shows that many steps from now."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    counter = struct.pack(">Q", int(time.time()) // PERIOD + steps)
    digest = hmac.new(key, counter, hashlib.sha1).digest()
    start = digest[19] & 15
    return f"{(int.from_bytes(digest[start:start + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


def enrol(server, person) -> tuple[str, list[str]]:
    """The secret and the recovery codes; the code of a step ahead is left for a sign-in."""
    secret = ok(server.post("/me/totp", person))["secret"]
    codes = ok(server.post("/me/totp/confirm", person, json={"code": code(secret)}))
    return secret, codes["recovery_codes"]


def login(server, person, otp: str | None = None):
    body = {"email": person.email, "password": person.password}
    return server.post("/auth/login", json=body | ({"otp": otp} if otp else {}))


def test_what_is_shown_is_what_an_app_needs(server):
    person = server.person()
    answer = server.post("/me/totp", person)
    shown = ok(answer)
    assert set(shown) == {"secret", "otpauth_uri"}
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"[A-Z2-7]{32}", shown["secret"])  # 160 bits
    uri = urlsplit(shown["otpauth_uri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == f"/Gatehouse:{person.email}"
    asked = {name: values[0] for name, values in parse_qs(uri.query).items()}
    assert asked == {
        "secret": shown["secret"], "issuer": "Gatehouse", "algorithm": "SHA1", "digits": "6",
        "period": "30",
    }  # fmt: skip
    assert ok(server.get("/me", person))["totp_enabled"] is False


def test_an_app_that_was_set_up_signs_in_and_its_codes_work_once(server):
    person = server.person()
    secret, codes = enrol(server, person)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", text) for text in codes)
    assert ok(server.get("/me", person))["totp_enabled"] is True
    problem(login(server, person), 401, "otp_required")
    fresh = code(secret, 1)
    assert ok(login(server, person, fresh))["user"]["totp_enabled"] is True
    problem(login(server, person, fresh), 401, "invalid_credentials")
    ok(login(server, person, codes[0]))
    problem(login(server, person, codes[0]), 401, "invalid_credentials")


@pytest.mark.parametrize(
    "body", [{}, {"code": 123456}, {"code": "12345"}, {"code": "abcdef"}, {"code": "1", "a": 1}]
)
def test_a_wrong_confirmation_names_the_field(server, body):
    person = server.person()
    ok(server.post("/me/totp", person))
    told = problem(server.post("/me/totp/confirm", person, json=body), 422, "validation_failed")
    assert "code" in [error["field"] for error in told["errors"]]


def test_without_a_secret_there_is_nothing_to_confirm_nor_to_turn_off(server):
    person = server.person()
    problem(server.post("/me/totp/confirm", person, json={"code": "123456"}), 409, "conflict")
    off = server.delete("/me/totp", person, json={"current_password": person.password})
    problem(off, 404, "not_found")


def test_a_confirmation_whose_answer_was_lost_shows_its_codes_again(server):
    person = server.person()
    secret = ok(server.post("/me/totp", person))["secret"]
    body, headers = {"code": code(secret)}, {"Idempotency-Key": "confirm-1"}
    first = server.post("/me/totp/confirm", person, json=body, headers=headers)
    again = server.post("/me/totp/confirm", person, json=body, headers=headers)
    assert ok(again) == ok(first)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_turning_it_on_leaves_other_sessions_and_its_owner_is_told(server):
    person = server.person()
    other = server.again(person)
    enrol(server, person)
    ok(server.get("/me", other))
    off = server.delete("/me/totp", other, json={"current_password": person.password})
    ok(off, 204)
    assert off.headers["cache-control"] == "no-store"
    ok(login(server, person))

    def told():
        subjects = [str(mail["Subject"]) for mail in server.mailbox(person.email)]
        return {"Two-step sign-in is on", "Two-step sign-in is off"} <= set(subjects)

    assert eventually(told, what="mails about both")


def test_guesses_at_a_code_are_bounded(start):
    server = start(limits_auth_enabled="true")
    person = server.person()
    secret, _ = enrol(server, person)
    right = {code(secret, steps) for steps in range(-2, 4)}
    wrong = [text for n in range(40) if (text := f"{n:06}") not in right]
    answers = [login(server, person, otp) for otp in wrong[:12]]
    assert [a.status_code for a in answers] == [401] * 10 + [429] * 2
    problem(login(server, person, code(secret, 1)), 429, "rate_limited")


def test_codes_work_on_after_a_restore_and_their_key_is_in_the_backup(start, tmp_path):
    server = start()
    person = server.person()
    secret, codes = enrol(server, person)
    keys = server.data_dir / "sealing-keys.json"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    made = json.loads(server.command("backup", "--json").stdout)
    server.stop()
    restored = Server(tmp_path)
    result = restored.command("restore", made["path"])
    assert result.returncode == 0, result.stderr
    restored.start()
    try:
        assert (restored.data_dir / keys.name).read_bytes() == keys.read_bytes()
        problem(login(restored, person), 401, "otp_required")
        ok(login(restored, person, code(secret, 1)))
        ok(login(restored, person, codes[5]))
    finally:
        restored.close()


def test_without_the_key_a_start_says_so_and_a_shell_helps(start):
    server = start()
    person = server.person()
    secret, codes = enrol(server, person)
    server.stop()
    (server.data_dir / "sealing-keys.json").unlink()
    server.command("user", "list")  # makes another
    assert (server.data_dir / "sealing-keys.json").exists()
    server.start()
    told = [event for event in server.events() if event.get("level") == "error"]
    assert any("sealing-keys.json" in event["message"] for event in told)
    problem(login(server, person, code(secret, 1)), 500, "internal")
    ok(login(server, person, codes[0]))
    assert server.command("user", "reset-totp", person.email).returncode == 0
    ok(login(server, person))


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_shell_turns_it_off_for_who_has_lost_everything(start, state):
    server = start()
    person = server.person()
    enrol(server, person)
    if state == "stopped":
        server.stop()
    result = server.command("user", "reset-totp", person.id, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["totp_enabled"] is False
    again = server.command("user", "reset-totp", person.id)
    assert again.returncode == 1 and len(again.stderr.splitlines()) == 1
    if state == "stopped":
        server.start()
    ok(login(server, person))
    parameters = {"action": "user.totp_disabled"}
    [row] = ok(server.get("/admin/audit-logs", server.admin(), params=parameters))["items"]
    assert row["actor"] == "shell" and row["target"] == f"user:{person.id}"


def test_an_admin_without_a_code_only_enrols_where_admins_need_one(start):
    server = start(auth_require_totp_for_admins="true")
    admin = server.admin()
    problem(server.get("/admin/users", admin), 403, "forbidden")
    problem(server.post("/api-keys", admin, json={"name": "a"}), 403, "forbidden")
    problem(server.get("/gate", admin), 403, "forbidden")
    enrol(server, admin)
    ok(server.get("/admin/users", admin))
    ok(server.get("/gate", admin))


def test_a_password_of_a_reset_mail_does_not_get_past_the_code(server):
    person = server.person()
    secret, _ = enrol(server, person)
    asked = server.post("/auth/forgot-password", json={"email": person.email})
    assert asked.status_code == 202
    token = server.mailed_token(person.email, "reset-password")
    person.password = new_password()
    body = {"token": token, "password": person.password}
    ok(server.post("/auth/reset-password", json=body), 204)
    problem(login(server, person), 401, "otp_required")
    ok(login(server, person, code(secret, 1)))
