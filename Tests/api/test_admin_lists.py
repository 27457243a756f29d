"""The admin's lists: orders, filters, cursors, and the same rows as CSV."""

from __future__ import annotations

import csv
import io
import sqlite3

import pytest

from checks import invalid, ok
from gatehouse import new_email

LISTS = {
    "/admin/users": {"id", "email", "name", "role", "is_active", "plan"},
    "/admin/subscriptions": {"id", "user_id", "plan", "status", "expires_at"},
    "/admin/plans": {"id", "slug", "limits", "archived_at"},
    "/admin/api-keys": {"id", "user_id", "name", "prefix", "scopes", "revoked_at"},
    "/admin/audit-logs": {"sequence", "id", "at", "action", "actor", "target", "meta"},
    "/admin/usage": {"user_id", "email", "metric", "value"},
}
every_list = pytest.mark.parametrize("path", LISTS)


@pytest.fixture(scope="module")
def server(start_for_module):
    """With a few rows in each of its lists."""
    server = start_for_module()
    for _ in range(5):
        person = server.customer({"requests_per_day": 9})
        ok(server.get("/gate", server.make_key(person)["key"]))
    return server


def file(server, path, who=None, **parameters):
    answer = server.get(path, who or server.admin(), params={"format": "csv"} | parameters)
    assert answer.status_code == 200, answer.text
    return answer


def rows(answer):
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


@every_list
def test_pages_put_together_are_the_whole_list(server, path):
    admin = server.admin()
    whole = ok(server.get(path, admin, params={"limit": "200"}))["items"]
    found, cursor = [], None
    while True:
        page = ok(
            server.get(path, admin, params={"limit": "2"} | ({"cursor": cursor} if cursor else {}))
        )
        assert len(page["items"]) <= 2
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(found) > 3 or path == "/admin/plans"
    assert found == whole


@every_list
@pytest.mark.parametrize("wrong", ["x", "AAAA", "", "w" * 60])
def test_a_cursor_that_is_none_of_ours_is_refused(server, path, wrong):
    invalid(server.get(path, server.admin(), params={"cursor": wrong}), "cursor")


@pytest.mark.parametrize(
    ("path", "first", "other"),
    [
        ("/admin/users", {}, {"sort": "email"}),
        ("/admin/users", {"sort": "email"}, {"sort": "-email"}),
        ("/admin/users", {"role": "user"}, {}),
        ("/admin/users", {"q": "user"}, {"q": "users"}),
        ("/admin/users", {"active": "true"}, {"active": "false"}),
        ("/admin/subscriptions", {}, {"status": "active"}),
        ("/admin/api-keys", {}, {"active": "true"}),
        ("/admin/audit-logs", {}, {"action": "user.registered"}),
        ("/admin/usage", {}, {"period": "2026-10"}),
    ],
    ids=str,
)
def test_a_cursor_holds_for_its_own_filter_and_order_alone(server, path, first, other):
    admin = server.admin()
    cursor = ok(server.get(path, admin, params=first | {"limit": "1"}))["next_cursor"]
    ok(server.get(path, admin, params=first | {"cursor": cursor, "limit": "2"}))
    invalid(server.get(path, admin, params=other | {"cursor": cursor}), "cursor")


def test_a_cursor_of_one_list_is_none_of_another(server):
    admin = server.admin()
    cursor = ok(server.get("/admin/users", admin, params={"limit": "1"}))["next_cursor"]
    invalid(server.get("/admin/plans", admin, params={"cursor": cursor}), "cursor")


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "email", "-email"])
def test_users_come_in_the_order_that_is_asked_for(server, sort):
    field = sort.lstrip("-")
    admin = server.admin()
    found, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = ok(server.get("/admin/users", admin, params={"sort": sort, "limit": "2"} | more))
        found += [user[field] for user in page["items"]]
        server.register()  # somebody new does not move what is still to come
        if (cursor := page["next_cursor"]) is None or len(found) > 8:
            break
    assert found == sorted(found, reverse=sort.startswith("-"))
    assert len(set(found)) == len(found) > 5


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [("/admin/users", "sort", "name"), ("/admin/users", "role", "root"),
     ("/admin/users", "active", "yes"), ("/admin/users", "limit", "0"),
     ("/admin/users", "format", "xml"), ("/admin/subscriptions", "user_id", "me"),
     ("/admin/subscriptions", "status", "paused"), ("/admin/api-keys", "user_id", "me"),
     ("/admin/api-keys", "active", "1"), ("/admin/usage", "period", "November"),
     ("/admin/usage", "metric", "A b"), ("/admin/usage", "sort", "email"),
     ("/admin/usage", "user_id", "me"),
     ("/admin/usage", "user_id", "01890000-0000-7000-8000-000000000000")],
)  # fmt: skip
def test_a_wrong_filter_is_named(server, path, field, value):
    invalid(server.get(path, server.admin(), params={field: value}), field)


@pytest.mark.parametrize("search", ["ügur", "ÜGUR", "zoë", "u\u0308gur", "ŁÓDŹ", "łódź"])
def test_a_search_finds_names_beyond_ascii_in_any_case(server, search):
    person = server.register(name=f"Zoë Ügur Łódź {new_email()}")
    found = ok(server.get("/admin/users", server.admin(), params={"q": search}))["items"]
    assert person["id"] in [user["id"] for user in found]
    assert ok(server.get("/admin/users", server.admin(), params={"q": "%"}))["items"] == []


