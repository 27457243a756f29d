"""The audit log's chain: it holds, and shows where it was tampered with."""

from __future__ import annotations

import json
import sqlite3

import pytest

from checks import invalid, ok

PATH = "/admin/audit-logs/verify"


def test_the_chain_holds_after_everything_that_a_day_brings(start):
    server = start()
    admin = server.admin()
    for _ in range(5):
        server.make_key(server.person())
    server.customer({"requests_per_month": 5})
    told = ok(server.get(PATH, admin))
    assert told["intact"] is True and told["first_broken"] is None
    assert told["rows"] == len(server.everything("/admin/audit-logs", admin)) > 10


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_logs SET action = 'nothing' WHERE sequence = 4",
        "UPDATE audit_logs SET meta_json = '{' WHERE sequence = 4",
        "UPDATE audit_logs SET ip = '192.0.2.1' WHERE sequence = 4",
        "DELETE FROM audit_logs WHERE sequence = 3",
    ],
)
def test_a_row_that_was_tampered_with_is_named(start, change):
    server = start()
    admin = server.admin()
    for _ in range(3):
        server.person()
    server.stop()
    with sqlite3.connect(server.database()) as store:
        store.execute(change)
        [[row_id]] = store.execute("SELECT id FROM audit_logs WHERE sequence = 4")
    store.close()
    server.start()
    told = ok(server.get(PATH, admin))
    assert (told["intact"], told["first_broken"], told["first_broken_id"]) == (False, 4, row_id)
    assert told["rows"] < 4
    while_running = server.command("audit", "verify")
    server.stop()
    for result in (while_running, server.command("audit", "verify")):
        assert result.returncode == 65 and result.stdout == ""
        [line] = result.stderr.splitlines()
        assert "row 4" in line and row_id in line
    as_json = server.command("audit", "verify", "--json")
    assert as_json.returncode == 65 and json.loads(as_json.stdout) == told


def test_the_command_says_that_a_whole_chain_holds_beside_a_daemon_and_without_one(start):
    server = start()
    server.person()
    for _ in range(2):
        result = server.command("audit", "verify")
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("The audit log is whole: ")
        told = json.loads(server.command("audit", "verify", "--json").stdout)
        assert told["intact"] is True and told["first_broken"] is None and told["rows"] > 1
        if server.running():
            server.stop()


def test_without_a_store_the_command_says_so(start, tmp_path):
    server = start()
    server.data_dir = tmp_path
    result = server.command("audit", "verify")
    assert result.returncode == 1 and result.stderr.startswith("gatehouse: There is no store")


LOGS = "/admin/audit-logs"


@pytest.fixture(scope="module")
def server(start_for_module):
    return start_for_module()


def newest(server, **filters):
    found = ok(server.get(LOGS, server.admin(), params={"limit": "1"} | filters))["items"]
    return found[0] if found else None


def test_a_change_is_told_with_what_was_before_and_after(server):
    admin, person = server.admin(), server.person()
    target = f"user:{person.id}"
    change = {"role": "support", "name": "Somebody Else", "is_active": True}
    answer = server.patch(f"/admin/users/{person.id}", admin, change)
    row = newest(server, target=target, action="user.updated")
    assert row["meta"] == {"role": {"from": "user", "to": "support"}, "name": "changed"}
    assert (row["actor"], row["target"]) == (f"user:{admin.id}", target)
    assert row["request_id"] == answer.headers["x-request-id"] and row["ip"] == "127.0.0.1"

    plan = server.make_plan({"requests_per_day": 1})
    path = f"/admin/plans/{plan['slug']}"
    ok(server.patch(path, admin, {"limits": {"requests_per_day": 2}, "self_service": False}))
    row = newest(server, target=f"plan:{plan['slug']}", action="plan.updated")
    assert row["meta"] == {
        "limits": {"from": {"requests_per_day": 1}, "to": {"requests_per_day": 2}},
        "self_service": {"from": True, "to": False},
    }

    body = {"user_id": person.id, "plan": plan["slug"]}
    given = ok(server.post("/admin/subscriptions", admin, json=body), 201)
    row = newest(server, target=target, action="subscription.given")
    assert row["meta"] == {"plan": {"from": "free", "to": plan["slug"]}}
    ok(server.patch(f"/admin/subscriptions/{given['id']}", admin, {"status": "canceled"}))
    row = newest(server, target=target, action="subscription.changed")
    assert row["meta"] == {"status": {"from": "active", "to": "canceled"}}


def test_the_log_is_filtered_by_who_did_what_to_what_and_when(server):
    admin, person = server.admin(), server.person()
    ok(server.patch(f"/admin/users/{person.id}", admin, {"name": "A"}))
    row = newest(server)
    by_admin = {"actor": f"user:{admin.id}", "target": f"user:{person.id}"}
    assert newest(server, **by_admin) == row
    assert newest(server, **by_admin, action="user.updated") == row
    assert newest(server, **by_admin, action="user.deleted") is None
    assert newest(server, **by_admin, **{"from": row["at"]}) == row
    assert newest(server, **by_admin, to=row["at"]) is None
    assert newest(server, actor="user:nobody") is None
    for name in ("from", "to"):
        invalid(server.get(LOGS, admin, params={name: "yesterday"}), name)
