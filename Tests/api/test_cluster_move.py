"""From one node on SQLite to several on PostgreSQL and Redis, by docs/operations.md, and back."""

from __future__ import annotations

import json
import shutil

import pytest

from backends import Postgres, Redis
from checks import eventually, ok
from gatehouse import Server
from test_totp import code, enrol


@pytest.fixture
def parts():
    found = Postgres(), Redis()
    yield found
    for part in found:
        part.close()


def shared(parts, keys):
    postgres, redis = parts
    return {
        "store_url": postgres.url(), "redis_url": redis.url(),
        "server_public_url": "http://127.0.0.1:8080", "auth_sealing_keys_file": str(keys),
    }  # fmt: skip


def ready(node):
    eventually(lambda: node.get("//readyz").status_code == 200, what="it to be ready")
    return node


def kids(server):
    return [key["kid"] for key in server.get("//.well-known/jwks.json").json()["keys"]]


def test_one_node_becomes_two_and_one_again(start, make, parts, tmp_path):
    first = start(server_public_url="http://127.0.0.1:8080")
    person = first.customer({"requests_per_month": 100})
    key = first.make_key(person)["key"]
    secret, _ = enrol(first, person)
    for _ in range(7):
        ok(first.post("/gate", key))
    signed = kids(first)
    # 3 and 4: killed, so that its last counts are in its counter file alone.
    first.kill()
    keys = shutil.copy(first.data_dir / "sealing-keys.json", tmp_path / "sealing-keys.json")
    settings = shared(parts, keys)
    there = ["--from", "sqlite:data/gatehouse.db", "--to", settings["store_url"]]
    copied = first.command("store", "copy", *there, "--json")
    assert copied.returncode == 0, copied.stderr
    assert {t["name"] for t in json.loads(copied.stdout)["tables"]} > {"users", "usage_counters"}
    # 5: the former data directory. Nobody has to sign in again.
    ready(first.restart(**settings))
    assert kids(first) == signed
    ok(first.get("/me", person))
    assert first.used(person) == 7
    ok(first.post("/gate", key))
    # 6
    second = ready(make(**settings).start())
    assert kids(second) == signed
    ok(second.get("/me", person))
    ok(second.post("/gate", key))
    assert first.used(person) == second.used(person) == 9
    login = {"email": person.email, "password": person.password, "otp": code(secret, 1)}
    ok(second.post("/auth/login", json=login))
    # 7
    for node in (first, second):
        ok(node.get("//readyz"))
        done = node.command("check", **node.settings)
        assert done.returncode == 0, done.stdout + done.stderr
    second.stop()
    # Back to one.
    first.restart(redis_url="")
    assert first.used(person) == 9
    ok(first.post("/gate", key))
    ok(first.post("/auth/refresh", json={"refresh_token": person.refresh_token}))


@pytest.mark.soak
def test_a_node_that_comes_back_after_a_kill_brings_what_it_had_counted(make, parts, tmp_path):
    """Redis is empty meanwhile, and PostgreSQL was away: its counter file alone has it."""
    postgres, redis = parts
    keys = tmp_path / "sealing-keys.json"
    first = make(limits_checkpoint_interval="1m", **shared(parts, keys))
    assert first.command("keys", "make-sealing-key", str(keys)).returncode == 0
    ready(first.start())
    second = ready(make(**shared(parts, keys)).start())
    person = first.customer({"requests_per_month": 100})
    key = first.make_key(person)["key"]
    for _ in range(30):
        ok(first.post("/gate", key))
    first.kill()
    redis.kill()
    redis.start()
    # It may still have counted something: the gate waits until it is known to be gone.
    eventually(
        lambda: second.post("/gate", key).status_code == 200, within=40, what="the gate to open"
    )
    ready(first.start())
    eventually(lambda: second.used(person) == 31, within=20, what="its counts to be known")
    assert first.used(person) == 31


def test_a_node_that_is_stopped_leaves_nothing_behind(make, parts, tmp_path):
    postgres, redis = parts
    keys = tmp_path / "sealing-keys.json"
    nodes = [make(limits_checkpoint_interval="1m", **shared(parts, keys)) for _ in range(2)]
    assert nodes[0].command("keys", "make-sealing-key", str(keys)).returncode == 0
    for node in nodes:
        ready(node.start())
    person = nodes[0].customer({"requests_per_month": 100})
    key = nodes[0].make_key(person)["key"]
    for _ in range(12):
        ok(nodes[0].post("/gate", key))
    nodes[0].stop()
    redis.kill()
    redis.start()
    eventually(
        lambda: nodes[1].post("/gate", key).status_code == 200, within=5,
        what="nobody to be waited for",
    )  # fmt: skip
    assert nodes[1].used(person) == 13
    (tmp_path / "other").mkdir()
    other = Server(tmp_path / "other", **nodes[1].settings)
    try:
        ready(other.start())
        assert other.used(person) == 13
    finally:
        other.close()