# CSV


@every_list
def test_a_file_has_the_rows_of_the_list_in_the_same_words(server, path):
    admin = server.admin()
    items = ok(server.get(path, admin, params={"limit": "200"}))["items"]
    answer = file(server, path)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="gatehouse-') and ".csv" in disposition
    assert answer.text.endswith("\r\n")
    found = rows(answer)
    assert LISTS[path] <= found[0].keys() and len(found) == len(items)
    for name in LISTS[path] - {"limits", "scopes", "meta"}:
        shown = ["" if (v := item[name]) is None else v for item in items]
        shown = [str(v).lower() if isinstance(v, bool) else str(v) for v in shown]
        assert sorted(row[name] for row in found) == sorted(shown), name
    accepted = server.get(path, admin, headers={"accept": "text/csv"})
    assert [r.get("id") for r in rows(accepted)] == [r.get("id") for r in found]


def test_an_empty_file_still_has_its_header(server):
    answer = file(server, "/admin/users", q="nobody-has-this-name")
    assert answer.text.startswith("id,email,name,") and answer.text.count("\r\n") == 1


def test_a_limit_cuts_a_file_and_a_filter_narrows_it(server):
    assert len(rows(file(server, "/admin/users", limit="2"))) == 2
    found = rows(file(server, "/admin/users", role="admin"))
    assert [row["email"] for row in found] == [server.admin().email]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("x","y")'])
def test_a_name_is_no_formula(server, name):
    user = server.register(name=name)
    [row] = rows(file(server, "/admin/users", q=user["email"]))
    assert row["name"] == "'" + name


def test_support_may_export_and_a_user_may_not(server):
    assert rows(file(server, "/admin/users", server.with_role("support")))
    person = server.person()
    assert server.get("/admin/users", person, params={"format": "csv"}).status_code == 403


def test_a_file_of_many_rows_is_whole_and_each_row_is_there_once(start):
    server = start()
    server.admin()
    server.stop()
    with sqlite3.connect(server.database()) as store:
        store.executemany(
            "INSERT INTO users (id, email, role, is_active, email_verified, totp_enabled,"
            " token_version, created_at, updated_at) VALUES (?, ?, 'user', 1, 0, 0, 1, 1, 1)",
            [
                (f"01890000-0000-7000-8000-{number:012d}", f"user{number}@example.com")
                for number in range(3500)
            ],
        )
    store.close()
    server.start()
    who = server.again(server.admin())
    for sort in ("-created_at", "email"):
        found = [row["email"] for row in rows(file(server, "/admin/users", who, sort=sort))]
        assert len(found) == len(set(found)) == 3501
    head = server.request("HEAD", "/admin/users?format=csv", who)
    assert head.status_code == 200 and head.content == b""


# Usage


def test_usage_is_shown_by_user_metric_and_period(server):
    admin = server.admin()
    person = server.customer({"tokens_per_month": 1000, "requests_per_month": 1000})
    ok(server.get("/gate", person, params={"metric": "tokens", "cost": "7"}))
    ok(server.get("/gate", person, params={"cost": "900"}))
    by_user = ok(server.get("/admin/usage", admin, params={"user_id": person.id}))
    assert {row["metric"]: row["value"] for row in by_user["items"]} == {
        "requests": 900, "tokens": 7,
    }  # fmt: skip
    tokens = ok(server.get("/admin/usage", admin, params={"metric": "tokens"}))
    assert [row["user_id"] for row in tokens["items"]] == [person.id] and tokens["total"] == 7
    top = ok(server.get("/admin/usage", admin))["items"]
    assert top[0]["user_id"] == person.id
    assert [row["value"] for row in top] == sorted((r["value"] for r in top), reverse=True)
    past = ok(server.get("/admin/usage", admin, params={"period": "2020-01"}))
    assert (past["items"], past["total"]) == ([], 0)


# Keys


def test_keys_of_everybody_are_listed_without_their_secrets_and_revoked(server):
    admin, person = server.admin(), server.person()
    made = server.make_key(person)
    listed = server.get("/admin/api-keys", admin, params={"user_id": person.id})
    [row] = ok(listed)["items"]
    assert (row["id"], row["user_id"]) == (made["id"], person.id)
    assert made["key"] not in listed.text and "hash" not in listed.text
    ok(server.get("/gate", made["key"]))
    for _ in range(2):
        ok(server.delete(f"/admin/api-keys/{made['id']}", admin), 204)
    assert server.get("/gate", made["key"]).status_code == 401
    filters = {"user_id": person.id}
    live = ok(server.get("/admin/api-keys", admin, params=filters | {"active": "true"}))
    dead = ok(server.get("/admin/api-keys", admin, params=filters | {"active": "false"}))
    assert live["items"] == [] and [k["id"] for k in dead["items"]] == [made["id"]]
    told = ok(server.get("/admin/audit-logs", admin, params={"target": f"api_key:{made['id']}"}))
    revocations = [row for row in told["items"] if row["action"] == "api_key.revoked"]
    assert [row["meta"] for row in revocations] == [{"owner": f"user:{person.id}"}]
