"""The admin routes: who may, what they change, and what is written down of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest

from checks import PLAN, SUBSCRIPTION, USER
from checks import eventually, invalid, ok, problem, together, unauthorized
from gatehouse import new_email, new_password


@dataclass
class Route:
    method: str
    path: str
    body: dict | None = None
    status: int = 200

    def __str__(self):
        return f"{self.method} {self.path}"


# {user}, {plan}, {key}, {subscription}: things made for each request; NEW: something new.
ROUTES = [
    Route("GET", "/admin/users"),
    Route("GET", "/admin/users/{user}"),
    Route("PATCH", "/admin/users/{user}", {"name": "Renamed"}),
    Route("GET", "/admin/plans"),
    Route("POST", "/admin/plans", {"slug": "NEW", "name": "New", "limits": {}}, 201),
    Route("PATCH", "/admin/plans/{plan}", {"name": "Renamed"}),
    Route("GET", "/admin/subscriptions"),
    Route("POST", "/admin/subscriptions", {"user_id": "{user}", "plan": "{plan}"}, 201),
    Route("PATCH", "/admin/subscriptions/{subscription}", {"plan": "pro"}),
    Route("GET", "/admin/usage"),
    Route("GET", "/admin/audit-logs"),
    Route("GET", "/admin/audit-logs/verify"),
    Route("GET", "/admin/stats"),
    Route("POST", "/admin/users", {"email": "NEW@example.org"}, 201),
    Route("GET", "/admin/users/{user}/usage"),
    Route("GET", "/admin/users/{user}/sessions"),
    Route("POST", "/admin/users/{user}/revoke-sessions", None, 204),
    Route("POST", "/admin/users/{user}/reset-password", None, 202),
    Route("GET", "/admin/api-keys"),
    Route("DELETE", "/admin/api-keys/{key}", None, 204),
    Route("DELETE", "/admin/plans/{plan}"),
    Route("GET", "/admin/jobs"),
    Route("GET", "/admin/jobs/schedules"),
]
every_route = pytest.mark.parametrize("route", ROUTES, ids=str)


def prepare(server, route):
    """What to send for a route, as `request` takes it, and the names of what it is about."""
    person = server.person()
    names = {"user": person.id, "plan": server.make_plan({})["slug"]}
    names["subscription"] = ok(server.get("/subscription", person))["id"]
    names["key"] = server.make_key(person)["id"]
    new = names["NEW"] = f"new-{names['plan']}"

    def filled(text):
        return text.replace("NEW", new).format_map(names)

    body = route.body and {k: filled(v) if v else v for k, v in route.body.items()}
    request = {"method": route.method, "path": filled(route.path)}
    return request | ({"json": body} if body else {}), set(names.values())


def call(server, route, who):
    request, _ = prepare(server, route)
    return server.request(**request, who=who)


def done(answer, status):
    """The JSON of an answer; None where the call's answer has no body."""
    if status != 202:
        return ok(answer, status)
    assert (answer.status_code, answer.content) == (202, b"")


@pytest.fixture(scope="module")
def support(server):
    return server.with_role("support")


@every_route
def test_an_admin_may_call_every_admin_route(server, route):
    done(call(server, route, server.admin()), route.status)


@every_route
def test_support_may_read_and_not_write(server, route, support):
    answer = call(server, route, support)
    if route.method == "GET":
        ok(answer)
    else:
        problem(answer, 403, "forbidden")


@every_route
def test_a_user_may_not_call_an_admin_route(server, route):
    problem(call(server, route, server.person()), 403, "forbidden")


@every_route
def test_without_a_credential_no_admin_route_is_reached(server, route):
    unauthorized(call(server, route, None))


