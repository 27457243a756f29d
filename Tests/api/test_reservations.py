"""Reservations: units set aside for work whose cost is not known yet."""

from __future__ import annotations

import pytest

from checks import TIME, UUID_V7, eventually, invalid, ok, problem, together

RESERVATION = {"id", "metric", "amount", "state", "committed", "created_at", "expires_at"}


def reserve(server, who, amount, ttl=600, metric="tokens"):
    body = {"metric": metric, "amount": amount, "ttl_seconds": ttl}
    return server.post("/reservations", who, json=body)


def reserved(server, who, amount, ttl=600, metric="tokens"):
    return ok(reserve(server, who, amount, ttl, metric), 201)["id"]


def commit(server, who, id, amount):
    return server.post(f"/reservations/{id}/commit", who, json={"amount": amount})


def release(server, who, id):
    return server.delete(f"/reservations/{id}", who)


def remaining(server, who, metric="tokens"):
    rows = ok(server.get("/usage", who))["metrics"]
    return next(row["remaining"] for row in rows if row["metric"] == metric)


def spend(server, who, cost):
    return server.get("/gate", who, params={"metric": "tokens", "cost": cost})


@pytest.fixture
def person(server):
    return server.customer({"tokens_per_month": 100})


@pytest.fixture(scope="module")
def idle(server):
    """Somebody with no use of anything, for requests that are refused."""
    return server.customer({"tokens_per_month": 100})


# Reserving


def test_a_reservation_is_taken_off_the_quota_at_once(server, person):
    answer = reserve(server, person, 30)
    told = ok(answer, 201)
    assert told.keys() == RESERVATION and UUID_V7.fullmatch(told["id"])
    assert (told["metric"], told["amount"]) == ("tokens", 30)
    assert (told["state"], told["committed"]) == ("held", None)
    assert TIME.fullmatch(told["created_at"]) and TIME.fullmatch(told["expires_at"])
    assert told["created_at"] < told["expires_at"]
    assert answer.headers["ratelimit"] and answer.headers["ratelimit-policy"]
    assert remaining(server, person) == 70
    assert ok(spend(server, person, 0))["limits"][0]["remaining"] == 70
    problem(spend(server, person, 71), 429, "quota_exceeded")
    ok(spend(server, person, 70))


def test_no_more_is_reserved_than_what_is_left(server, person):
    reserved(server, person, 60)
    told = problem(reserve(server, person, 41), 429, "quota_exceeded")
    assert (told["limit"], told["allowed"], told["used"]) == ("tokens_per_month", 100, 60)
    assert remaining(server, person) == 40
    reserved(server, person, 40)


def test_one_refused_for_another_quota_holds_nothing(server):
    person = server.customer({"tokens_per_month": 100, "tokens_per_hour": 5})
    told = problem(reserve(server, person, 6), 429, "quota_exceeded")
    assert told["limit"] == "tokens_per_hour"
    assert ok(server.get("/usage", person))["metrics"][0]["remaining"] == 100


def test_who_waits_for_a_reservation_is_told_when_it_ends(server, person):
    reserved(server, person, 100, ttl=60)
    answer = spend(server, person, 1)
    problem(answer, 429, "quota_exceeded")
    assert 1 <= int(answer.headers["retry-after"]) <= 61


def test_of_64_who_reserve_the_last_unit_one_wins(server, person):
    ok(spend(server, person, 99))
    answers = together(64, lambda _: reserve(server, person, 1))
    assert sum(answer.status_code == 201 for answer in answers) == 1
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 429, "quota_exceeded")
    assert remaining(server, person) == 0


def test_reservations_and_requests_share_the_last_units(server, person):
    ok(spend(server, person, 90))
    calls = [lambda: reserve(server, person, 1), lambda: spend(server, person, 1)]
    answers = together(64, lambda n: calls[n % 2]())
    assert sum(answer.is_success for answer in answers) == 10
    assert remaining(server, person) == 0


def test_a_key_with_a_limit_of_its_own_reserves_within_it(server, person):
    scopes = ["reservations", "gate"]
    key = server.make_key(person, scopes, limits={"tokens_per_month": 10})["key"]
    id = reserved(server, key, 8)
    problem(reserve(server, key, 3), 429, "quota_exceeded")
    problem(spend(server, key, 3), 429, "quota_exceeded")
    assert remaining(server, person) == 92
    ok(commit(server, key, id, 5))
    assert (spend(server, key, 5).status_code, spend(server, key, 1).status_code) == (200, 429)
    assert remaining(server, person) == 90


def test_an_unlimited_metric_can_be_reserved(server):
    person = server.customer({})
    ok(commit(server, person, reserved(server, person, 5), 3))
    assert server.used(person, "tokens") == 3


