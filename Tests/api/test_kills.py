"""kill -9: no count is lost and none is made up, whenever it comes."""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
import uuid
from dataclasses import dataclass

import pytest

from checks import JSON, ok
from gatehouse import Credential
from load import Load, request_bytes

LARGE = 2**50
SCOPES = ["gate", "items:read", "items:write", "usage:write", "reservations", "leases"]


# What is counted


@dataclass
class Line:
    """One client's calls: what each is, and what it counts."""

    who: Credential
    cost: int
    metric: str = "requests"
    path: str = "/gate"
    body: dict | None = None

    def requests(self, server):
        method = "GET" if self.body is None else "POST"
        return itertools.repeat(request_bytes(server, method, self.path, self.who, self.body))


@dataclass
class Account:
    """Something that has a count: a customer, or a key with a limit of its own."""

    who: Credential
    metric: str
    lines: list[Line]
    is_key: bool = False

    def used(self, server):
        if not self.is_key:
            return server.used(self.who, self.metric)
        query = {"metric": self.metric, "cost": 0}
        [row] = ok(server.get("/gate", self.who, params=query))["limits"]
        return row["used"]


def accounts_of(server):
    """Customers with and without limits, keys with and without limits of their own."""
    first = server.customer({"requests_per_month": LARGE, "requests_per_day": LARGE})
    second = server.customer({"tokens_per_month": LARGE})
    third = server.customer({})
    own = {"requests_per_month": LARGE, "tokens_per_month": LARGE}
    plain = server.make_key(first, SCOPES)["key"]
    narrow, other = (server.make_key(who, SCOPES, limits=own)["key"] for who in (second, third))
    item = {"name": "x", "data": 1}
    lines = [
        [Line(first, 1), Line(plain, 3, path="/gate?cost=3")],
        [Line(narrow, 1), Line(second, 1_000_000, path="/gate?cost=1000000")],
        [Line(narrow, 7, "tokens", "/gate?metric=tokens&cost=7")],
        [Line(other, 1, path="/items", body=item), Line(third, 1)],
        [Line(third, 5, "pages", "/gate?metric=pages&cost=5")],
    ]
    return [
        Account(first, "requests", lines[0]),
        Account(second, "requests", lines[1]),
        Account(narrow, "requests", lines[1][:1], is_key=True),
        Account(second, "tokens", lines[2]),
        Account(narrow, "tokens", lines[2], is_key=True),
        Account(third, "requests", lines[3]),
        Account(other, "requests", lines[3][:1], is_key=True),
        Account(third, "pages", lines[4]),
    ], [line for group in lines for line in group]


def kill_again_and_again(server, kills, most):
    """Each time after some answers, up to `most`; each time all that was answered is counted."""
    accounts, lines = accounts_of(server)
    before = [account.used(server) for account in accounts]
    for kill in range(kills):
        load = Load(server, [line.requests(server) for line in lines])
        load.until(random.randint(len(lines), most), server.kill)
        server.start()
        clients = {id(line): client for line, client in zip(lines, load.clients)}
        after = [account.used(server) for account in accounts]
        for account, was, now in zip(accounts, before, after):
            least, highest = was, was
            for line in account.lines:
                client = clients[id(line)]
                least += line.cost * client.answered
                highest += line.cost * client.sent
            told = f"kill {kill}: {account.metric} of {account.who}"
            assert least <= now <= highest, f"{told}: {least} <= {now} <= {highest}"
        before = after
    history_agrees(server, accounts)


def history_agrees(server, accounts):
    """The store has the counts that the report shows."""
    for account in (account for account in accounts if not account.is_key):
        query = {"metric": account.metric, "granularity": "month"}
        points = ok(server.get("/usage/history", account.who, params=query))["items"]
        assert points[-1]["value"] == account.used(server)


@pytest.mark.parametrize("interval", ["10ms", "100ms", "1m"])  # "1m": never folded in the test
def test_five_kills_under_load_lose_no_count_and_make_none_up(start, interval):
    kill_again_and_again(start(limits_checkpoint_interval=interval), 5, most=1000)


