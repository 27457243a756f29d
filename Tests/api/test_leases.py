"""Leases: how many may run at one time, and who holds which."""

from __future__ import annotations

import pytest

from checks import TIME, UUID_V7, eventually, invalid, ok, problem, together

LEASE = {"id", "resource", "fencing_token", "expires_at", "in_use", "limit"}


def take(server, who, resource="jobs", ttl=600):
    body = {"resource": resource, "ttl_seconds": ttl}
    return server.post("/leases", who, json=body)


def taken(server, who, resource="jobs", ttl=600):
    return ok(take(server, who, resource, ttl), 201)


def renew(server, who, lease, ttl=600, **other):
    body = {"fencing_token": lease["fencing_token"], "ttl_seconds": ttl} | other
    return server.request("PUT", f"/leases/{lease['id']}", who, json=body)


def release(server, who, lease, token=None):
    body = {"fencing_token": lease["fencing_token"] if token is None else token}
    return server.delete(f"/leases/{lease['id']}", who, json=body)


def in_use(server, who, resource="jobs"):
    rows = ok(server.get("/usage", who))["concurrency"]
    return next((row["in_use"] for row in rows if row["resource"] == resource), 0)


@pytest.fixture
def person(server):
    return server.customer({"concurrent_jobs": 3})


@pytest.fixture(scope="module")
def idle(server):
    """Somebody with nothing running, for requests that are refused."""
    return server.customer({"concurrent_jobs": 3})


@pytest.fixture
def lease(server, idle):
    """One of theirs while the test runs."""
    lease = taken(server, idle)
    yield lease
    ok(release(server, idle, lease), 204)


# Taking


def test_a_lease_is_counted_while_it_lives(server, person):
    for count in (1, 2, 3):
        told = taken(server, person)
        assert told.keys() == LEASE
        assert UUID_V7.fullmatch(told["id"]) and TIME.fullmatch(told["expires_at"])
        assert (told["resource"], told["in_use"], told["limit"]) == ("jobs", count, 3)
        assert isinstance(told["fencing_token"], int) and told["fencing_token"] > 0
    row = {"resource": "jobs", "in_use": 3, "limit": 3}
    assert ok(server.get("/usage", person))["concurrency"] == [row]


def test_past_the_limit_the_answer_names_it_and_when_one_ends(server, person):
    lease = taken(server, person, ttl=60)
    for _ in range(2):
        taken(server, person)
    answer = take(server, person)
    told = problem(answer, 429, "concurrency_exceeded")
    assert (told["limit"], told["allowed"], told["used"]) == ("concurrent_jobs", 3, 3)
    assert told["resets_at"] == lease["expires_at"]
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert in_use(server, person) == 3


def test_a_limit_of_none_lets_nobody_run(server):
    person = server.customer({"concurrent_jobs": 0})
    told = problem(take(server, person), 429, "concurrency_exceeded")
    assert (told["limit"], told["allowed"], told["used"]) == ("concurrent_jobs", 0, 0)


def test_a_resource_without_a_limit_is_shown_without_one(server, person):
    told = taken(server, person, "builds")
    assert (told["in_use"], told["limit"]) == (1, None)
    rows = ok(server.get("/usage", person))["concurrency"]
    assert {"resource": "builds", "in_use": 1, "limit": None} in rows


def test_one_customers_leases_are_not_anothers(server, person):
    for _ in range(3):
        taken(server, person)
    taken(server, server.customer({"concurrent_jobs": 1}))
    problem(take(server, person), 429, "concurrency_exceeded")


def test_keys_and_tokens_of_one_user_share_the_limit(server, person):
    keys = [server.make_key(person, ["leases"])["key"] for _ in range(2)]
    for who in (person, *keys):
        taken(server, who)
    for who in (person, *keys):
        problem(take(server, who), 429, "concurrency_exceeded")


def test_of_64_who_race_for_3_leases_3_win(server, person):
    answers = together(64, lambda _: take(server, person))
    won = [ok(answer, 201) for answer in answers if answer.status_code == 201]
    assert len(won) == 3
    assert len({lease["fencing_token"] for lease in won}) == 3
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 429, "concurrency_exceeded")
    assert in_use(server, person) == 3