def test_a_smaller_plan_leaves_what_is_held(server, person):
    id = reserved(server, person, 60)
    limits = {"limits": {"tokens_per_month": 50}}
    ok(server.patch(f"/admin/plans/{server.plan_of(person)}", server.admin(), limits))
    assert remaining(server, person) == 0
    problem(reserve(server, person, 1), 429, "quota_exceeded")
    ok(commit(server, person, id, 45))
    assert remaining(server, person) == 5


@pytest.mark.soak
def test_a_thousand_live_at_one_time_and_no_more(start):
    server = start()
    person = server.customer({})
    ids = [reserved(server, person, 1, ttl=3600) for _ in range(1000)]
    problem(reserve(server, person, 1), 409, "conflict")
    server.restart()
    problem(reserve(server, person, 1), 409, "conflict")
    ok(commit(server, person, ids[500], 1))
    reserved(server, person, 1)
    assert server.used(person, "tokens") == 1001


def test_without_a_plan_nothing_is_reserved(start):
    server = start()
    ok(server.patch("/admin/plans/free", server.admin(), {"is_default": False}))
    problem(reserve(server, server.person(), 1), 402, "subscription_required")


# Committing


@pytest.mark.parametrize("amount", [0, 1, 29, 30])
def test_a_commit_counts_what_was_used_and_gives_the_rest_back(server, person, amount):
    made = ok(reserve(server, person, 30), 201)
    told = ok(commit(server, person, made["id"], amount))
    assert told == made | {"state": "committed", "committed": amount}
    assert remaining(server, person) == 100 - amount
    assert server.used(person, "tokens") == amount


def test_a_commit_of_more_takes_what_remains_and_no_more(server, person):
    id = reserved(server, person, 30)
    ok(spend(server, person, 50))
    problem(commit(server, person, id, 51), 429, "quota_exceeded")
    assert remaining(server, person) == 20  # it is still held
    assert ok(commit(server, person, id, 50))["committed"] == 50
    assert remaining(server, person) == 0


def test_the_same_commit_again_has_the_same_answer(server, person):
    id = reserved(server, person, 30)
    first = ok(commit(server, person, id, 20))
    assert [ok(commit(server, person, id, 20)) for _ in range(3)] == [first] * 3
    assert server.used(person, "tokens") == 20


@pytest.mark.parametrize("other", [0, 19, 21])
def test_a_commit_of_another_amount_is_refused(server, person, other):
    id = reserved(server, person, 30)
    ok(commit(server, person, id, 20))
    problem(commit(server, person, id, other), 409, "reservation_lost")
    assert server.used(person, "tokens") == 20


def test_of_50_commits_at_once_one_is_counted(server, person):
    id = reserved(server, person, 30)
    answers = together(50, lambda _: commit(server, person, id, 20))
    told = [ok(answer) for answer in answers if answer.status_code == 200]
    assert told and all(one == told[0] for one in told)
    for answer in answers:
        if answer.status_code != 200:
            problem(answer, 409, "reservation_lost")
    assert server.used(person, "tokens") == 20
    assert ok(commit(server, person, id, 20)) == told[0]


def test_the_same_commit_made_twice_at_once_is_never_told_that_it_is_lost(server, person):
    ids = [reserved(server, person, 1) for _ in range(40)]
    answers = together(80, lambda n: commit(server, person, ids[n % 40], 1))
    assert [answer.status_code for answer in answers] == [200] * 80
    assert server.used(person, "tokens") == 40


def test_of_50_commits_of_different_amounts_one_is_counted(server, person):
    id = reserved(server, person, 50)
    answers = together(50, lambda n: commit(server, person, id, n + 1))
    [told] = [ok(answer) for answer in answers if answer.status_code == 200]
    assert server.used(person, "tokens") == told["committed"]
    assert remaining(server, person) == 100 - told["committed"]


