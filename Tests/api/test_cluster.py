"""Three daemons on one PostgreSQL and one Redis: what holds whichever of them is asked."""

from __future__ import annotations

import itertools
import time
from collections import Counter

import pytest

from checks import eventually, ok, problem, together
from cluster import Cluster
from gatehouse import Server, new_email, run_command
from test_metrics import scrape, value

CLIENTS, LAST = 64, 1000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(
        tmp_path_factory.mktemp("cluster"), auth_refresh_grace="0s",
        jobs_expire_subscriptions="@every 1s",
    )  # fmt: skip
    yield made
    made.close()


# Limits


def test_of_64_clients_on_all_nodes_exactly_so_many_win_as_units_are_left(cluster):
    person = cluster[0].customer({"requests_per_month": 500 + LAST})
    key = cluster[0].make_key(person)["key"]
    ok(cluster[1].post("/gate", key, params={"cost": 500}))

    def race(_):
        asked = [cluster.through("POST", "/gate", key) for _ in range(20)]
        return [answer.status_code for answer in asked]

    statuses = Counter(itertools.chain(*together(CLIENTS, race)))
    assert statuses == {200: LAST, 429: 20 * CLIENTS - LAST}
    assert cluster.everywhere(lambda node: node.used(person)) == [500 + LAST] * 3
    eventually(lambda: cluster.folded(person.id) == 500 + LAST, what="PostgreSQL to have them all")
    for node in cluster.nodes:
        problem(node.post("/gate", key), 429, "quota_exceeded")


def test_nodes_that_grant_in_memory_what_they_were_lent_grant_all_of_it_and_no_more(cluster):
    person = cluster[0].customer({"requests_per_month": 6000, "requests_per_minute": 10**6})
    key = cluster[0].make_key(person)["key"]
    before = [granted_of_blocks(node) for node in cluster.nodes]

    def race(_):
        return Counter(cluster.through("POST", "/gate", key).status_code for _ in range(210))

    assert sum(together(32, race), Counter()) == {200: 6000, 429: 720}
    after = [granted_of_blocks(node) for node in cluster.nodes]
    assert all(is_now > was + 500 for was, is_now in zip(before, after)), (before, after)
    assert cluster.everywhere(lambda node: node.used(person)) == [6000] * 3
    eventually(lambda: cluster.folded(person.id) == 6000, what="PostgreSQL to have them all")


def granted_of_blocks(node):
    return value(scrape(node).text, "gatehouse_block_grants_total")


def test_a_rate_and_live_leases_are_one_on_all_nodes(cluster):
    person = cluster[0].customer(
        {"requests_per_minute": 1, "requests_burst": 9, "concurrent_jobs": 4}
    )
    key = cluster[0].make_key(person, scopes=["gate", "leases"])["key"]
    statuses = together(18, lambda n: cluster[n % 3].post("/gate", key).status_code)
    assert statuses.count(200) == 9
    body = {"resource": "jobs", "ttl_seconds": 60}
    leases = together(9, lambda n: cluster[n % 3].post("/leases", key, json=body))
    held = [ok(lease, 201) for lease in leases if lease.status_code == 201]
    assert len(held) == 4 and len({lease["fencing_token"] for lease in held}) == 4
    # Given back on another node than the one that gave it, and free on the third.
    for number, lease in enumerate(held):
        fencing = {"fencing_token": lease["fencing_token"]}
        ok(cluster[number % 3].delete(f"/leases/{lease['id']}", key, params=fencing), 204)
    assert all(cluster[n % 3].post("/leases", key, json=body).status_code == 201 for n in range(4))


def test_an_event_is_counted_once_whichever_nodes_it_was_sent_to(cluster):
    person = cluster[0].customer({"tokens_per_month": 10**6})
    events = [{"id": f"e{n}", "metric": "tokens", "value": 7} for n in range(100)]
    answers = together(6, lambda n: ok(cluster[n % 3].post("/usage/events", person, json=events)))
    fresh = [item for answer in answers for item in answer["items"] if not item["duplicate"]]
    assert len(fresh) == 100
    assert cluster.everywhere(lambda node: node.used(person, "tokens")) == [700] * 3


def test_a_keyed_call_that_is_repeated_on_another_node_is_answered_as_before(cluster):
    person = cluster[0].customer({})
    headers = {"Idempotency-Key": "the-same"}
    body = {"name": "kept", "data": 1}
    first = ok(cluster[0].post("/items", person, json=body, headers=headers), 201)
    again = cluster[1].post("/items", person, json=body, headers=headers)
    assert ok(again, 201) == first and again.headers["idempotent-replayed"] == "true"


# What was taken away on one node


