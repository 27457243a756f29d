"""What an admin does with one user: invitations, reset links, sessions; and the dashboard."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from datetime import datetime, timedelta, timezone

import pytest

from checks import SESSION, USER
from checks import eventually, invalid, ok, problem, unauthorized
from gatehouse import new_email, new_password


def invite(server, **body):
    return server.post("/admin/users", server.admin(), json=body)


def test_an_invited_user_sets_a_password_through_the_link_and_signs_in(server):
    address, password = new_email(), new_password()
    user = ok(invite(server, email=address, name="Invited", role="support"), 201)
    assert user.keys() == USER
    assert (user["role"], user["plan"], user["email_verified"]) == ("support", "free", False)
    problem(
        server.post("/auth/login", json={"email": address, "password": ""}), 401,
        "invalid_credentials",
    )  # fmt: skip
    [mail] = server.wait_for_mail(address)
    assert "Invited" not in mail.as_string()
    body = {"token": server.mailed_token(address, "reset-password"), "password": password}
    ok(server.post("/auth/reset-password", json=body), 204)
    signed_in = server.login(address, password)["user"]
    assert (signed_in["id"], signed_in["email_verified"]) == (user["id"], True)
    problem(server.post("/auth/reset-password", json=body), 400, "invalid_token")


def test_an_invitation_of_somebody_who_is_there_changes_nothing(server):
    person = server.person()
    problem(invite(server, email=person.email.upper(), role="admin"), 409, "email_taken")
    assert ok(server.get("/me", person)) == person.user
    assert len(server.mailbox(person.email)) == 1  # the one to verify the address


def test_a_repeated_invitation_with_its_key_is_one(server):
    address = new_email()
    headers = {"Idempotency-Key": new_password()}
    first, second = (
        server.post("/admin/users", server.admin(), json={"email": address}, headers=headers)
        for _ in range(2)
    )
    assert ok(first, 201) == ok(second, 201)
    assert second.headers["idempotent-replayed"] == "true"
    assert len(server.wait_for_mail(address)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "nobody"), ("role", "root"), ("name", "\x00"), ("password", "x" * 20),
     ("is_active", False)],
)  # fmt: skip
def test_a_wrong_invitation_names_the_field(server, field, value):
    invalid(invite(server, **{"email": new_email(), field: value}), field)


def test_a_reset_link_is_sent_and_the_admin_never_sees_it(server):
    admin, person = server.admin(), server.person()
    answer = server.post(f"/admin/users/{person.id}/reset-password", admin)
    assert (answer.status_code, answer.content) == (202, b"")
    ok(server.get("/me", person))  # sending a link ends nothing yet
    password = new_password()
    body = {"token": server.mailed_token(person.email, "reset-password"), "password": password}
    ok(server.post("/auth/reset-password", json=body), 204)
    unauthorized(server.get("/me", person))
    server.login(person.email, password)


def test_an_account_that_is_not_active_gets_no_link(server):
    admin, person = server.admin(), server.person()
    ok(server.patch(f"/admin/users/{person.id}", admin, {"is_active": False}))
    answer = server.post(f"/admin/users/{person.id}/reset-password", admin)
    problem(answer, 409, "conflict")


def test_a_users_sessions_are_shown_and_ended(server):
    admin, person = server.admin(), server.person()
    other = server.again(person)
    path = f"/admin/users/{person.id}"
    sessions = ok(server.get(f"{path}/sessions", admin))["items"]
    assert len(sessions) == 2 and all(row.keys() == SESSION for row in sessions)
    assert not any(row["current"] for row in sessions)
    ok(server.post(f"{path}/revoke-sessions", admin), 204)
    for who in (person, other):
        unauthorized(server.get("/me", who))
        refresh = {"refresh_token": who.refresh_token}
        problem(server.post("/auth/refresh", json=refresh), 401, "invalid_refresh_token")
    assert ok(server.get(f"{path}/sessions", admin))["items"] == []
    own = ok(server.get(f"/admin/users/{admin.id}/sessions", admin))["items"]
    assert [row["current"] for row in own].count(True) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PATCH", ""), ("GET", "/usage"), ("GET", "/sessions"),
     ("POST", "/revoke-sessions"), ("POST", "/reset-password")],
)  # fmt: skip
@pytest.mark.parametrize("user", ["nobody", "01890000-0000-7000-8000-000000000000"])
def test_somebody_who_is_not_there_is_not_found(server, method, path, user):
    body = {"json": {"name": "x"}} if method == "PATCH" else {}
    answer = server.request(method, f"/admin/users/{user}{path}", server.admin(), **body)
    problem(answer, 404, "not_found")


# The dashboard


def line(stats, name, granularity):
    [found] = [
        s["points"]
        for s in stats["series"]
        if (s["name"], s["granularity"]) == (name, granularity)
    ]
    return found


def test_the_dashboard_counts_what_happened(start):
    server = start()
    admin = server.admin()
    person = server.customer({"requests_per_day": 2})
    for _ in range(2):
        ok(server.get("/gate", person))
    for _ in range(3):
        problem(server.get("/gate", person), 429, "quota_exceeded")
    problem(server.get("/items", person), 429, "quota_exceeded")
    wrong = {"email": person.email, "password": "not the password"}
    problem(server.post("/auth/login", json=wrong), 401, "invalid_credentials")
    banned = server.register()
    ok(server.patch(f"/admin/users/{banned['id']}", admin, {"is_active": False}))

    stats = ok(server.get("/admin/stats", admin))
    totals = stats["totals"]
    assert (totals["users"], totals["users_active"], totals["users_admin"]) == (3, 2, 1)
    assert totals["requests_allowed_today"] == 2 and totals["requests_refused_today"] == 4
    assert totals["requests_month"] == 2 and totals["subscriptions_active"] == 3
    assert totals["store_bytes"] > 0 and totals["backup_at"] is None
    assert totals["drill_at"] is None and totals["drill_ok"] is None
    assert stats["refusals"] == [{"code": "quota_exceeded", "today": 4, "days_30": 4}]
    assert {row["plan"]: row["active"] for row in stats["subscriptions"]}["free"] == 2
    [top] = stats["top_users"]
    assert top == {"user_id": person.id, "email": person.email, "requests": 2}
    wanted = {"requests_allowed": 2, "requests_refused": 4, "sign_ins": 1, "sign_ins_failed": 1,
              "users_created": 3}  # fmt: skip
    for granularity, count in (("hour", 48), ("day", 30)):
        for name, value in wanted.items():
            points = line(stats, name, granularity)
            assert len(points) == count and sum(p["value"] for p in points) == value, name
            assert [p["period"] for p in points] == sorted(p["period"] for p in points)
    now = datetime.now(timezone.utc)
    assert line(stats, "sign_ins", "day")[-1]["period"] == now.strftime("%Y-%m-%d")

    assert server.command("backup").returncode == 0
    assert totals["jobs_dead"] == 0
    assert ok(server.get("/admin/stats", admin))["at"] == stats["at"]  # kept for 5 s
    server.restart()
    totals = ok(server.get("/admin/stats", server.again(admin)))["totals"]
    assert totals["backup_age_seconds"] >= 0 and totals["requests_refused_today"] == 4


def test_the_dashboard_tells_of_jobs_and_of_the_last_drill(start):
    kinds = ("clean_up", "expire_subscriptions", "roll_up_usage", "rotate_signing_key")
    server = start(jobs_drill="12:00", backup_at="", **{f"jobs_{kind}": "" for kind in kinds})
    server.admin()
    assert server.command("backup").returncode == 0
    server.stop()
    far = 4_000_000_000_000
    job = "INSERT INTO jobs (id, kind, payload_json, state, run_at, attempts, attempts_max, "
    job += "created_at, finished_at) VALUES (?, 'clean_up', '{}', ?, ?, 0, 5, 0, ?)"
    with contextlib.closing(sqlite3.connect(server.database())) as store, store:
        for state, finished in [("queued", None), ("dead", far), ("dead", far)]:
            store.execute(job, (str(uuid.uuid4()), state, far, finished))
        store.execute("UPDATE schedules SET next_at = 0 WHERE name = 'drill'")
        store.execute("UPDATE installation SET value = '' WHERE name = 'drill_slot'")
    begin = datetime.now(timezone.utc)
    server.start()

    def drilled():
        answer = server.get("/admin/jobs", server.admin(), params={"kind": "drill"})
        return [job["state"] for job in ok(answer)["items"]] == ["done"]

    eventually(drilled)
    totals = ok(server.get("/admin/stats", server.admin()))["totals"]
    assert totals["drill_ok"] is True
    assert datetime.fromisoformat(totals["drill_at"]) >= begin - timedelta(milliseconds=1)
    states = ("queued", "running", "dead")
    assert [totals[f"jobs_{state}"] for state in states] == [1, 0, 2]