def test_fencing_tokens_grow_strictly_whoever_takes_them(server, person):
    stranger = server.customer({})
    tokens = []
    for who in (person, stranger, person):
        lease = taken(server, who)
        tokens.append(lease["fencing_token"])
        ok(release(server, who, lease), 204)
    assert tokens == sorted(set(tokens))
    many = together(32, lambda _: taken(server, stranger)["fencing_token"])
    assert len(set(many)) == 32 and min(many) > tokens[-1]
    assert taken(server, person)["fencing_token"] > max(many)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_leases_and_their_tokens_outlive_the_process(start, end):
    server = start()
    person = server.customer({"concurrent_jobs": 2})
    held, gone = taken(server, person), taken(server, person)
    ok(release(server, person, gone), 204)
    getattr(server, end)()
    server.start()
    assert in_use(server, person) == 1
    later = taken(server, person)
    assert later["fencing_token"] > gone["fencing_token"] > held["fencing_token"]
    problem(take(server, person), 429, "concurrency_exceeded")
    assert ok(renew(server, person, held))["in_use"] == 2
    problem(release(server, person, gone), 409, "lease_lost")
    ok(release(server, person, held), 204)
    taken(server, person)


def test_a_smaller_plan_takes_no_lease_away_and_gives_none(server, person):
    leases = [taken(server, person) for _ in range(3)]
    limits = {"limits": {"concurrent_jobs": 2}}
    ok(server.patch(f"/admin/plans/{server.plan_of(person)}", server.admin(), limits))
    told = ok(renew(server, person, leases[0]))
    assert (told["in_use"], told["limit"]) == (3, 2)
    for lease in leases[:2]:
        problem(take(server, person), 429, "concurrency_exceeded")
        ok(release(server, person, lease), 204)
    assert taken(server, person)["in_use"] == 2


@pytest.mark.soak
def test_a_thousand_live_at_one_time_and_no_more(start):
    server = start()
    person = server.customer({})
    leases = [taken(server, person, ttl=3600) for _ in range(1000)]
    problem(take(server, person), 409, "conflict")
    server.restart()
    problem(take(server, person), 409, "conflict")
    ok(release(server, person, leases[500]), 204)
    assert taken(server, person)["in_use"] == 1000


# Renewing


def test_a_renewed_lease_lives_longer_with_the_same_token(server, person):
    lease = taken(server, person, ttl=60)
    told = ok(renew(server, person, lease, ttl=3600))
    assert told.keys() == LEASE and told["expires_at"] > lease["expires_at"]
    same = LEASE - {"expires_at"}
    assert {name: told[name] for name in same} == {name: lease[name] for name in same}


def test_a_renewal_moves_the_end_in_either_direction(server, person):
    longer, sooner = taken(server, person, ttl=1), taken(server, person)
    ok(renew(server, person, longer))
    assert ok(renew(server, person, sooner, ttl=1))["expires_at"] < sooner["expires_at"]
    eventually(lambda: in_use(server, person) == 1, what="the end of the lease cut short")
    ok(renew(server, person, longer))
    problem(renew(server, person, sooner), 409, "lease_lost")


# Giving back


def test_a_released_lease_makes_room_for_the_next(server, person):
    leases = [taken(server, person) for _ in range(3)]
    problem(take(server, person), 429, "concurrency_exceeded")
    ok(release(server, person, leases[1]), 204)
    assert taken(server, person)["in_use"] == 3


def test_the_token_of_a_release_may_stand_in_the_query(server, person):
    lease = taken(server, person)
    query = {"fencing_token": lease["fencing_token"]}
    ok(server.delete(f"/leases/{lease['id']}", person, params=query), 204)
    assert in_use(server, person) == 0


def test_a_lease_ends_by_itself(server, person):
    leases = [taken(server, person, ttl=1) for _ in range(3)]
    eventually(lambda: in_use(server, person) == 0, what="the end of three leases")
    for lease in leases:
        problem(renew(server, person, lease), 409, "lease_lost")
        problem(release(server, person, lease), 409, "lease_lost")
    assert taken(server, person)["in_use"] == 1