def revoke_key(cluster, person, key):
    ok(cluster[0].delete(f"/api-keys/{key['id']}", person), 204)
    return lambda node: _use(node, key).status_code == 401


def sign_out(cluster, person, key):
    ok(cluster[0].post("/auth/logout", json={"refresh_token": person.refresh_token}), 204)
    return lambda node: node.get("/me", person).status_code == 401


def deactivate(cluster, person, key):
    admin = cluster[0].admin()
    ok(cluster[0].patch(f"/admin/users/{person.id}", admin, {"is_active": False}))
    return lambda node: {_use(node, key).status_code, node.get("/me", person).status_code} <= {
        401, 403,
    }  # fmt: skip


def change_password(cluster, person, key):
    other = cluster[0].again(person)
    for node in cluster.nodes:
        ok(node.get("/me", other))
    body = {"current_password": person.password, "new_password": person.password + "-next"}
    ok(cluster[0].post("/me/password", person, json=body), 204)
    return lambda node: node.get("/me", other).status_code == 401


def change_plan(cluster, person, key):
    plan = cluster[0].make_plan({"requests_per_month": 77})["slug"]
    ok(cluster[0].post("/subscribe", person, json={"plan": plan}))
    return lambda node: node.plan_of(person) == plan and _limit(node, key) in (77, None)


def change_limits(cluster, person, key):
    slug = cluster[0].plan_of(person)
    body = {"limits": {"requests_per_month": 55}}
    ok(cluster[0].patch(f"/admin/plans/{slug}", cluster[0].admin(), body))
    return lambda node: _limit(node, key) in (55, None)


def _use(node: Server, key: dict):
    """A call of the key's that counts nothing, and so needs no Redis."""
    asked = {"metric": "requests", "from": "2026-01-01", "to": "2026-01-02", "granularity": "day"}
    return node.get("/usage/history", key["key"], params=asked)


def _limit(node: Server, key: dict) -> int | None:
    """What the gate says is allowed a month; None where it says nothing for want of Redis."""
    answer = node.post("/gate", key["key"], params={"cost": 0})
    if answer.status_code == 503:
        return None
    [row] = ok(answer)["limits"]
    return row["allowed"]


TAKEN = [revoke_key, sign_out, deactivate, change_password, change_plan, change_limits]


@pytest.mark.parametrize("redis", ["there", "cut off"])
@pytest.mark.parametrize("take", TAKEN, ids=lambda take: take.__name__)
def test_what_one_node_was_told_holds_on_the_others_within_a_second(cluster, take, redis):
    person = cluster[0].customer({"requests_per_month": 100})
    key = cluster[0].make_key(person, scopes=["gate", "usage:read"])
    for node in cluster.nodes:  # it is in the memory of each
        ok(node.post("/gate", key["key"]))
        ok(_use(node, key))
        ok(node.get("/me", person))
    if redis == "cut off":
        for wire in cluster.wires:
            wire.cut()
    try:
        holds = take(cluster, person, key)
        assert holds(cluster[0]), "at once where it was told"
        cluster.soon_everywhere(holds, take.__name__)
    finally:
        for wire in cluster.wires:
            wire.mend()
    cluster.well()


# Signing in


def test_a_token_that_one_node_signs_is_good_on_the_others_while_keys_are_rotated(cluster):
    person = cluster[0].person()
    rotated = cluster[1].command("keys", "rotate", **cluster[1].settings)
    assert rotated.returncode == 0, rotated.stderr
    assert rotated.stdout == "A new key signs in 5s, when every node knows it.\n"
    published = lambda node: node.get("//.well-known/jwks.json").json()["keys"]  # noqa: E731
    cluster.soon_everywhere(lambda node: len(published(node)) == 2, "the new key")
    end = time.monotonic() + 6
    for number in itertools.count():
        tokens = ok(
            cluster[number % 3].post("/auth/refresh", json={"refresh_token": person.refresh_token})
        )
        person.tokens = tokens
        for node in cluster.nodes:
            ok(node.get("/me", person))
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    assert len({tuple(key["kid"] for key in published(node)) for node in cluster.nodes}) == 1
    kid, former = (key["kid"] for key in published(cluster[0]))
    wanted = {"action": "signing_key.rotated", "target": f"signing_key:{kid}"}
    [row] = ok(cluster[0].get("/admin/audit-logs", cluster[0].admin(), params=wanted))["items"]
    assert (row["actor"], row["meta"]["kid"]) == ("shell", {"from": former, "to": kid})