@every_route
@pytest.mark.parametrize("scopes", [["gate"], ["admin:read"], ["admin:write"]], ids=str)
def test_an_admins_key_needs_the_scope(server, route, scopes):
    key = server.make_key(server.admin(), scopes)["key"]
    answer = call(server, route, key)
    needed = "admin:read" if route.method == "GET" else "admin:write"
    if needed in scopes:
        done(answer, route.status)
    else:
        problem(answer, 403, "insufficient_scope")


# The last admin


@pytest.mark.parametrize("attack", ["demote", "deactivate", "delete"])
def test_the_last_admin_stays(server, attack):
    admin = server.admin()
    path = f"/admin/users/{admin.id}"
    if attack == "delete":
        answer = server.delete("/me", admin, json={"current_password": admin.password})
    else:
        change = {"role": "user"} if attack == "demote" else {"is_active": False}
        answer = server.patch(path, admin, change)
    problem(answer, 409, "last_admin")
    kept = ok(server.get(path, admin))
    assert (kept["role"], kept["is_active"]) == ("admin", True)


def test_an_inactive_admin_does_not_count_as_another_one(start):
    server = start()
    second = server.with_role("admin")
    path = f"/admin/users/{second.id}"
    ok(server.patch(path, server.admin(), {"is_active": False}))
    answer = server.patch(f"/admin/users/{server.admin().id}", server.admin(), {"role": "user"})
    problem(answer, 409, "last_admin")


def test_of_two_admins_who_demote_each_other_at_once_one_stays(start):
    server = start()
    both = [server.admin(), server.with_role("admin")]
    together(
        2,
        lambda n: server.patch(f"/admin/users/{both[1 - n].id}", both[n], {"role": "user"}),
    )
    roles = [server.login(person.email, person.password)["user"]["role"] for person in both]
    assert sorted(roles) == ["admin", "user"]


# Users


def test_a_deactivated_user_is_out_at_once_and_back_when_active_again(server):
    person = server.person()
    key, path = server.make_key(person)["key"], f"/admin/users/{person.id}"
    ok(server.get("/gate", key))
    assert ok(server.patch(path, server.admin(), {"is_active": False}))["is_active"] is False
    for credential in (person, key):
        unauthorized(server.get("/gate", credential))
    refresh = {"refresh_token": person.refresh_token}
    assert server.post("/auth/refresh", json=refresh).status_code == 401
    login = {"email": person.email, "password": person.password}
    problem(server.post("/auth/login", json=login), 401, "invalid_credentials")
    ok(server.patch(path, server.admin(), {"is_active": True}))
    server.login(person.email, person.password)


def test_a_new_role_holds_at_once_and_a_lost_one_too(server):
    person = server.person()
    path = f"/admin/users/{person.id}"
    promoted = ok(server.patch(path, server.admin(), {"role": "support"}))
    assert (promoted["role"], promoted["is_superuser"]) == ("support", False)
    person = server.again(person)
    ok(server.get("/admin/users", person))
    ok(server.patch(path, server.admin(), {"role": "user"}))
    assert server.get("/admin/users", person).status_code in (401, 403)
    problem(server.get("/admin/users", server.again(person)), 403, "forbidden")


def test_users_are_found_by_address_and_shown_whole(server):
    person = server.person()
    found = ok(server.get("/admin/users", server.admin(), params={"q": person.email}))
    assert [user["id"] for user in found["items"]] == [person.id]
    assert found["items"][0].keys() == USER
    assert ok(server.get(f"/admin/users/{person.id}", server.admin())) == found["items"][0]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"role": "owner"}, "role"), ({"is_active": "no"}, "is_active"), ({"email": "x"}, "email"),
     ({"email_verified": 1}, "email_verified"), ({"password": "x"}, "password")],
    ids=str,
)  # fmt: skip
def test_a_wrong_change_of_a_user_names_the_field_and_changes_nothing(server, change, field):
    person = server.person()
    body = {"name": "half-written"} | change
    invalid(server.patch(f"/admin/users/{person.id}", server.admin(), body), field)
    assert ok(server.get("/me", person)) == person.user


