"""Usage events: what a customer's own service reports, counted exactly once by its id."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta, timezone

import pytest

from checks import JSON, LIMIT_FIELDS, ok, problem, together
from gatehouse import BASE

MEBI = 1 << 20
LARGEST = 2**53
NOBODY = "01890000-0000-7000-8000-000000000000"


def event(metric="tokens", value=1, **rest):
    return {"id": f"e-{uuid.uuid4()}", "metric": metric, "value": value} | rest


def send(server, who, events):
    return server.post("/usage/events", who, json=events)


def at(**ago):
    moment = datetime.now(timezone.utc) - timedelta(**ago)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(scope="module")
def idle(server):
    """Somebody with no use of anything, for requests that are refused."""
    return server.customer({"tokens_per_month": 100})


def duplicates(answer):
    return [item["duplicate"] for item in ok(answer)["items"]]


def refused(response, *fields):
    """422 with exactly one entry for each of these fields, as they are named in full."""
    body = problem(response, 422, "validation_failed")
    assert sorted(error["field"] for error in body["errors"]) == sorted(fields), body


def row(server, who, metric="tokens"):
    [found] = [m for m in ok(server.get("/usage", who))["metrics"] if m["metric"] == metric]
    return found


def key_used(server, key, metric="tokens"):
    """What a key with a limit of its own has used of it."""
    answer = server.get("/gate", key, params={"metric": metric, "cost": 0})
    return ok(answer)["limits"][0]["used"]


# One and many


def test_an_event_is_counted_and_answered_by_its_id(server):
    person, one = server.customer({"tokens_per_month": 100}), event(value=7)
    assert ok(send(server, person, one)) == {"id": one["id"], "duplicate": False}
    told = row(server, person)
    assert (told["used"], told["remaining"], told["overage"]) == (7, 93, 0)


def test_the_count_of_an_event_is_the_same_after_a_restart(start):
    server = start()
    person = server.customer({"tokens_per_month": 100})
    ok(send(server, person, event(value=7)))
    before = server.used(person, "tokens")
    server.restart()
    assert [before, server.used(person, "tokens")] == [7, 7]


def test_a_repeated_event_is_a_duplicate_and_not_counted(server):
    person, one = server.customer({}), event(value=7)
    for duplicate in (False, True, True):
        assert ok(send(server, person, one)) == {"id": one["id"], "duplicate": duplicate}
    assert ok(send(server, person, one | {"value": 9, "metric": "pages"}))["duplicate"] is True
    assert (server.used(person, "tokens"), server.used(person, "pages")) == (7, 0)


def test_a_list_of_events_is_answered_in_its_order(server):
    person = server.customer({})
    events = [event("tokens", 1), event("pages", 20), event("tokens", 300)]
    told = ok(send(server, person, events))
    assert told == {"items": [{"id": one["id"], "duplicate": False} for one in events]}
    assert (server.used(person, "tokens"), server.used(person, "pages")) == (301, 20)


def test_a_list_of_one_is_answered_as_a_list(server):
    person, one = server.customer({}), event()
    assert ok(send(server, person, [one])) == {"items": [{"id": one["id"], "duplicate": False}]}


def test_an_event_twice_in_one_list_is_counted_once(server):
    person, one = server.customer({}), event(value=5)
    assert duplicates(send(server, person, [one, event(value=1), one])) == [False, False, True]
    assert server.used(person, "tokens") == 6


def test_a_list_that_has_come_in_part_counts_only_what_is_new(server):
    person, events = server.customer({}), [event(value=n) for n in (1, 2, 4)]
    ok(send(server, person, events[:2]))
    assert duplicates(send(server, person, events)) == [True, True, False]
    assert server.used(person, "tokens") == 7


def test_a_list_with_one_wrong_event_counts_none(server):
    person, events = server.customer({}), [event(), event(), event(value=-1)]
    refused(send(server, person, events), "[2].value")
    assert server.used(person, "tokens") == 0
    events[2]["value"] = 1
    assert duplicates(send(server, person, events)) == [False] * 3


def test_an_id_is_one_users_own(server):
    first, second, one = server.customer({}), server.customer({}), event(value=3)
    for person in (first, second):
        assert ok(send(server, person, one))["duplicate"] is False
        assert server.used(person, "tokens") == 3


def test_of_50_who_repeat_one_event_at_once_one_is_counted(server):
    person, one = server.customer({}), event(value=3)
    answers = together(50, lambda _: ok(send(server, person, one)))
    assert sorted(answer["duplicate"] for answer in answers) == [False] + [True] * 49
    assert server.used(person, "tokens") == 3


def test_of_50_overlapping_lists_at_once_each_event_is_counted_once(server):
    person, events = server.customer({}), [event(value=2**n) for n in range(20)]
    lists = [events[n % 20 :] + events[: n % 20] for n in range(50)]
    answers = together(50, lambda n: duplicates(send(server, person, lists[n])))
    assert sum(answer.count(False) for answer in answers) == 20
    assert server.used(person, "tokens") == 2**20 - 1


def test_a_thousand_events_with_every_field_are_taken(server):
    person, now = server.customer({}), at()
    events = [event(value=n, user_id=person.id, key_id=None, at=now) for n in range(1000)]
    assert duplicates(send(server, person, events)) == [False] * 1000
    assert duplicates(send(server, person, events)) == [True] * 1000
    assert row(server, person)["used"] == sum(range(1000))


# Limits


def test_what_is_past_the_limit_is_kept_and_reported_as_overage(server):
    person = server.customer({"tokens_per_month": 10, "tokens_per_day": 100})
    ok(send(server, person, event(value=25)))
    rows = {m["period"]: m for m in ok(server.get("/usage", person))["metrics"]}
    month, day = rows["month"], rows["day"]
    assert (month["used"], month["remaining"], month["overage"]) == (25, 0, 15)
    assert (day["used"], day["remaining"], day["overage"]) == (25, 75, 0)
    told = problem(
        server.get("/gate", person, params={"metric": "tokens"}), 429, "quota_exceeded"
    )
    assert {name: told[name] for name in LIMIT_FIELDS} == {
        "limit": "tokens_per_month", "allowed": 10, "used": 25, "resets_at": month["resets_at"],
    }  # fmt: skip


def test_a_quota_of_nothing_takes_events_too(server):
    person = server.customer({"tokens_per_month": 0})
    ok(send(server, person, event(value=2)))
    assert row(server, person)["overage"] == 2


def test_no_sum_passes_the_largest_integer_that_is_sent(start):
    server = start()
    person = server.customer({"tokens_per_month": 5})
    events = [event(value=LARGEST) for _ in range(1000)]
    assert duplicates(send(server, person, events)) == [False] * 1000
    for _ in range(2):
        assert row(server, person)["used"] == LARGEST
        server.restart()
    ok(send(server, person, event("pages")))
    assert server.used(person, "pages") == 1


@pytest.mark.parametrize("value", [0, 1, LARGEST])
def test_a_value_may_be_from_nothing_to_the_largest_integer(server, value):
    person = server.customer({})
    ok(send(server, person, event(value=value)))
    assert server.used(person, "tokens") == value


# When


def history(server, who, when, granularity="hour"):
    period = {"hour": when[:13], "day": when[:10], "month": when[:7]}[granularity]
    query = {"metric": "tokens", "granularity": granularity, "from": period, "to": period}
    answer = ok(server.get("/usage/history", who, params=query))
    return sum(point["value"] for point in answer["items"])


@pytest.mark.parametrize("granularity", ["hour", "day", "month"])
def test_an_event_of_the_past_is_counted_when_it_was(server, granularity):
    person, then = server.customer({"tokens_per_hour": 10}), at(days=31, hours=20)
    ok(send(server, person, event(value=9, at=then)))
    assert history(server, person, then, granularity) == 9
    told = row(server, person)
    assert (told["period"], told["used"]) == ("hour", 0)


def test_an_event_of_now_is_counted_in_every_period(server):
    person, now = server.customer({"tokens_per_hour": 10}), at()
    ok(send(server, person, event(value=4, at=now)))
    told = [history(server, person, now, each) for each in ("hour", "day", "month")]
    assert told == [4, 4, 4]


@pytest.mark.parametrize(
    "when",
    [at(days=32, minutes=1), at(days=-1), at(days=4000), "yesterday", "2026-11-25", "", 7, True,
     "0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z", {}],
    ids=repr,
)  # fmt: skip
def test_a_time_outside_of_32_days_or_none_at_all_is_refused(server, idle, when):
    refused(send(server, idle, event(at=when)), "at")
    refused(send(server, idle, [event(), event(at=when)]), "[1].at")
    assert server.used(idle, "tokens") == 0


# Whose


def test_an_event_by_key_counts_for_the_key_and_its_owner(server):
    person = server.customer({"tokens_per_month": 100})
    narrow = server.make_key(person, limits={"tokens_per_month": 10})
    plain = server.make_key(person)
    ok(send(server, person, event(value=4, key_id=narrow["id"])))
    ok(send(server, person, event(value=5, key_id=plain["id"])))
    ok(send(server, person, event(value=7, user_id=person.id)))
    assert (server.used(person, "tokens"), key_used(server, narrow["key"])) == (16, 4)
    ok(send(server, person, event(value=6, key_id=narrow["id"])))
    params = {"metric": "tokens"}
    problem(server.get("/gate", narrow["key"], params=params), 429, "quota_exceeded")
    ok(server.get("/gate", plain["key"], params=params))


def test_an_admin_reports_for_others(server):
    person, admin = server.customer({}), server.admin()
    key = server.make_key(person, limits={"tokens_per_month": 10})
    events = [event(value=1, user_id=person.id), event(value=2, key_id=key["id"])]
    assert duplicates(send(server, admin, events)) == [False, False]
    assert duplicates(send(server, admin, events)) == [True, True]
    assert (server.used(person, "tokens"), key_used(server, key["key"])) == (3, 2)
    assert server.used(admin, "tokens") == 0


def test_an_id_is_the_counted_users_whoever_reports_it(server):
    person, one = server.customer({}), event()
    assert ok(send(server, person, one))["duplicate"] is False
    assert ok(send(server, server.admin(), one | {"user_id": person.id}))["duplicate"] is True
    assert server.used(person, "tokens") == 1


def test_nobody_else_reports_for_others_nor_learns_of_them(server):
    person, stranger = server.customer({}), server.customer({})
    key = server.make_key(stranger)["id"]
    for who in (person, server.with_role("support")):
        for field, theirs in (("user_id", stranger.id), ("key_id", key)):
            lists = [[event(), event(**{field: id})] for id in (theirs, NOBODY)]
            answers = [send(server, who, events) for events in lists]
            for answer in answers:
                refused(answer, f"[1].{field}")
            told = [answer.json()["errors"] for answer in answers]
            assert told[0] == told[1]
    assert server.used(stranger, "tokens") == server.used(person, "tokens") == 0


@pytest.mark.parametrize("field", ["user_id", "key_id"])
def test_an_owner_that_is_not_there_is_named_to_an_admin(server, field):
    refused(send(server, server.admin(), event(**{field: NOBODY})), field)


def test_a_deleted_users_events_are_refused(server):
    gone = server.person()
    body = {"current_password": gone.password}
    ok(server.delete("/me", gone, json=body), 204)
    refused(send(server, server.admin(), event(user_id=gone.id)), "user_id")


def test_an_event_of_a_user_and_a_key_is_refused(server):
    person = server.customer({})
    key = server.make_key(person)["id"]
    refused(send(server, person, event(user_id=person.id, key_id=key)), "key_id")


def test_a_key_reports_with_the_scope_for_it(server):
    person = server.customer({})
    key = server.make_key(person, ["usage:write"])["key"]
    assert ok(send(server, key, event(value=3)))["duplicate"] is False
    assert server.used(person, "tokens") == 3


# Bad input


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        *[({"id": id}, "id") for id in ("", "x" * 129, 7, None, [], "a\nb")],
        *[({"metric": metric}, "metric") for metric in ("", "no spaces", "UP", "x" * 41, 7, None)],
        *[({"value": n}, "value") for n in (-1, 1.5, "1", True, None, LARGEST + 1, 2**63, 1e300)],
        *[({"user_id": id}, "user_id") for id in (7, "me", [])],
        *[({"key_id": id}, "key_id") for id in (7, "mine", {})],
        ({"surprise": 1}, "surprise"),
    ],
    ids=repr,
)
def test_a_wrong_field_of_an_event_is_named(server, idle, wrong, field):
    refused(send(server, idle, event() | wrong), field)
    events = [event() for _ in range(3)] + [event() | wrong]
    refused(send(server, idle, events), f"[3].{field}")
    assert server.used(idle, "tokens") == 0


def test_an_id_of_128_characters_is_one(server):
    one = event(id="é" * 128, value=0)
    assert ok(send(server, server.admin(), one))["id"] == one["id"]


def test_all_that_is_wrong_in_a_list_is_told_at_once(server, idle):
    events = [{"metric": "a"}, event(), {"id": "x", "metric": 7, "value": 1}, 7]
    fields = ["[0].id", "[0].value", "[2].metric", "[3]"]
    refused(send(server, idle, events), *fields)


def test_a_customer_has_so_many_metrics_and_no_more(server):
    person = server.customer({})
    assert ok(send(server, person, [event(f"m{n}") for n in range(64)]))["items"]
    refused(send(server, person, [event("m1"), event("m64")]), "[1].metric")
    ok(send(server, person, event("m63")))
    rows = ok(server.get("/usage", person))["metrics"]
    assert len(rows) == 64


@pytest.mark.parametrize("count", [0, 1001])
def test_a_list_of_too_many_or_none_is_refused(server, idle, count):
    answer = send(server, idle, [event() for _ in range(count)])
    problem(answer, 422, "validation_failed")
    assert server.used(idle, "tokens") == 0


@pytest.mark.parametrize(("size", "status"), [(MEBI, 200), (MEBI + 1, 413)])
def test_a_body_may_have_a_mebibyte(server, size, status):
    person = server.customer({})
    body = json.dumps([event(value=n) for n in range(100)]).encode().ljust(size)
    answer = server.client.post(
        f"{BASE}/usage/events", content=body,
        headers={"Content-Type": JSON, "Authorization": f"Bearer {person.access_token}"},
    )  # fmt: skip
    if status == 413:
        problem(answer, 413, "payload_too_large")
    assert answer.status_code == status
    assert server.used(person, "tokens") == (sum(range(100)) if status == 200 else 0)