@pytest.mark.soak
@pytest.mark.parametrize("interval", ["10ms", "1s"])
def test_a_hundred_kills_under_load_lose_no_count_and_make_none_up(start, interval):
    kill_again_and_again(start(limits_checkpoint_interval=interval), 100, most=20_000)


@pytest.mark.parametrize("interval", ["10ms", "1s"])
def test_a_count_made_before_the_first_checkpoint_survives_a_kill(start, interval):
    server = start(limits_checkpoint_interval=interval)
    person, limits = server.customer({"requests_per_month": 100}), {"requests_per_month": 50}
    key = server.make_key(person, limits=limits)["key"]
    for count in range(1, 6):
        ok(server.get("/gate", key))
        server.kill()
        server.start()
        assert server.used(person) == count
        [row] = ok(server.get("/gate", key, params={"cost": 0}))["limits"]
        assert row["used"] == count


def test_a_kill_hands_out_no_fresh_quota(start):
    server = start()
    person = server.customer({"requests_per_month": 20})
    granted = 0
    for _ in range(4):
        for _ in range(6):
            granted += server.get("/gate", person).status_code == 200
        server.kill()
        server.start()
    assert (granted, server.used(person)) == (20, 20)


# What is written


def test_a_kill_during_writes_loses_no_acknowledged_item(start):
    server = start()
    person = server.customer({"requests_per_month": LARGE})
    request = request_bytes(server, "POST", "/items", person, {"name": "kept", "data": {"n": 1}})
    load = Load(server, [itertools.repeat(request) for _ in range(8)])
    load.until(400, server.kill)
    server.start()
    used = server.used(person)
    kept = {item["id"]: item for item in server.everything("/items", person)}
    made = [json.loads(body) for client in load.clients for _, body in client.answers]
    assert [item for item in made if kept.get(item["id"]) != item] == []
    assert len(made) <= len(kept) <= used <= sum(client.sent for client in load.clients)


def kill_at_checkpoints(server, kills, most):
    """Writes large enough that the log is copied into the file all the time, and killed there."""
    body = {"name": "kept", "data": "x" * 12_000}  # three pages: 330 of them are a checkpoint
    answered: set[str] = set()
    for _ in range(kills):
        person = server.customer({"requests_per_month": LARGE})
        request = request_bytes(server, "POST", "/items", person, body)
        load = Load(server, [itertools.repeat(request) for _ in range(8)])
        load.until(random.randint(300, most), server.kill)
        told = [json.loads(text) for client in load.clients for _, text in client.answers]
        new = {item["id"] for item in told}
        answered |= new
        store = sqlite3.connect(server.database())  # as the kill left it, its log included
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []
        kept = {row[0] for row in store.execute("SELECT id FROM items")}
        assert answered <= kept
        store.close()
        server.start()
        assert new <= {item["id"] for item in server.everything("/items", person)}
    assert server.database().stat().st_size > 4 * 2**20, "nothing was ever checkpointed"


def test_a_kill_in_a_checkpoint_damages_nothing_and_loses_no_acknowledged_item(start):
    kill_at_checkpoints(start(), kills=4, most=1200)


@pytest.mark.soak
def test_a_hundred_kills_in_checkpoints_damage_nothing(start):
    for _ in range(10):  # stores: each kill looks through all that its store has
        kill_at_checkpoints(start(), kills=10, most=4000)


def test_a_keyed_call_repeated_after_a_kill_creates_once(start):
    server = start()
    person = server.customer({})
    keys = [[uuid.uuid4().hex for _ in range(100)] for _ in range(4)]
    bodies = {key: {"name": key, "data": 1} for each in keys for key in each}

    def request(key):
        plain = request_bytes(server, "POST", "/items", person, bodies[key])
        return plain.replace(b"\r\n", b"\r\nIdempotency-Key: %s\r\n" % key.encode(), 1)

    load = Load(server, [(request(key) for key in each) for each in keys])
    load.until(100, server.kill)
    server.start()
    told = {}
    for key, body in bodies.items():
        headers = {"Idempotency-Key": key, "Content-Type": JSON}  # and the body byte for byte
        content = json.dumps(body)
        answer = server.request("POST", "/items", person, headers=headers, content=content)
        told[key] = ok(answer, 201)
    for client, each in zip(load.clients, keys):
        answered = [json.loads(body) for _, body in client.answers]
        assert answered == [told[key] for key in each[: len(answered)]]
    assert sorted(item["name"] for item in server.everything("/items", person)) == sorted(bodies)