# Plans


@pytest.mark.parametrize(
    "limits",
    [{"requests_per_second": 5, "requests_burst": 9}, {"tokens_per_minute": 0},
     {"a_per_hour": 1, "a_per_day": 2, "a_per_month": None}, {"concurrent_jobs": 3, "max_x": 4},
     {"requests_per_month": {"limit": 10, "overage": "allow"}}, {}],
    ids=str,
)  # fmt: skip
def test_a_plans_limits_come_back_as_they_were_set(server, limits):
    plan = server.make_plan(limits)
    assert plan.keys() == PLAN and plan["limits"] == limits
    plans = server.everything("/admin/plans", server.admin())
    assert plan in plans


WRONG_NAMES = ["requests", "requests_per_week", "_per_month", "requests_per_", "max_", "_burst",
               "concurrent_", "requests per month", "", "limits"]  # fmt: skip
WRONG_VALUES = [-1, 1.5, "10", True, [], {}, {"limit": 10, "overage": "maybe"}, 2**64,
                {"limit": -1, "overage": "deny"}, {"overage": "deny"}, {"limit": 1, "more": 1},
                {"limit": "1", "overage": "deny"}]  # fmt: skip


@pytest.mark.parametrize(
    "limits",
    [{name: 1} for name in WRONG_NAMES] + [{"requests_per_month": v} for v in WRONG_VALUES],
    ids=str,
)
def test_a_wrong_limit_is_refused_by_name_and_changes_nothing(server, limits):
    admin, plan = server.admin(), server.make_plan({"max_items": 1})
    path, [name] = f"/admin/plans/{plan['slug']}", limits
    create = {"slug": f"x-{plan['slug']}", "name": "x", "limits": limits}
    for answer in (
        server.patch(path, admin, {"name": "half-written", "limits": {"a_per_day": 1} | limits}),
        server.post("/admin/plans", admin, json=create),
    ):
        told = invalid(answer, "limits")
        assert name in told["errors"][0]["field"]
    slugs = {row["slug"]: row for row in server.everything("/admin/plans", admin)}
    assert slugs[plan["slug"]] == plan and create["slug"] not in slugs


def test_a_taken_slug_is_a_conflict(server):
    body = {"slug": server.make_plan({})["slug"], "name": "x", "limits": {}}
    problem(server.post("/admin/plans", server.admin(), json=body), 409, "conflict")


@pytest.mark.parametrize(
    ("path", "body"),
    [("/admin/plans/none", {"name": "x"}), ("/admin/users/none", {"name": "x"}),
     ("/admin/users/01890000-0000-7000-8000-000000000000", {"name": "x"}),
     ("/admin/subscriptions/none", {"plan": "pro"})],
)  # fmt: skip
def test_what_is_not_there_cannot_be_changed(server, path, body):
    problem(server.patch(path, server.admin(), body), 404, "not_found")


# Subscriptions


def give(server, person, plan, **rest):
    body = {"user_id": person.id, "plan": plan} | rest
    return ok(server.post("/admin/subscriptions", server.admin(), json=body), 201)


def test_a_given_plan_holds_from_the_next_request(server):
    person = server.customer({"requests_per_month": 1})
    ok(server.get("/gate", person))
    problem(server.get("/gate", person), 429, "quota_exceeded")
    slug = server.make_plan({"requests_per_month": 2}, self_service=False)["slug"]
    given = give(server, person, slug)
    assert given.keys() == SUBSCRIPTION
    assert (given["user_id"], given["plan"], given["status"]) == (person.id, slug, "active")
    answer = server.get("/gate", person)
    assert (ok(answer)["plan"], answer.headers["x-gatehouse-plan"]) == (slug, slug)
    problem(server.get("/gate", person), 429, "quota_exceeded")
    assert ok(server.get("/usage", person))["metrics"][0]["remaining"] == 0


