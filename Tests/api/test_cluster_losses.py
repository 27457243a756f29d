"""What a lost part of a cluster loses: nothing that was acknowledged, and no limit.

Each test loses one part under load, and gets it back: a node, Redis, PostgreSQL. What was answered
with 200 is counted and what was made is there; refusals are plain and only while the part is away.
"""

from __future__ import annotations

import json
import random
import time

import pytest

from checks import eventually, ok, problem
from cluster import Cluster
from storm import Storm
from test_metrics import scrape, value

LARGE = 10**9
QUOTA = 2000  # reached while a part is away, or after it
GRACE = 15.0  # seconds in which a part that is back is found and everything goes on


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    # What nginx keeps open is told to go elsewhere before it is closed.
    made = Cluster(tmp_path_factory.mktemp("losses"), server_drain_delay="500ms")
    yield made
    made.close()


def customers(cluster):
    """Two with a key each: no limit in reach, and one that will be reached."""
    found = []
    for limit in (LARGE, QUOTA):
        person = cluster[0].customer({"requests_per_month": limit})
        scopes = ["gate", "items:read", "items:write", "usage:read"]
        found.append((person, cluster[0].make_key(person, scopes=scopes)["key"]))
    return found


def used_everywhere(cluster, person):
    """What each node says, once they all say the same."""
    return eventually(
        lambda: said[0] if len(set(said := [n.used(person) for n in cluster.nodes])) == 1 else None,
        within=GRACE, what="all nodes to say the same",
    )  # fmt: skip