# Events and reservations


def send_events(server, person, answers):
    """Events until the kill; then what was sent: ids, each counting 3, and which were answered."""
    ids = [[f"e{uuid.uuid4()}" for _ in range(answers)] for _ in range(4)]

    def body(id):
        return {"id": id, "metric": "tokens", "value": 3}

    load = Load(
        server,
        [
            (request_bytes(server, "POST", "/usage/events", person, body(id)) for id in each)
            for each in ids
        ],
    )
    load.until(random.randint(4, answers), server.kill)
    sent = [id for client, each in zip(load.clients, ids) for id in each[: client.sent]]
    answered = {json.loads(body)["id"] for client in load.clients for _, body in client.answers}
    return [body(id) for id in sent], answered


def count_events_once(server, kills, answers):
    """All that was sent, sent again after each kill: each is counted exactly once."""
    person, total = server.customer({"tokens_per_month": 10}), 0
    for _ in range(kills):
        sent, answered = send_events(server, person, answers)
        server.start()
        used = server.used(person, "tokens")
        assert total + 3 * len(answered) <= used <= total + 3 * len(sent)
        again = []
        for first in range(0, len(sent), 1000):
            answer = server.post("/usage/events", person, json=sent[first : first + 1000])
            again += ok(answer)["items"]
        known = {item["id"] for item in again if item["duplicate"]}
        assert answered <= known and used == total + 3 * len(known)
        total += 3 * len(sent)
        assert server.used(person, "tokens") == total
        server.restart()
        assert server.used(person, "tokens") == total


def test_an_event_is_counted_once_whatever_was_killed_meanwhile(start):
    count_events_once(start(), kills=3, answers=300)


@pytest.mark.soak
def test_an_event_is_counted_once_through_a_hundred_kills(start):
    count_events_once(start(), kills=100, answers=2000)


def settle_reservations(server, kills, most):
    """Commits until the kill; each that was held is held, each that was committed is counted."""
    person, total = server.customer({"tokens_per_month": LARGE}), 0
    body = {"metric": "tokens", "amount": 5, "ttl_seconds": 3600}
    for _ in range(kills):
        ids = [
            ok(server.post("/reservations", person, json=body), 201)["id"] for _ in range(most)
        ]
        requests = {
            id: request_bytes(server, "POST", f"/reservations/{id}/commit", person, {"amount": 2})
            for id in ids
        }
        parts = [ids[n::4] for n in range(4)]
        load = Load(server, [(requests[id] for id in part) for part in parts])
        load.until(random.randint(4, most - 4), server.kill)
        server.start()
        done = sum(client.answered for client in load.clients)
        sent = sum(client.sent for client in load.clients)
        used = server.used(person, "tokens")  # 5 for one that is held, 2 for one that is not
        assert total + 5 * most - 3 * sent <= used <= total + 5 * most - 3 * done
        for id in ids:
            ok(server.post(f"/reservations/{id}/commit", person, json={"amount": 2}))
        total += 2 * most
        assert server.used(person, "tokens") == total
        server.restart()
        assert server.used(person, "tokens") == total


def test_a_commit_is_counted_once_whatever_was_killed_meanwhile(start):
    settle_reservations(start(), kills=2, most=100)


@pytest.mark.soak
def test_a_commit_is_counted_once_through_thirty_kills(start):
    settle_reservations(start(), kills=30, most=900)


def test_no_fencing_token_is_given_twice_across_kills(start):
    server = start()
    person = server.customer({})
    body = {"resource": "jobs", "ttl_seconds": 1}
    tokens = []
    for _ in range(3):
        request = request_bytes(server, "POST", "/leases", person, body)
        load = Load(server, [itertools.repeat(request, 60) for _ in range(4)])
        load.until(random.randint(4, 200), server.kill)
        server.start()
        given = [json.loads(body) for client in load.clients for _, body in client.answers]
        newest = [lease["fencing_token"] for lease in given]
        assert len(set(newest)) == len(newest) and min(newest) > max(tokens, default=0)
        tokens += newest