def test_a_changed_subscription_holds_from_the_next_request(server):
    person = server.person()
    given = give(server, person, server.make_plan({"requests_per_month": 0})["slug"])
    problem(server.get("/gate", person), 429, "quota_exceeded")
    path = f"/admin/subscriptions/{given['id']}"
    changed = ok(server.patch(path, server.admin(), {"plan": "pro"}))
    assert changed["plan"] == "pro"
    assert ok(server.get("/gate", person))["plan"] == "pro"


def test_a_user_has_one_active_subscription(server):
    person = server.person()
    for _ in range(2):
        give(server, person, server.make_plan({})["slug"])
    rows = server.everything("/admin/subscriptions", server.admin())
    mine = [row["status"] for row in rows if row["user_id"] == person.id]
    assert mine.count("active") == 1


def test_at_its_expiry_a_subscription_falls_back_to_the_default_plan(server):
    person, slug = server.person(), server.make_plan({})["slug"]
    end = datetime.now(timezone.utc) + timedelta(seconds=2)
    text = end.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert give(server, person, slug, expires_at=text)["expires_at"] == text
    assert ok(server.get("/gate", person))["plan"] == slug
    eventually(lambda: ok(server.get("/gate", person))["plan"] == "free", what="the expiry")
    assert datetime.now(timezone.utc) >= end
    rows = server.everything("/admin/subscriptions", server.admin())
    [mine] = [row for row in rows if row["user_id"] == person.id and row["plan"] == slug]
    assert mine["status"] == "expired"


@pytest.mark.parametrize(
    ("field", "value"), [("plan", "no-such-plan"), ("user_id", "nobody"), ("expires_at", "soon")]
)
def test_a_wrong_subscription_is_refused(server, field, value):
    person = server.person()
    body = {"user_id": person.id, "plan": "pro", field: value}
    answer = server.post("/admin/subscriptions", server.admin(), json=body)
    status = 422 if field == "expires_at" else (404, 422)
    problem(answer, status, ("not_found", "validation_failed"))
    assert server.plan_of(person) == "free"


# Usage and audit


def test_the_usage_of_every_customer_is_shown(server):
    person = server.customer({"requests_per_month": 10_000})
    ok(server.get("/gate", person, params={"cost": 777}))

    def seen():
        rows = server.everything("/admin/usage", server.admin())
        return [row for row in rows if person.id in json.dumps(row) and 777 in row.values()]

    eventually(seen, what="the customer's usage")


@pytest.mark.parametrize("route", [r for r in ROUTES if r.method != "GET"], ids=str)
def test_every_change_leaves_an_audit_row(server, route):
    admin = server.admin()
    request, names = prepare(server, route)
    before = audit_ids(server)
    changed = done(server.request(**request, who=admin), route.status) or {"id": admin.id}
    names |= {changed["id"]}
    rows = [row for row in audit_rows(server) if row["id"] not in before and row["action"]]
    told = [json.dumps(row) for row in rows if admin.id in json.dumps(row)]
    assert any(name in row for row in told for name in names)


def test_a_refused_change_leaves_none(server):
    person = server.person()
    before = audit_ids(server)
    wrong = {"role": "support", "is_active": "no"}
    invalid(server.patch(f"/admin/users/{person.id}", server.admin(), wrong), "is_active")
    assert audit_ids(server) == before


def audit_rows(server):
    return server.everything("/admin/audit-logs", server.admin())


def audit_ids(server):
    return {row["id"] for row in audit_rows(server)}


def test_a_sign_in_leaves_an_audit_row_without_the_password(server):
    address, password = new_email(), new_password()
    user = server.register(address, password)
    before = audit_ids(server)
    server.login(address, password)
    rows = audit_rows(server)
    new = [row for row in rows if row["id"] not in before]
    assert any(row["action"] and user["id"] in json.dumps(row) for row in new)
    assert password not in json.dumps(rows)
