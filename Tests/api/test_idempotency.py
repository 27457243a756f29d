"""Idempotency-Key: a call that creates something, made again, creates it once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from checks import invalid, media_type, ok, problem, together
from gatehouse import new_email, new_password


def keyed(server, path, who, body, key, **rest):
    return server.post(path, who, json=body, headers={"Idempotency-Key": key}, **rest)


def new_key():
    return str(uuid.uuid4())


def is_replay(answer):
    return answer.headers.get("idempotent-replayed") == "true"


def same(first, second):
    """The second is the first again, and says so."""
    assert not is_replay(first) and is_replay(second), (first.text, second.text)
    assert second.status_code == first.status_code
    assert second.content == first.content and media_type(second) == media_type(first)
    for name in ("location", "cache-control"):
        assert second.headers.get(name) == first.headers.get(name), name
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


@dataclass
class Creation:
    """A call that creates something, with a body of its own each time, and what counts it."""

    path: str
    status: int
    body: Callable[[Any], dict]
    count: Callable[[Any], int]
    who: str = "person"

    def __str__(self):
        return self.path


class World:
    """A customer, an admin, and how much of everything there is."""

    def __init__(self, server):
        self.server = server
        self.person, self.admin = server.customer({"concurrent_jobs": None}), server.admin()
        self.nobody = None
        self.plans = [server.make_plan({"concurrent_jobs": n})["slug"] for n in (998, 999)]
        self.key = server.make_key(self.person)

    def listed(self, path, who=None):
        return len(self.server.everything(path, who or self.person))

    def plan(self):
        """One that the customer is not on: to take the same one again changes nothing."""
        return next(slug for slug in self.plans if slug != self.server.plan_of(self.person))

    def taken(self):
        rows = self.server.everything("/admin/subscriptions", self.admin)
        return sum(row["user_id"] == self.person.id for row in rows)

    def rotated(self):
        """Rotations of the key so far."""
        rows = self.server.everything("/admin/audit-logs", self.admin)
        mine = f"api_key:{self.key['id']}"
        return sum(r["action"] == "api_key.rotated" and r["target"] == mine for r in rows)

    def in_use(self):
        rows = ok(self.server.get("/usage", self.person))["concurrency"]
        return next((row["in_use"] for row in rows if row["resource"] == "jobs"), 0)


CREATIONS = [
    Creation(
        "/auth/register", 201, lambda world: {"email": new_email(), "password": new_password()},
        lambda world: world.listed("/admin/users", world.admin), "nobody",
    ),
    Creation(
        "/api-keys", 201, lambda world: {"name": new_key(), "scopes": ["gate"]},
        lambda world: world.listed("/api-keys"),
    ),
    Creation("/api-keys/{key}/rotate", 200, lambda world: {}, World.rotated),
    Creation("/subscribe", 200, lambda world: {"plan": world.plan()}, World.taken),
    Creation(
        "/items", 201, lambda world: {"name": new_key(), "data": 1},
        lambda world: world.listed("/items"),
    ),
    Creation(
        "/reservations", 201, lambda world: {"metric": "a", "amount": 1, "ttl_seconds": 3600},
        lambda world: world.server.used(world.person, "a"),
    ),
    Creation(
        "/leases", 201, lambda world: {"resource": "jobs", "ttl_seconds": 3600}, World.in_use
    ),
    Creation(
        "/usage/events", 200, lambda world: {"id": new_key(), "metric": "b", "value": 1},
        lambda world: world.server.used(world.person, "b"),
    ),
    Creation(
        "/admin/plans", 201,
        lambda world: {"slug": f"p{uuid.uuid4().hex[:20]}", "name": "x", "limits": {}},
        lambda world: world.listed("/admin/plans", world.admin), "admin",
    ),
    Creation(
        "/admin/subscriptions", 201,
        lambda world: {"user_id": world.person.id, "plan": world.plan()}, World.taken, "admin",
    ),
]  # fmt: skip
every_creation = pytest.mark.parametrize("creation", CREATIONS, ids=str)


@pytest.fixture(scope="module")
def world(server):
    return World(server)


@pytest.fixture
def person(server):
    return server.customer({"requests_per_month": 10})


@pytest.fixture
def create(server, world):
    def create(creation, body, key):
        path = creation.path.format(key=world.key["id"])
        return keyed(server, path, getattr(world, creation.who), body, key)

    return create


# Each call


@every_creation
def test_the_same_call_again_has_the_same_answer_and_creates_nothing(create, world, creation):
    body, key, before = creation.body(world), new_key(), creation.count(world)
    first = create(creation, body, key)
    assert first.status_code == creation.status, first.text
    for _ in range(3):
        same(first, create(creation, body, key))
    assert creation.count(world) == before + 1


@every_creation
def test_of_50_at_once_with_one_key_one_creates(create, world, creation):
    body, key, before = creation.body(world), new_key(), creation.count(world)
    answers = together(50, lambda _: create(creation, body, key))
    [first] = [a for a in answers if a.is_success and not is_replay(a)]
    for answer in answers:
        if is_replay(answer):
            same(first, answer)
        elif answer is not first:
            problem(answer, 409, "idempotency_in_progress")
    assert creation.count(world) == before + 1
    same(first, create(creation, body, key))


@every_creation
def test_a_key_used_for_another_body_is_refused(create, world, creation):
    body, key = creation.body(world), new_key()
    assert create(creation, body, key).status_code == creation.status
    before = creation.count(world)
    other = creation.body(world) | {"surprise": 1}
    problem(create(creation, other, key), 422, "idempotency_mismatch")
    assert creation.count(world) == before
    assert is_replay(create(creation, body, key))


@every_creation
def test_another_key_and_none_at_all_create_again(create, server, world, creation):
    before = creation.count(world)
    for _ in range(2):
        answer = create(creation, creation.body(world), new_key())
        assert answer.status_code == creation.status and not is_replay(answer)
    path = creation.path.format(key=world.key["id"])
    answer = server.post(path, getattr(world, creation.who), json=creation.body(world))
    assert answer.status_code == creation.status and not is_replay(answer)
    assert creation.count(world) == before + 3


@every_creation
def test_a_call_that_failed_is_not_kept(create, world, creation):
    body, key = creation.body(world), new_key()
    failed = create(creation, body | {"surprise": 1}, key)
    problem(failed, 422, "validation_failed")
    made = create(creation, body, key)
    assert made.status_code == creation.status and not is_replay(made)


@every_creation
@pytest.mark.parametrize(
    "key", ["", "x" * 256, "two words", "tab\there", "é", "\x7f"],
    ids=["empty", "long", "words", "tab", "accent", "delete"],
)  # fmt: skip
def test_a_key_that_is_none_is_refused_and_nothing_created(create, world, creation, key):
    before = creation.count(world)
    answer = create(creation, creation.body(world), key.encode())
    if key == "\x7f" and answer.status_code == 400:
        return  # no header may have it: the connection may be refused before
    invalid(answer, "Idempotency-Key")
    assert creation.count(world) == before


def test_a_key_may_have_255_visible_characters(server, world):
    key = "".join(chr(0x21 + n % 94) for n in range(255))
    body = {"name": "x", "data": 1}
    same(*(keyed(server, "/items", world.person, body, key) for _ in range(2)))


def test_two_keys_in_one_call_are_refused(server, world):
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b"),
               ("Authorization", f"Bearer {world.person.access_token}")]  # fmt: skip
    answer = server.client.post("/api/v1/items", headers=headers, json={"name": "x"})
    invalid(answer, "Idempotency-Key")


def test_the_first_admin_is_made_once_and_the_answer_comes_again(start):
    server, key = start(), new_key()
    body = {"token": server.setup_token(), "email": new_email(), "password": new_password()}
    answers = together(8, lambda _: keyed(server, "/setup", None, body, key))
    [first] = [a for a in answers if a.status_code == 201 and not is_replay(a)]
    again = keyed(server, "/setup", None, body, key)
    same(first, again)
    ok(server.get("/admin/users", again.json()["access_token"]))
    assert len(server.everything("/admin/users", again.json()["access_token"])) == 1
    problem(keyed(server, "/setup", None, body | {"email": new_email()}, key), 422,
            "idempotency_mismatch")  # fmt: skip
    problem(keyed(server, "/setup", None, body, new_key()), 404, "not_found")


def test_a_registration_again_tells_nothing_of_a_taken_address(start):
    server = start(auth_require_verified_email="true")
    address, key = new_email(), new_key()
    for mails in (1, 2):  # the address is new, and then it is taken
        body = {"email": address, "password": new_password()}
        first, again = (keyed(server, "/auth/register", None, body, key) for _ in range(2))
        assert ok(first, 202) == {"status": "verification_sent"}
        same(first, again)
        server.wait_for_mail(address, mails)
        key = new_key()
    server.stop()
    assert len(server.mailbox(address)) == 2


# What is debited, and whose a key is


def test_a_replay_debits_nothing(server, person):
    body, key = {"name": "x", "data": 1}, new_key()
    answers = [keyed(server, "/items", person, body, key) for _ in range(20)]
    assert [answer.status_code for answer in answers] == [201] * 20
    assert server.used(person) == 1
    ok(server.get("/gate", person, params={"cost": 9}))
    same(answers[0], keyed(server, "/items", person, body, key))  # with nothing left, too
    problem(keyed(server, "/items", person, body, new_key()), 429, "quota_exceeded")


def test_of_50_at_once_one_is_debited(server, person):
    body, key = {"name": "x", "data": 1}, new_key()
    together(50, lambda _: keyed(server, "/items", person, body, key))
    assert server.used(person) == 1


def test_a_call_refused_by_the_quota_can_be_made_again_with_its_key(server, person):
    body, key = {"name": "x", "data": 1}, new_key()
    ok(server.get("/gate", person, params={"cost": 10}))
    for _ in range(2):
        problem(keyed(server, "/items", person, body, key), 429, "quota_exceeded")
    limits = {"limits": {"requests_per_month": 11}}
    ok(server.patch(f"/admin/plans/{server.plan_of(person)}", server.admin(), limits))
    first = keyed(server, "/items", person, body, key)
    ok(first, 201)
    same(first, keyed(server, "/items", person, body, key))


def test_two_users_may_use_the_same_key(server, world, person):
    body, key = {"name": "x", "data": 1}, new_key()
    answers = [keyed(server, "/items", who, body, key) for who in (world.person, person)]
    ids = {ok(answer, 201)["id"] for answer in answers}
    assert len(ids) == 2 and not any(is_replay(answer) for answer in answers)
    assert len(server.everything("/items", person)) == 1


def test_a_users_token_and_api_key_share_their_keys(server, person):
    body, key = {"name": "x", "data": 1}, new_key()
    other = server.make_key(person, ["items:write"])["key"]
    same(*(keyed(server, "/items", who, body, key) for who in (person, other)))


def test_a_replay_is_not_for_who_may_not_make_the_call(server, person):
    body, key = {"name": "x", "data": 1}, new_key()
    ok(keyed(server, "/items", person, body, key), 201)
    without = server.make_key(person, ["gate"])["key"]
    problem(keyed(server, "/items", without, body, key), 403, "insufficient_scope")
    problem(keyed(server, "/items", None, body, key), 401, "unauthorized")


@pytest.mark.parametrize("other", ["/leases", "/items?x=1"])
def test_a_key_used_for_another_call_is_refused(server, person, other):
    body, key = {"name": "x", "data": 1}, new_key()
    ok(keyed(server, "/items", person, body, key), 201)
    problem(keyed(server, other, person, body, key), 422, "idempotency_mismatch")


def test_calls_that_create_nothing_pay_no_heed_to_a_key(server, person):
    headers = {"Idempotency-Key": new_key()}
    for path in ("/me", "/usage", "/gate", "/gate"):
        assert not is_replay(server.get(path, person, headers=headers))
    assert server.used(person) == 2


# Restarts and secrets


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_answer_outlives_the_process(start, end):
    server = start()
    person, key = server.customer({"requests_per_month": 10}), new_key()
    calls = {"/items": {"name": "x", "data": 1}, "/api-keys": {"name": "x", "scopes": ["gate"]}}
    first = {path: keyed(server, path, person, body, key + path) for path, body in calls.items()}
    getattr(server, end)()
    server.start()
    for path, body in calls.items():
        same(first[path], keyed(server, path, person, body, key + path))
    assert (len(server.everything("/items", person)), server.used(person)) == (1, 2)


def test_the_answer_with_a_secret_comes_again_whole_and_is_stored_sealed(start):
    server = start()
    person, secrets = server.person(), []
    for path in ("/api-keys", "/api-keys/{id}/rotate"):
        key, body = new_key(), {} if secrets else {"name": "x", "scopes": ["gate"]}
        path = path.format(id=made["id"]) if secrets else path
        first, again = (keyed(server, path, person, body, key) for _ in range(2))
        same(first, again)
        assert again.headers["cache-control"] == "no-store"
        made = again.json()
        ok(server.get("/gate", made["key"]))
        secrets += [made["key"], made["key"].removeprefix(made["prefix"]), key]
    body = {"token": server.setup_token(), "email": new_email(), "password": new_password()}
    pair = keyed(server, "/setup", None, body, new_key()).json()
    secrets += [pair["access_token"], pair["refresh_token"], body["password"]]
    assert found(server, secrets) == []
    server.stop()
    assert found(server, secrets) == []


def found(server, secrets):
    """Those that can be read in the files of the data directory."""
    files = [path for path in server.data_dir.rglob("*") if path.is_file()]
    assert server.database() in files
    contents = [path.read_bytes() for path in files]
    return [s for s in secrets if any(s.encode() in content for content in contents)]