def test_of_a_commit_and_a_release_at_once_one_wins(server, person):
    ids = [reserved(server, person, 1) for _ in range(50)]
    calls = [lambda id: commit(server, person, id, 1), lambda id: release(server, person, id)]
    answers = together(100, lambda n: calls[n % 2](ids[n // 2]))
    committed = sum(answer.status_code == 200 for answer in answers)
    released = sum(answer.status_code == 204 for answer in answers)
    assert committed + released == 50
    assert server.used(person, "tokens") == committed
    assert remaining(server, person) == 100 - committed


# Giving back


def test_a_release_gives_all_back(server, person):
    id = reserved(server, person, 30)
    ok(release(server, person, id), 204)
    assert remaining(server, person) == 100
    problem(commit(server, person, id, 1), 409, "reservation_lost")
    assert remaining(server, person) == 100


def test_a_release_again_gives_nothing_more_back(server, person):
    id = reserved(server, person, 30)
    ok(spend(server, person, 10))
    ok(release(server, person, id), 204)
    again = release(server, person, id)
    assert again.status_code == 204 or problem(again, 409, "reservation_lost")
    assert remaining(server, person) == 90


def test_a_committed_one_cannot_be_released(server, person):
    id = reserved(server, person, 30)
    ok(commit(server, person, id, 30))
    problem(release(server, person, id), 409, "reservation_lost")
    assert server.used(person, "tokens") == 30


def test_past_its_time_it_gives_itself_back(server, person):
    id = reserved(server, person, 100, ttl=1)
    problem(spend(server, person, 1), 429, "quota_exceeded")
    eventually(lambda: remaining(server, person) == 100, what="the end of the reservation")
    ok(spend(server, person, 1))
    problem(commit(server, person, id, 1), 409, "reservation_lost")
    problem(release(server, person, id), 409, "reservation_lost")
    assert server.used(person, "tokens") == 1


@pytest.mark.parametrize("odd", ["none", "0", "%00", "01890000-0000-7000-8000-000000000000"])
def test_one_that_never_was_is_not_found(server, idle, odd):
    problem(commit(server, idle, odd, 1), 404, "not_found")
    problem(release(server, idle, odd), 404, "not_found")


def test_anothers_is_not_found_and_stays(server, person):
    stranger, id = server.customer({}), reserved(server, person, 30)
    problem(commit(server, stranger, id, 1), 404, "not_found")
    problem(release(server, stranger, id), 404, "not_found")
    assert (remaining(server, person), server.used(stranger, "tokens")) == (70, 0)
    ok(commit(server, person, id, 30))


# Restarts


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_is_held_and_what_was_committed_outlives_the_process(start, end):
    server = start()
    person = server.customer({"tokens_per_month": 100})
    held, done, gone = (reserved(server, person, amount) for amount in (10, 20, 30))
    first = ok(commit(server, person, done, 15))
    ok(release(server, person, gone), 204)
    getattr(server, end)()
    server.start()
    assert remaining(server, person) == 75
    assert ok(commit(server, person, done, 15)) == first
    problem(commit(server, person, gone, 1), 409, "reservation_lost")
    assert ok(commit(server, person, held, 4))["committed"] == 4
    getattr(server, end)()
    server.start()
    assert remaining(server, person) == 81
    ok(commit(server, person, held, 4))
    assert server.used(person, "tokens") == 19


# Bad input


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        *[({"metric": metric}, "metric") for metric in ("", "no spaces", "UP", "x" * 41, 7, None)],
        *[({"amount": n}, "amount") for n in (-1, 1.5, "1", True, None, 2**53 + 1, 2**63)],
        *[({"ttl_seconds": n}, "ttl_seconds") for n in (0, -1, 3601, 1.5, "1", None, 2**63)],
        ({"surprise": 1}, "surprise"),
    ],
    ids=repr,
)
def test_a_wrong_field_of_a_reservation_is_named(server, idle, wrong, field):
    body = {"metric": "tokens", "amount": 1, "ttl_seconds": 60} | wrong
    invalid(server.post("/reservations", idle, json=body), field)
    assert remaining(server, idle) == 100


def test_a_reservation_lasts_from_a_second_to_an_hour(server, person):
    for ttl in (1, 3600):
        reserved(server, person, 1, ttl)


@pytest.mark.parametrize(
    "body", [{"amount": n} for n in (-1, 1.5, "1", True, None, [], 2**53 + 1, 2**63)] + [{}],
    ids=repr,
)  # fmt: skip
def test_a_commit_of_no_amount_is_refused_and_costs_nothing(server, idle, body):
    id = reserved(server, idle, 30)
    invalid(server.post(f"/reservations/{id}/commit", idle, json=body), "amount")
    assert remaining(server, idle) == 70
    ok(release(server, idle, id), 204)


def test_a_reservation_of_more_than_the_quota_ever_allows_is_refused(server, idle):
    problem(reserve(server, idle, 2**53), 429, "quota_exceeded")
    assert remaining(server, idle) == 100


def test_no_sum_of_reservations_overflows(server):
    person = server.customer({"pages_per_month": None})
    ids = [reserved(server, person, 2**53, metric="pages") for _ in range(3)]
    used = server.used(person, "pages")
    assert used <= 2**53, "an integer over 2^53 is never sent"
    for id in ids:
        ok(commit(server, person, id, 2**53))
    assert server.used(person, "pages") == 2**53