def test_who_has_released_a_lease_has_lost_it(server, person):
    lease = taken(server, person)
    ok(release(server, person, lease), 204)
    problem(release(server, person, lease), 409, "lease_lost")
    problem(renew(server, person, lease), 409, "lease_lost")
    assert in_use(server, person) == 0


@pytest.mark.parametrize("off", [-1, 1, 2**40])
def test_another_token_neither_renews_nor_releases(server, person, off):
    lease = taken(server, person)
    wrong = lease["fencing_token"] + off
    problem(renew(server, person, lease, fencing_token=wrong), 409, "lease_lost")
    problem(release(server, person, lease, wrong), 409, "lease_lost")
    query = {"fencing_token": wrong}
    problem(server.delete(f"/leases/{lease['id']}", person, params=query), 409, "lease_lost")
    assert in_use(server, person) == 1
    ok(renew(server, person, lease))


def test_anothers_lease_is_lost_to_me_and_stays(server, person):
    stranger, lease = server.customer({}), taken(server, person)
    problem(renew(server, stranger, lease), 409, "lease_lost")
    problem(release(server, stranger, lease), 409, "lease_lost")
    assert in_use(server, person) == 1


@pytest.mark.parametrize("odd", ["none", "0", "%00", "01890000-0000-7000-8000-000000000000"])
def test_a_lease_that_never_was_is_lost(server, idle, odd):
    lease = {"id": odd, "fencing_token": 1}
    problem(renew(server, idle, lease), 409, "lease_lost")
    problem(release(server, idle, lease), 409, "lease_lost")


def test_of_50_releases_at_once_one_gives_back(server, person):
    lease, _ = taken(server, person), taken(server, person)
    answers = together(50, lambda _: release(server, person, lease))
    assert sorted(answer.status_code for answer in answers) == [204] + [409] * 49
    assert in_use(server, person) == 1


def test_of_a_renewal_and_a_release_at_once_nothing_is_left_over(server, person):
    for _ in range(20):
        lease = taken(server, person)
        calls = [lambda: renew(server, person, lease), lambda: release(server, person, lease)]
        renewed, released = together(2, lambda n: calls[n]())
        assert renewed.status_code in (200, 409)
        ok(released, 204)
        assert in_use(server, person) == 0


# Bad input


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        *[({"resource": name}, "resource") for name in ("", "no spaces", "UP", "x" * 41, 7, None)],
        *[({"ttl_seconds": n}, "ttl_seconds") for n in (0, -1, 3601, 1.5, "1", None, 2**63)],
        ({"surprise": 1}, "surprise"),
    ],
    ids=repr,
)
def test_a_wrong_field_of_a_lease_is_named(server, idle, wrong, field):
    body = {"resource": "jobs", "ttl_seconds": 60} | wrong
    invalid(server.post("/leases", idle, json=body), field)
    assert in_use(server, idle) == 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        *[({"fencing_token": n}, "fencing_token") for n in (-1, 1.5, "1", True, None, 2**63)],
        *[({"ttl_seconds": n}, "ttl_seconds") for n in (0, -1, 3601, 1.5, "1", None, 2**63)],
        ({"surprise": 1}, "surprise"),
    ],
    ids=repr,
)
def test_a_wrong_field_of_a_renewal_is_named(server, idle, lease, wrong, field):
    invalid(renew(server, idle, lease, **wrong), field)
    assert in_use(server, idle) == 1


@pytest.mark.parametrize("token", [-1, 1.5, "1", True, [], 2**63], ids=repr)
def test_a_release_with_a_token_that_is_none_is_refused(server, idle, lease, token):
    invalid(release(server, idle, lease, token), "fencing_token")
    assert in_use(server, idle) == 1


def test_a_release_without_a_token_is_refused(server, idle, lease):
    path = f"/leases/{lease['id']}"
    invalid(server.delete(path, idle), "fencing_token")
    invalid(server.delete(path, idle, json={}), "fencing_token")
    invalid(server.delete(path, idle, params={"fencing_token": "x"}), "fencing_token")
    invalid(server.delete(path, idle, json={"fencing_token": 1, "more": 1}), "more")
    assert in_use(server, idle) == 1