def test_a_refresh_token_that_was_used_on_one_node_is_known_as_used_on_another(cluster):
    person = cluster[0].person()

    def refresh(node, token):
        return node.post("/auth/refresh", json={"refresh_token": token})

    second = ok(refresh(cluster[0], person.refresh_token))
    ok(cluster[1].get("/me", second["access_token"]))
    third = ok(refresh(cluster[1], second["refresh_token"]))
    ok(cluster[0].get("/me", third["access_token"]))
    problem(refresh(cluster[2], person.refresh_token), 401, "refresh_token_reused")
    cluster.soon_everywhere(
        lambda node: node.get("/me", third["access_token"]).status_code == 401, "the reuse"
    )
    problem(
        refresh(cluster[0], third["refresh_token"]),
        401, ("invalid_refresh_token", "refresh_token_reused"),
    )  # fmt: skip


def test_fifty_refreshes_on_all_nodes_leave_one_live_session(cluster):
    person = cluster[0].person()
    body = {"refresh_token": person.refresh_token}
    answers = together(50, lambda n: cluster[n % 3].post("/auth/refresh", json=body).status_code)
    assert set(answers) <= {200, 401} and 200 in answers
    again = cluster[1].again(person)
    alive = ok(cluster[2].get("/me/sessions", again))["items"]
    assert len(alive) <= 2


def test_guesses_are_counted_on_all_nodes_together(tmp_path):
    """A network each, so that only the account's own bound is met."""
    made = Cluster(tmp_path, limits_auth_enabled="true")
    try:
        person = made[0].person()

        def guess(number):
            body = {"email": person.email, "password": "Canary-wrong"}
            headers = {"X-Forwarded-For": f"198.51.{number}.7"}
            return made[number % 3].post("/auth/login", json=body, headers=headers).status_code

        statuses = [guess(number) for number in range(21)]
        assert statuses.count(401) <= 12 and statuses[-6:] == [429] * 6, statuses
    finally:
        made.close()


# In the background


def test_each_mail_is_sent_once_whichever_node_was_asked(cluster):
    people = [cluster[0].person() for _ in range(5)]
    before = [sum(len(node.mailbox(p.email)) for node in cluster.nodes) for p in people]
    for number, person in enumerate(people * 2):
        asked = cluster[number % 3].post("/auth/forgot-password", json={"email": person.email})
        assert asked.status_code == 202

    def sent():
        return [sum(len(node.mailbox(p.email)) for node in cluster.nodes) for p in people]

    wanted = [count + 2 for count in before]
    eventually(lambda: sent() == wanted, what="two mails each")
    time.sleep(1)  # a second copy would come from a node that looks by itself
    assert sent() == wanted


def test_what_comes_again_by_itself_is_done_by_one_of_them(cluster):
    runs = "FROM jobs WHERE kind = 'expire_subscriptions'"
    begin = int(cluster.postgres.sql(f"SELECT count(*) {runs}")[0])
    eventually(
        lambda: int(cluster.postgres.sql(f"SELECT count(*) {runs}")[0]) >= begin + 3,
        what="three runs",
    )
    assert cluster.postgres.sql(f"SELECT run_at {runs} GROUP BY run_at HAVING count(*) > 1") == []


# Who may come in


def refused(tmp_path, cluster, **settings):
    done = run_command(
        "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), cwd=tmp_path,
        **(cluster[0].settings | settings),
    )  # fmt: skip
    assert done.stderr.count("\n") == 1, done.stderr
    return done


def test_a_node_with_another_sealing_key_is_refused_and_told_what_to_do(cluster, tmp_path):
    other = tmp_path / "other.json"
    make = "keys", "make-sealing-key", str(other), "--data-dir", str(tmp_path)
    made = run_command(*make, cwd=tmp_path)
    assert made.returncode == 0 and other.stat().st_mode & 0o777 == 0o600
    again = run_command(*make, cwd=tmp_path)
    assert again.returncode == 73 and "is there already" in again.stderr
    done = refused(tmp_path, cluster, auth_sealing_keys_file=str(other))
    assert done.returncode == 1
    assert f"{other} is not the sealing key of this store. Put the one of" in done.stderr


def test_a_node_without_a_sealing_key_makes_none(cluster, tmp_path):
    absent = tmp_path / "absent.json"
    done = refused(tmp_path, cluster, auth_sealing_keys_file=str(absent))
    assert done.returncode == 1 and f"There is no sealing key at {absent}." in done.stderr
    assert f"gatehouse keys make-sealing-key {absent}" in done.stderr
    assert not absent.exists()
    done = refused(tmp_path, cluster, auth_sealing_keys_file="")
    assert "data/sealing-keys.json" in done.stderr
    assert not (tmp_path / "data/sealing-keys.json").exists()


def test_a_new_customer_is_known_to_every_node_at_once(cluster):
    address = new_email()
    cluster[0].register(address, "Canary-everywhere")
    for node in cluster.nodes:
        node.login(address, "Canary-everywhere")
