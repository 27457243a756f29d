"""kill -9 while the daemon starts: whenever it comes, the next start finds or makes all of it."""

from __future__ import annotations

import itertools
import json
import stat

import pytest

from checks import ok
from load import Load, request_bytes
from supervisor import killed_start

# Calls that make something or make it last. Each thread counts its own.
CALLS = ["mkdir", "openat", "pwrite64", "ftruncate", "fdatasync", "fsync", "rename", "unlink"]
STEPS = {"openat": 12, "pwrite64": 9}  # they come by the dozen: every so manyth
SAMPLE = [("fsync", 1), ("rename", 1), ("rename", 2), ("ftruncate", 1), ("pwrite64", 5)]


def is_whole(server):
    """An installation as a first start leaves it, and it works."""
    assert {plan["slug"] for plan in ok(server.get("/plans"))["items"]} == {"free", "pro"}
    keys = json.loads((server.data_dir / "signing-keys.json").read_text())["keys"]
    assert len(keys) == 1
    person = server.person()
    ok(server.get("/gate", person))
    assert server.used(person) == 1
    ok(server.get("/admin/users", server.admin()))
    verdict = ok(server.get("/admin/audit-logs/verify", server.admin()))
    assert "false" not in json.dumps(verdict)
    modes = {path: path.stat().st_mode for path in server.data_dir.rglob("*") if path.is_file()}
    assert [path for path, mode in modes.items() if stat.S_IMODE(mode) & 0o077] == []
    assert list(server.data_dir.rglob("*.new")) == []


def killed_first_starts(make, points):
    """For each point a new data directory, a start killed there, and one that must be whole."""
    kills = 0
    for call, count in points:
        server = make()
        kills += not killed_start(server, call, count)
        server.start()
        is_whole(server)
        server.stop()
    return kills


def every_point(call):
    """This call's first, second, … until a start makes no more of them."""
    return itertools.count(1, STEPS.get(call, 1))


def test_a_first_start_that_is_killed_leaves_nothing_half(make):
    assert killed_first_starts(make, SAMPLE) == len(SAMPLE)


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
def test_a_first_start_that_is_killed_at_any_call_leaves_nothing_half(make, call):
    for count in every_point(call):
        if killed_first_starts(make, [(call, count)]) == 0:
            break
    assert count > 1 or call in ("unlink", "mkdir")


def killed_recoveries(server, points):
    """Counts that no checkpoint saved outlive a kill, and further ones of the start after it."""
    person = server.customer({})
    request = request_bytes(server, "GET", "/gate", person)
    counted, kills = 0, 0
    for call, count in points:
        load = Load(server, [itertools.repeat(request) for _ in range(2)])
        load.until(200, server.kill)
        answered = sum(client.answered for client in load.clients)
        sent = sum(client.sent for client in load.clients)
        kills += not killed_start(server, call, count)
        server.start()
        used = server.used(person)
        assert counted + answered <= used <= counted + sent, (call, count)
        counted = used
    return kills


RECOVERY = [("fdatasync", 1), ("pwrite64", 2), ("ftruncate", 1), ("openat", 60)]


def test_a_start_that_is_killed_while_it_recovers_counts_loses_none(make):
    server = make(limits_checkpoint_interval="1m")
    server.start()
    assert killed_recoveries(server, RECOVERY) >= 2


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
def test_a_start_that_is_killed_at_any_call_while_it_recovers_counts_loses_none(make, call):
    server = make(limits_checkpoint_interval="1m")
    server.start()
    for count in every_point(call):
        if killed_recoveries(server, [(call, count)]) == 0:
            break