def check(cluster, storm, plain, limited, killed=0):
    """After it all: every count and every item that was acknowledged is there, on each node.

    What killed nodes had asked Redis for, were lent of it or not, and neither noted nor answered,
    is in Redis alone: a block lasts a node a second, and is a 16th of what was left at most.
    """
    person, key = plain
    made = storm.items()
    answered = storm.count("gate", 200) + len(made)
    sent = storm.sent["gate"] + storm.sent["item"]
    assert answered <= used_everywhere(cluster, person) <= sent + killed * sent
    granted = storm.count("limited", 200)
    spent = used_everywhere(cluster, limited[0])
    assert granted <= spent <= min(QUOTA, storm.sent["limited"] + killed * QUOTA // 16)
    most = min(spent, storm.sent["limited"])
    for who, least, most in ((person, answered, sent), (limited[0], granted, most)):
        eventually(
            lambda who=who, least=least, most=most: least <= cluster.folded(who.id) <= most,
            within=GRACE, what=f"PostgreSQL to have {least} to {most}",
        )  # fmt: skip
    kept = {item["id"] for item in cluster[0].everything("/items", key)}  # which counts too
    assert made <= kept


def refused_only(storm, begin, end):
    for told in storm.refused():
        assert (told.status, told.code) in {(503, "unavailable"), (503, "overloaded")}, told
        assert begin <= told.at <= end, (told, begin, end)


def lose(cluster, event, back, away=0.5, killed=0):
    """One part goes under load, and comes back."""
    plain, limited = customers(cluster)
    with Storm(cluster, plain[1], limited[1]) as storm:
        storm.wait(100)
        begin = time.monotonic()
        event()
        time.sleep(away)
        back()
        cluster.well()
        storm.wait(100)
        end = time.monotonic()
        storm.wait(100)
    refused_only(storm, begin, end)
    check(cluster, storm, plain, limited, killed)
    return storm


def test_a_killed_node_loses_no_count_and_the_others_serve_on(cluster):
    storm = lose(cluster, cluster[1].kill, cluster[1].start, away=1.5, killed=1)
    assert len(storm.refused()) <= 12, "only what it had in its hands was refused"


def test_a_node_that_died_is_told_of_until_it_is_back(cluster):
    name = (cluster[1].data_dir / "node").read_text().strip()
    others = [cluster[0], cluster[2]]

    def dead():
        return [value(scrape(node).text, 'gatehouse_nodes{state="dead"}') for node in others]

    assert dead() == [0, 0]
    cluster[1].kill()
    try:
        eventually(lambda: dead() == [1, 1], within=30, what="both others to miss it")
        for node in others:
            assert [e["level"] for e in node.events() if e.get("node") == name] == ["warning"]
        # As if it had been for two minutes, which is past what clocks may be apart.
        cluster.postgres.sql(f"UPDATE nodes SET beat_at = beat_at - 120000 WHERE name = '{name}'")
        checked = cluster[0].command("check", "--json", **cluster[0].settings)
        [finding] = [f for f in json.loads(checked.stdout)["findings"] if "heard of" in f["what"]]
        assert checked.returncode == 1 and name in finding["what"]
        assert "Start it again with its data directory" in finding["remedy"]
    finally:
        cluster[1].start()
        cluster.well()
    eventually(lambda: dead() == [0, 0], what="both others to see it again")
    checked = cluster[0].command("check", **cluster[0].settings)
    assert (checked.returncode, checked.stdout) == (0, "Nothing to mend.\n")


def test_nodes_that_are_restarted_one_after_the_other_serve_all_the_time(cluster):
    """Nobody is refused, not even a POST, which nginx sends to no second node."""
    plain, limited = customers(cluster)
    with Storm(cluster, plain[1], limited[1], clients=24) as storm:
        for node in cluster.nodes:
            storm.wait(50)
            node.restart()
        storm.wait(50)
    assert storm.refused() == []
    check(cluster, storm, plain, limited)


def test_redis_comes_back_empty_and_every_count_and_limit_is_as_before(cluster):
    lose(cluster, cluster.redis.end, cluster.redis.start)


@pytest.mark.soak
def test_a_killed_redis_is_no_different(cluster):
    lose(cluster, cluster.redis.kill, cluster.redis.start)


def test_redis_is_wiped_while_it_runs(cluster):
    lose(cluster, lambda: cluster.redis.ask("FLUSHALL"), lambda: None)


def test_postgresql_is_restarted(cluster):
    lose(cluster, cluster.postgres.stop, cluster.postgres.start)


@pytest.mark.soak
def test_postgresql_is_killed(cluster):
    lose(cluster, cluster.postgres.kill, cluster.postgres.start)


def test_without_redis_what_needs_it_is_closed_and_says_when_to_come_again(cluster):
    (person, key), _ = customers(cluster)
    ok(cluster[0].post("/gate", key))
    for wire in cluster.wires:
        wire.cut()
    try:
        cluster.away("redis")
        for node in cluster.nodes:
            refused = node.post("/gate", key)
            problem(refused, 503, "unavailable")
            assert int(refused.headers["retry-after"]) >= 1
            ok(node.get("//healthz"))
            ok(node.get("/me", person))
    finally:
        for wire in cluster.wires:
            wire.mend()
    cluster.well()
    for node in cluster.nodes:
        ok(node.post("/gate", key))
    assert used_everywhere(cluster, person) == 1 + len(cluster.nodes)


def test_one_node_without_redis_is_out_and_the_others_go_on(cluster):
    (person, key), _ = customers(cluster)
    cluster.wires[0].cut()
    try:
        eventually(
            lambda: "redis" in cluster[0].get("//readyz").text.lower(), what="it to be missed"
        )
        problem(cluster[0].post("/gate", key), 503, "unavailable")
        for node in cluster.nodes[1:]:
            ok(node.post("/gate", key))
    finally:
        cluster.wires[0].mend()
    cluster.well()
    assert used_everywhere(cluster, person) == len(cluster.nodes) - 1


def test_without_postgresql_nobody_is_let_in_on_what_may_be_revoked_by_now(cluster):
    (person, key), _ = customers(cluster)
    for node in cluster.nodes:
        ok(node.post("/gate", key))
    cluster.postgres.stop()
    try:
        cluster.away("store")
        time.sleep(1)  # the contract's second
        for node in cluster.nodes:
            login = {"email": person.email, "password": person.password}
            for refused in (node.post("/gate", key), node.post("/auth/login", json=login)):
                problem(refused, 503, "unavailable")
                assert int(refused.headers["retry-after"]) >= 1
            ok(node.get("//healthz"))
    finally:
        cluster.postgres.start()
    cluster.well()
    for node in cluster.nodes:
        ok(node.post("/gate", key))
    assert used_everywhere(cluster, person) == 2 * len(cluster.nodes)


@pytest.mark.soak
def test_forty_losses_of_every_part_lose_nothing(cluster):
    """In any order, under one load."""
    plain, limited = customers(cluster)
    node = random.randrange(len(cluster.nodes))
    losses = [
        (lambda: cluster[node].kill(), lambda: cluster[node].start()),
        (cluster.redis.end, cluster.redis.start),
        (cluster.redis.kill, cluster.redis.start),
        (lambda: cluster.redis.ask("FLUSHALL"), lambda: None),
        (cluster.postgres.stop, cluster.postgres.start),
        (cluster.postgres.kill, cluster.postgres.start),
        (lambda: [wire.cut() for wire in cluster.wires],
         lambda: [wire.mend() for wire in cluster.wires]),
    ]  # fmt: skip
    killed = 0
    with Storm(cluster, plain[1], limited[1]) as storm:
        for _ in range(40):
            node = random.randrange(len(cluster.nodes))
            storm.wait(random.randint(20, 300))
            event, back = random.choice(losses)
            killed += (event, back) == losses[0]
            event()
            time.sleep(random.uniform(0, 3))
            back()
            cluster.well()
    refused_only(storm, 0, time.monotonic())
    check(cluster, storm, plain, limited, killed)
