"""The gate: one call that checks, decides and counts."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from checks import GATE, LIMIT_FIELDS, TIME
from checks import invalid, members, ok, problem, together, unauthorized

IDENTITY = ["User", "Key", "Plan", "Role", "Scopes"]


def identity(answer):
    """The X-Gatehouse-* headers; each must be there."""
    return [answer.headers[f"x-gatehouse-{name.lower()}"] for name in IDENTITY]


def key_on(server, limits):
    """A customer on a plan with these limits, and a key of theirs."""
    person = server.customer(limits)
    return person, server.make_key(person)["key"]


def next_month(answer):
    now = datetime.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT")
    year, month = (now.year + 1, 1) if now.month == 12 else (now.year, now.month + 1)
    return f"{year}-{month:02}-01T00:00:00.000Z"


def seconds_until(time, answer):
    now = datetime.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT")
    moment = datetime.fromisoformat(time.replace("Z", "+00:00"))
    return (moment - now.replace(tzinfo=timezone.utc)).total_seconds()


def test_the_gate_tells_a_key_who_it_is_and_what_is_left(server):
    person = server.person()
    key = server.make_key(person, ["gate", "items:read"])
    answer = server.get("/gate", key["key"])
    told = ok(answer)
    assert told.keys() == GATE
    assert (told["allowed"], told["user_id"], told["key_id"]) == (True, person.id, key["id"])
    assert (told["plan"], set(told["scopes"])) == ("free", {"gate", "items:read"})
    limits = {row["limit"]: row for row in told["limits"]}
    assert limits.keys() == {"requests_per_month", "requests_per_second"}
    assert limits["requests_per_month"] == {
        "limit": "requests_per_month", "allowed": 10_000, "used": 1, "remaining": 9_999,
        "resets_at": next_month(answer),
    }  # fmt: skip
    assert limits["requests_per_second"].keys() == limits["requests_per_month"].keys()


def test_the_gate_tells_the_proxy_who_it_is_in_headers(server):
    person = server.person()
    key = server.make_key(person, ["gate", "items:read"])
    by_key = identity(server.get("/gate", key["key"]))
    assert by_key[:4] == [person.id, key["id"], "free", "user"]
    assert set(by_key[4].replace(",", " ").split()) == {"gate", "items:read"}
    by_token = identity(server.get("/gate", person))
    assert by_token[:4] == [person.id, "", "free", "user"]


def test_a_refusal_sets_every_identity_header_too(server):
    claimed = {f"X-Gatehouse-{name}": "forged" for name in IDENTITY}
    answer = server.get("/gate", headers=claimed)
    unauthorized(answer)
    assert identity(answer) == [""] * 5
    person, key = key_on(server, {"requests_per_month": 0})
    answer = server.get("/gate", key, headers=claimed)
    problem(answer, 429, "quota_exceeded")
    assert "forged" not in identity(answer)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_the_gate_opens_to_any_method(server, method):
    key = server.make_key(server.person())["key"]
    answer = server.request(method, "/gate", key)
    assert answer.status_code == 200 and identity(answer)[0]


def test_a_scope_can_be_demanded_and_its_lack_costs_nothing(server):
    person = server.person()
    key = server.make_key(person, ["gate", "items:read"])["key"]
    ok(server.get("/gate", key, params={"scope": "items:read"}))
    refused = server.get("/gate", key, params={"scope": "items:write"})
    problem(refused, 403, "insufficient_scope")
    assert server.used(person) == 1


def test_another_metric_and_cost_can_be_counted(server):
    person, key = key_on(server, {"tokens_per_month": 100, "requests_per_month": 100})
    told = ok(server.get("/gate", key, params={"metric": "tokens", "cost": 70}))
    row = next(row for row in told["limits"] if row["limit"] == "tokens_per_month")
    assert (row["used"], row["remaining"]) == (70, 30)
    problem(
        server.get("/gate", key, params={"metric": "tokens", "cost": 31}), 429, "quota_exceeded"
    )
    ok(server.get("/gate", key, params={"metric": "tokens", "cost": 30}))
    assert (server.used(person, "tokens"), server.used(person)) == (100, 0)


@pytest.mark.parametrize(("cost", "used"), [("0", 0), ("1", 1), ("1000000", 1_000_000)])
def test_a_cost_may_be_from_nothing_to_a_million(server, cost, used):
    person = server.customer({"requests_per_month": None})
    ok(server.get("/gate", person, params={"cost": cost}))
    assert server.used(person) == used


@pytest.mark.parametrize(
    "cost", ["-1", "1000001", "nan", "inf", "1.5", "1e3", "", "0x10", str(2**63), str(2**64 + 1)]
)
def test_a_cost_that_is_none_is_refused_and_costs_nothing(server, cost):
    person = server.person()
    invalid(server.get("/gate", person, params={"cost": cost}), "cost")
    assert server.used(person) == 0


@pytest.mark.parametrize("metric", ["no spaces", "x" * 300, "a/../b"])
def test_a_metric_that_is_no_name_is_refused(server, metric):
    invalid(server.get("/gate", server.person(), params={"metric": metric}), "metric")


def test_past_the_quota_the_answer_says_which_limit_and_until_when(server):
    _, key = key_on(server, {"requests_per_month": 3})
    used = [ok(server.get("/gate", key))["limits"][0]["used"] for _ in range(3)]
    assert used == [1, 2, 3]
    answer = server.get("/gate", key)
    told = problem(answer, 429, "quota_exceeded")
    assert {name: told[name] for name in LIMIT_FIELDS} == {
        "limit": "requests_per_month", "allowed": 3, "used": 3, "resets_at": next_month(answer),
    }  # fmt: skip
    wait = int(answer.headers["retry-after"])
    assert abs(wait - seconds_until(told["resets_at"], answer)) <= 2


def test_a_quota_of_zero_admits_nobody(server):
    _, key = key_on(server, {"requests_per_month": 0})
    problem(server.get("/gate", key), 429, "quota_exceeded")


@pytest.mark.parametrize(("burst", "passes"), [(None, 2), (5, 5), (1, 1)])
def test_past_the_rate_the_answer_says_when_the_next_may_pass(server, burst, passes):
    limits = {"requests_per_minute": 2} | ({"requests_burst": burst} if burst else {})
    _, key = key_on(server, limits)
    for _ in range(passes):
        ok(server.get("/gate", key))
    answer = server.get("/gate", key)
    told = problem(answer, 429, "rate_limited")
    assert told["limit"] == "requests_per_minute"
    assert TIME.fullmatch(told["resets_at"])
    assert 1 <= int(answer.headers["retry-after"]) <= 30  # two a minute: one each 30 s


def test_a_rate_lets_the_next_one_pass_in_its_time(server):
    _, key = key_on(server, {"requests_per_second": 1})
    ok(server.get("/gate", key))
    statuses = [429]
    while statuses[-1] == 429:  # ends within a second: one unit comes back
        answer = server.get("/gate", key)
        statuses.append(answer.status_code)
    assert statuses[1] == 429 and statuses[-1] == 200


def test_a_refused_request_costs_nothing(server):
    limits = {"requests_per_month": 100, "requests_per_day": 50, "requests_per_minute": 2}
    person, key = key_on(server, limits)
    statuses = [server.get("/gate", key).status_code for _ in range(7)]
    assert statuses == [200] * 2 + [429] * 5
    rows = ok(server.get("/usage", person))["metrics"]
    assert {row["period"]: row["used"] for row in rows} == {"month": 2, "day": 2}


def test_when_one_of_two_quotas_says_no_neither_is_debited(server):
    person, key = key_on(server, {"tokens_per_month": 100, "tokens_per_hour": 5})
    six = {"metric": "tokens", "cost": 6}
    told = problem(server.get("/gate", key, params=six), 429, "quota_exceeded")
    assert told["limit"] == "tokens_per_hour"
    ok(server.get("/gate", key, params=six | {"cost": 5}))
    rows = ok(server.get("/usage", person))["metrics"]
    assert {row["period"]: row["used"] for row in rows} == {"month": 5, "hour": 5}


def test_of_64_who_race_for_the_last_unit_one_wins(server):
    person, key = key_on(server, {"requests_per_month": 3})
    for _ in range(2):
        ok(server.get("/gate", key))
    answers = together(64, lambda _: server.get("/gate", key))
    assert sum(answer.status_code == 200 for answer in answers) == 1
    for answer in answers:
        if answer.status_code != 200:
            problem(answer, 429, "quota_exceeded")
    assert server.used(person) == 3


def test_two_keys_and_a_token_of_one_user_share_the_plans_quota(server):
    person, key = key_on(server, {"requests_per_month": 3})
    for who in (key, server.make_key(person)["key"], person):
        ok(server.get("/gate", who))
    for who in (key, person):
        problem(server.get("/gate", who), 429, "quota_exceeded")


def test_one_customers_use_is_not_anothers(server):
    first, second = (key_on(server, {"requests_per_month": 1}) for _ in range(2))
    ok(server.get("/gate", first[1]))
    problem(server.get("/gate", first[1]), 429, "quota_exceeded")
    ok(server.get("/gate", second[1]))


def test_a_quota_with_overage_lets_pass_and_keeps_count(server):
    person, key = key_on(server, {"requests_per_month": {"limit": 2, "overage": "allow"}})
    for _ in range(3):
        ok(server.get("/gate", key))
    row = ok(server.get("/usage", person))["metrics"][0]
    assert (row["used"], row["limit"], row["remaining"], row["overage"]) == (3, 2, 0, 1)


def test_denied_overage_is_a_plain_quota(server):
    _, key = key_on(server, {"requests_per_month": {"limit": 1, "overage": "deny"}})
    ok(server.get("/gate", key))
    problem(server.get("/gate", key), 429, "quota_exceeded")


@pytest.mark.parametrize("status", [429, 402])
def test_for_nginx_a_refusal_can_be_a_403_that_names_the_real_status(server, start, status):
    if status == 402:
        server, person = without_plan(start)
        code = "subscription_required"
    else:
        person = server.customer({"requests_per_month": 0})
        code = "quota_exceeded"
    answer = server.get("/gate", person, params={"on_deny": "403"})
    problem(answer, 403, code)
    assert answer.headers["x-gatehouse-status"] == str(status)
    if status == 429:
        assert int(answer.headers["retry-after"]) >= 1
    unauthorized(server.get("/gate", params={"on_deny": "403"}))


@pytest.mark.parametrize("value", ["200", "yes"])
def test_on_deny_knows_no_other_status(server, value):
    invalid(server.get("/gate", server.person(), params={"on_deny": value}), "on_deny")


def without_plan(start):
    """A server with no default plan, and somebody who thus has no plan at all."""
    server = start()
    ok(server.patch("/admin/plans/free", server.admin(), {"is_default": False}))
    return server, server.person()


def test_without_a_plan_a_subscription_is_required(start):
    server, person = without_plan(start)
    assert person.user["plan"] is None
    answer = server.get("/gate", person)
    problem(answer, 402, "subscription_required")
    assert identity(answer)[2] == ""
    ok(server.get("/me", person))
    body = {"user_id": person.id, "plan": "free"}
    ok(server.post("/admin/subscriptions", server.admin(), json=body), 201)
    ok(server.get("/gate", person))


def test_a_change_of_the_plans_limits_holds_from_the_next_request(server):
    person, key = key_on(server, {"requests_per_month": 1})
    plan, admin = server.plan_of(person), server.admin()

    def allow(count):
        body = {"limits": {"requests_per_month": count}}
        ok(server.patch(f"/admin/plans/{plan}", admin, body))

    ok(server.get("/gate", key))
    problem(server.get("/gate", key), 429, "quota_exceeded")
    allow(2)
    assert ok(server.get("/gate", key))["limits"][0]["used"] == 2
    problem(server.get("/gate", key), 429, "quota_exceeded")
    allow(1)
    row = ok(server.get("/usage", person))["metrics"][0]
    assert (row["used"], row["remaining"]) == (2, 0)
    problem(server.get("/gate", key), 429, "quota_exceeded")


def test_a_change_of_plan_holds_from_the_next_request_and_keeps_what_was_used(server):
    person, key = key_on(server, {"requests_per_month": 2})
    for _ in range(2):
        ok(server.get("/gate", key))
    problem(server.get("/gate", key), 429, "quota_exceeded")
    larger = server.make_plan({"requests_per_month": 3})["slug"]
    assert ok(server.post("/subscribe", person, json={"plan": larger}))["plan"] == larger
    answer = server.get("/gate", key)
    assert (ok(answer)["plan"], answer.headers["x-gatehouse-plan"]) == (larger, larger)
    problem(server.get("/gate", key), 429, "quota_exceeded")


def test_every_metered_answer_has_rate_limit_fields_that_parse(server):
    _, key = key_on(server, {"requests_per_month": 2, "requests_per_minute": 50})
    for left, status in ((1, 200), (0, 200), (0, 429)):
        answer = server.get("/gate", key)
        assert answer.status_code == status
        policy, state = members(answer, "ratelimit-policy"), members(answer, "ratelimit")
        assert policy.keys() == state.keys()
        assert sorted(parameters["q"] for parameters in policy.values()) == [2, 50]
        month = next(name for name, parameters in policy.items() if parameters["q"] == 2)
        assert state[month]["r"] == left
        until = seconds_until(next_month(answer), answer)
        assert abs(state[month].get("t", until) - until) <= 2


def test_an_unlimited_metric_has_no_rate_limit_member(server):
    person = server.customer({"requests_per_month": None, "requests_per_day": 9})
    answer = server.get("/gate", person)
    assert [p["q"] for p in members(answer, "ratelimit-policy").values()] == [9]
    assert [p["r"] for p in members(answer, "ratelimit").values()] == [8]


def test_account_key_plan_and_usage_calls_are_free(server):
    person, _ = key_on(server, {"requests_per_month": 1})
    for path in ("/me", "/api-keys", "/plans", "/usage", "/subscription", "/me/sessions"):
        ok(server.get(path, person))
    assert server.used(person) == 0
