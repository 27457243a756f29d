"""Plans as users see them, subscriptions, and the usage report."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta, timezone

import pytest

from checks import PLAN, SUBSCRIPTION, TIME
from checks import eventually, invalid, media_type, ok, problem

REPORT = {"plan", "period", "metrics", "rates", "concurrency", "stocks"}
METRIC = {"metric", "period", "used", "limit", "remaining", "overage", "resets_at"}
PERIOD = {
    "hour": r"\d{4}-\d\d-\d\dT\d\d", "day": r"\d{4}-\d\d-\d\d", "month": r"\d{4}-\d\d",
}  # fmt: skip


def around_now():
    """A span of whole days with now inside, however the clock turns during the test."""
    now = datetime.now(timezone.utc)
    days = [(now + timedelta(days=n)).strftime("%Y-%m-%dT00:00:00.000Z") for n in (-2, 2)]
    return {"from": days[0], "to": days[1]}


def history(server, who, **parameters):
    return server.get("/usage/history", who, params=around_now() | parameters)


def spend(server, who, *costs, metric="requests"):
    for cost in costs:
        ok(server.get("/gate", who, params={"metric": metric, "cost": cost}))


def test_the_plans_are_public(server):
    plans = {plan["slug"]: plan for plan in ok(server.get("/plans"))["items"]}
    assert {"free", "pro"} <= plans.keys()
    assert all(plan.keys() == PLAN and plan["price"] is None for plan in plans.values())
    free = plans["free"]
    assert free["is_default"] is True and free["archived_at"] is None
    assert free["limits"] == {
        "requests_per_month": 10_000, "requests_per_second": 20, "concurrent_jobs": 3,
        "max_items": 100,
    }  # fmt: skip


def test_a_new_user_has_the_default_plan(server):
    person = server.person()
    subscription = ok(server.get("/subscription", person))
    assert subscription.keys() == SUBSCRIPTION
    assert (subscription["user_id"], subscription["plan"]) == (person.id, "free")
    assert (subscription["status"], subscription["canceled_at"]) == ("active", None)
    assert TIME.fullmatch(subscription["started_at"])


def test_a_user_takes_a_self_service_plan(server):
    person, slug = server.person(), server.make_plan({"max_items": 1})["slug"]
    taken = ok(server.post("/subscribe", person, json={"plan": slug}))
    assert (taken["plan"], taken["status"]) == (slug, "active")
    assert ok(server.get("/subscription", person)) == taken
    assert server.plan_of(person) == slug


def test_a_plan_that_is_not_self_service_cannot_be_taken(server):
    person, slug = server.person(), server.make_plan({}, self_service=False)["slug"]
    refused = server.post("/subscribe", person, json={"plan": slug})
    problem(refused, (403, 404, 422), ("forbidden", "not_found", "validation_failed"))
    assert server.plan_of(person) == "free"


def test_an_unknown_plan_cannot_be_taken(server):
    person = server.person()
    refused = server.post("/subscribe", person, json={"plan": "no-such-plan"})
    problem(refused, (404, 422), ("not_found", "validation_failed"))
    assert server.plan_of(person) == "free"


def test_a_canceled_subscription_says_so(server):
    person = server.customer({"requests_per_month": 7})
    slug = server.plan_of(person)
    answer = server.delete("/subscription", person)
    assert answer.is_success, answer.text
    rows = server.everything("/admin/subscriptions", server.admin())
    mine = [row for row in rows if row["user_id"] == person.id and row["plan"] == slug]
    assert [row["status"] for row in mine] == ["canceled"]
    assert TIME.fullmatch(mine[0]["canceled_at"])


def test_the_report_of_a_new_user_shows_each_limit_untouched(server):
    report = ok(server.get("/usage", server.person()))
    assert report.keys() == REPORT
    assert report["plan"] == "free" and re.fullmatch(PERIOD["month"], report["period"])
    [month] = report["metrics"]
    assert month.keys() == METRIC and TIME.fullmatch(month["resets_at"])
    assert (month["metric"], month["period"], month["used"]) == ("requests", "month", 0)
    assert (month["limit"], month["remaining"], month["overage"]) == (10_000, 10_000, 0)
    assert report["rates"] == [{"metric": "requests", "per": "second", "limit": 20, "burst": 20}]
    assert report["concurrency"] == [{"resource": "jobs", "in_use": 0, "limit": 3}]
    assert report["stocks"] == [{"resource": "items", "used": 0, "limit": 100}]


def test_the_report_adds_up_what_was_spent(server):
    person = server.customer({"requests_per_month": 100, "tokens_per_month": 1_000})
    spend(server, person, 1, 2, 3)
    spend(server, person, 400, 50, metric="tokens")
    rows = {row["metric"]: row for row in ok(server.get("/usage", person))["metrics"]}
    assert (rows["requests"]["used"], rows["requests"]["remaining"]) == (6, 94)
    assert (rows["tokens"]["used"], rows["tokens"]["remaining"]) == (450, 550)


def test_the_report_is_sorted_by_name_the_longest_period_first(server):
    names = ["b_per_hour", "a_per_day", "b_per_month", "a_per_hour", "a_per_month", "b_per_day"]
    person = server.customer({name: 9 for name in names})
    rows = ok(server.get("/usage", person))["metrics"]
    assert [f"{row['metric']}_per_{row['period']}" for row in rows] == [
        "a_per_month", "a_per_day", "a_per_hour", "b_per_month", "b_per_day", "b_per_hour",
    ]  # fmt: skip


def test_a_metric_used_without_a_limit_is_reported_without_one(server):
    person = server.customer({"requests_per_month": 10})
    spend(server, person, 5, metric="pages")
    rows = {row["metric"]: row for row in ok(server.get("/usage", person))["metrics"]}
    assert rows["pages"]["used"] == 5
    assert rows["pages"]["limit"] is rows["pages"]["remaining"] is None


@pytest.mark.parametrize("granularity", ["hour", "day", "month"])
def test_the_history_adds_up_in_every_granularity(server, granularity):
    person = server.customer({"requests_per_month": 1_000})
    spend(server, person, 1, 2, 3)
    stranger = server.person()

    def items(who):
        answer = history(server, who, metric="requests", granularity=granularity)
        return ok(answer)["items"]

    eventually(lambda: sum(row["value"] for row in items(person)) == 6, what="the history's sum")
    for row in items(person):
        assert row.keys() == {"period", "value"}
        assert re.fullmatch(PERIOD[granularity], row["period"])
    assert sum(row["value"] for row in items(stranger)) == 0


@pytest.mark.parametrize(
    ("parameters", "headers"), [({"format": "csv"}, {}), ({}, {"Accept": "text/csv"})],
    ids=["format", "accept"],
)  # fmt: skip
def test_the_history_comes_as_csv_too(server, parameters, headers):
    person = server.customer({"requests_per_month": 1_000})
    spend(server, person, 4)
    query = around_now() | {"metric": "requests", "granularity": "day"} | parameters

    def answer():
        return server.get("/usage/history", person, params=query, headers=headers)

    def rows():
        return list(csv.DictReader(io.StringIO(answer().text, newline="")))

    assert answer().status_code == 200 and media_type(answer()) == "text/csv"
    eventually(lambda: sum(int(row["value"]) for row in rows()) == 4, what="the CSV's sum")
    assert all(row.keys() == {"period", "value"} for row in rows())
    assert answer().text.endswith("\r\n")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"granularity": "fortnight"}, "granularity"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-13-45"}, "to"),
        ({"metric": "no spaces"}, "metric"),
    ],
)
def test_a_history_of_nonsense_is_refused(server, wrong, field):
    right = {"metric": "requests", "granularity": "day"}
    invalid(history(server, server.person(), **(right | wrong)), field)


def test_a_history_that_ends_before_it_begins_is_refused(server):
    span = around_now()
    answer = history(
        server, server.person(), metric="requests", granularity="day",
        **{"from": span["to"], "to": span["from"]},
    )  # fmt: skip
    problem(answer, 422, "validation_failed")


@pytest.mark.parametrize("granularity", ["hour", "day", "month"])
@pytest.mark.parametrize("to", ["0000-01-01", "0001-01", "1969-12-31T23"])
def test_a_history_before_there_was_time_is_refused(server, granularity, to):
    person = server.person()
    parameters = {"granularity": granularity, "to": to}
    invalid(server.get("/usage/history", person, params=parameters), "from")
    ok(server.get("/usage", person))
