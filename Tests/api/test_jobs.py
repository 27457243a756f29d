"""Background jobs: what an admin sees and does, schedules, and kill -9 in the midst of the work."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
import uuid

import pytest

from checks import TIME, UUID_V7, eventually, invalid, ok, problem
from gatehouse import Server

JOB = {
    "id", "kind", "state", "attempts", "attempts_max", "run_at", "last_error", "created_at",
    "finished_at",
}  # fmt: skip
SCHEDULE = {"name", "spec", "next_at", "last_at", "last_state"}
SPECS = {
    "back_up": "0 3 * * *", "clean_up": "@every 5m", "drill": "30 4 * * *",
    "expire_subscriptions": "@every 1m", "roll_up_usage": "30 3 * * *",
    "rotate_signing_key": "@every 1h",
}  # fmt: skip
NEVER = {f"jobs_{kind}": "" for kind in SPECS if kind != "back_up"} | {"backup_at": ""}
DAY = 86_400_000


def now() -> int:
    return int(time.time() * 1000)


def new_id(at: int) -> str:
    """A UUIDv7 of that moment."""
    number = (at << 80) | (0x7 << 76) | (random.getrandbits(12) << 64)
    return str(uuid.UUID(int=number | (0b10 << 62) | random.getrandbits(62)))


@contextlib.contextmanager
def store_of(server: Server):
    """The store of a server that is stopped."""
    with contextlib.closing(sqlite3.connect(server.database())) as connection:
        with connection:
            yield connection


def add_job(store: sqlite3.Connection, kind="clean_up", state="queued", **more) -> str:
    at = now()
    id = new_id(at)
    row = {
        "id": id, "kind": kind, "payload_json": '{"secret":"s"}', "state": state, "run_at": at,
        "attempts": 0, "attempts_max": 5, "created_at": at,
    }  # fmt: skip
    row |= {"finished_at": at, "last_error": "unavailable: No."} if state == "dead" else {}
    row |= more
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    store.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", list(row.values()))
    return id


def prepared(start, *jobs: dict, **settings: str) -> tuple[Server, list[str]]:
    """A server whose store had these jobs before it started."""
    server = start(**NEVER | settings)
    server.admin()
    server.stop()
    with store_of(server) as store:
        ids = [add_job(store, **job) for job in jobs]
    return server.start(), ids


def find(server: Server, id: str) -> dict:
    return next(job for job in server.everything("/admin/jobs", server.admin()) if job["id"] == id)


# What an admin sees and does


def test_jobs_are_listed_without_what_they_were_given(start):
    later = now() + DAY
    server, ids = prepared(
        start, {"state": "dead"}, {"kind": "roll_up_usage", "run_at": later}, {"run_at": later}
    )
    answer = server.get("/admin/jobs", server.admin())
    jobs = ok(answer)["items"]
    assert [job["id"] for job in jobs] == sorted(ids, reverse=True)
    assert "secret" not in answer.text
    for job in jobs:
        assert set(job) == JOB and UUID_V7.fullmatch(job["id"])
        assert TIME.fullmatch(job["run_at"]) and TIME.fullmatch(job["created_at"])
    dead = next(job for job in jobs if job["state"] == "dead")
    assert dead["last_error"] == "unavailable: No." and TIME.fullmatch(dead["finished_at"])


@pytest.mark.parametrize(
    "query, expected",
    [
        ({"state": "dead"}, [0]),
        ({"kind": "roll_up_usage"}, [1]),
        ({"kind": "clean_up", "state": "queued"}, [2]),
        ({"kind": "clean_up", "state": "running"}, []),
        ({"kind": "nonsense"}, []),
    ],
)
def test_jobs_are_found_by_state_and_kind(start, query, expected):
    later = now() + DAY
    server, ids = prepared(
        start, {"state": "dead"}, {"kind": "roll_up_usage", "run_at": later}, {"run_at": later}
    )
    found = ok(server.get("/admin/jobs", server.admin(), params=query))["items"]
    assert [job["id"] for job in found] == [ids[index] for index in expected]


def test_an_unknown_state_is_refused(server):
    invalid(server.get("/admin/jobs", server.admin(), params={"state": "lost"}), "state")


@pytest.mark.parametrize("state", ["dead", "queued"])
def test_a_job_is_retried_now_and_it_is_written_down(start, state):
    server, [id] = prepared(start, {"state": state, "run_at": now() + DAY, "attempts": 4})
    job = ok(server.post(f"/admin/jobs/{id}/retry", server.admin()))
    assert (job["state"], job["attempts"], job["finished_at"]) == ("queued", 0, None)
    done = eventually(lambda: (job := find(server, id))["state"] == "done" and job)
    assert done["attempts"] == 1
    rows = ok(server.get("/admin/audit-logs", server.admin(), params={"target": f"job:{id}"}))
    [row] = rows["items"]
    assert (row["action"], row["meta"]) == ("job.retried", {"kind": "clean_up", "from": state})
    problem(server.post(f"/admin/jobs/{id}/retry", server.admin()), 409, "conflict")


def test_support_may_not_retry_and_what_is_not_there_is_not_found(start):
    server, [id] = prepared(start, {"state": "dead"})
    path = f"/admin/jobs/{id}/retry"
    problem(server.post(path, server.with_role("support")), 403, "forbidden")
    problem(server.post(path, server.person()), 403, "forbidden")
    assert find(server, id)["state"] == "dead"
    for id in [new_id(now()), "nonsense"]:
        problem(server.post(f"/admin/jobs/{id}/retry", server.admin()), 404, "not_found")


# Schedules


def test_the_schedules_of_the_configuration_are_shown(server):
    schedules = ok(server.get("/admin/jobs/schedules", server.admin()))["items"]
    for schedule in schedules:
        assert set(schedule) == SCHEDULE and TIME.fullmatch(schedule["next_at"])
    assert [(s["name"], s["spec"]) for s in schedules] == list(SPECS.items())


def test_the_nightly_backup_and_its_drill_are_jobs(start):
    server = start(**NEVER | {"backup_at": "12:00", "jobs_drill": "12:00"})
    server.admin()
    server.stop()
    with store_of(server) as store:
        yesterday = now() - 2 * DAY
        assert store.execute("UPDATE schedules SET next_at = ?", [yesterday]).rowcount == 2
        slots = "UPDATE installation SET value = '2026-01-01T00:00:00.000Z' WHERE name = ?"
        for name in ("backup_slot", "drill_slot"):
            assert store.execute(slots, [name]).rowcount == 1
    server.start()

    def jobs():
        found = ok(server.get("/admin/jobs", server.admin()))["items"]
        return sorted((job["kind"], job["state"]) for job in found)

    eventually(lambda: jobs() == [("back_up", "done"), ("drill", "done")])
    assert len(ok(server.get("/admin/backups", server.admin()))["items"]) == 1


def test_a_schedule_runs_its_job_again_and_again(start):
    server = start(**NEVER | {"jobs_clean_up": "@every 1s"})

    def done():
        query = {"kind": "clean_up", "state": "done"}
        return len(ok(server.get("/admin/jobs", server.admin(), params=query))["items"]) >= 3

    eventually(done)
    [schedule] = ok(server.get("/admin/jobs/schedules", server.admin()))["items"]
    assert (schedule["name"], schedule["spec"]) == ("clean_up", "@every 1s")
    assert TIME.fullmatch(schedule["last_at"]) and schedule["last_state"] in ("done", "running")


def test_a_schedule_that_was_missed_is_made_up_for_once(start):
    server = start(**NEVER | {"jobs_roll_up_usage": "0 0 1 1 *"})
    server.admin()
    server.stop()
    with store_of(server) as store:
        missed = now() - 3 * 365 * DAY
        assert store.execute("UPDATE schedules SET next_at = ?", [missed]).rowcount == 1
    server.start()

    def jobs():
        return ok(server.get("/admin/jobs", server.admin()))["items"]

    eventually(lambda: [job["state"] for job in jobs()] == ["done"])
    [schedule] = ok(server.get("/admin/jobs/schedules", server.admin()))["items"]
    assert schedule["next_at"].endswith("-01-01T00:00:00.000Z")
    server.restart()
    assert [job["state"] for job in jobs()] == ["done"]


def test_a_schedule_that_is_none_stops_the_start(start, tmp_path):
    server = start()
    server.stop()
    run = server.command("serve", jobs_clean_up="0 0 30 2 *")
    assert run.returncode == 78
    assert "GATEHOUSE_JOBS_CLEAN_UP (jobs.clean_up): expected a schedule such as" in run.stderr


# kill -9


def add_expired_tokens(store: sqlite3.Connection, most: int) -> None:
    """Work for a clean-up, up to so many: a transaction for each 500 of them."""
    [count] = store.execute("SELECT count(*) FROM one_time_tokens").fetchone()
    old = now() - 30 * DAY
    rows = [(random.randbytes(32), old, old) for _ in range(most - count)]
    store.executemany(
        "INSERT INTO one_time_tokens (token_hash, purpose, created_at, expires_at)"
        " VALUES (?, 'verify', ?, ?)",
        rows,
    )


# Beside the daemon's own schema, so that every beginning and end of a run is written down in the
# transaction that makes it.
TRACE = """
CREATE TABLE trace (number INTEGER PRIMARY KEY, id TEXT, before TEXT, after TEXT, owner TEXT);
CREATE TRIGGER trace_jobs AFTER UPDATE OF state ON jobs BEGIN
    INSERT INTO trace (id, before, after, owner)
    VALUES (new.id, old.state, new.state, coalesce(new.locked_by, old.locked_by));
END;
"""


def check_trace(store: sqlite3.Connection, ids: list[str], at_once: int) -> int:
    """Never a second beginning before an end, nor more than `at_once`; how often one was lost."""
    running, lost, done = {}, 0, []
    rows = store.execute("SELECT id, before, after, owner FROM trace ORDER BY number")
    for id, before, after, owner in rows:
        if after == "running":
            assert before == "queued" and id not in running
            running[id] = owner
            assert len(running) <= at_once
        else:
            assert before == "running" and running.pop(id) == owner
            assert after in ("done", "queued")
            lost += after == "queued"
            done += [id] if after == "done" else []
    assert not running and sorted(done) == sorted(ids)
    return lost


def kill_in_the_midst(start, kills: int) -> None:
    server, _ = prepared(start)
    server.stop()
    ids, in_the_midst = [], 0
    with store_of(server) as store:
        store.executescript(TRACE)
    for _ in range(kills):
        with store_of(server) as store:
            add_expired_tokens(store, 50_000)
            ids += [add_job(store, attempts_max=1000) for _ in range(4)]
        server.start()
        time.sleep(random.uniform(0, 0.2))
        server.kill()
        with store_of(server) as store:
            states = dict(store.execute("SELECT id, state FROM jobs"))
            assert sorted(states) == sorted(ids) and "dead" not in states.values()
            in_the_midst += list(states.values()).count("running")
    server.start()

    def is_done():
        jobs = server.everything("/admin/jobs", server.admin())
        return all(job["state"] == "done" for job in jobs)

    eventually(is_done, within=60)
    server.stop()
    with store_of(server) as store:
        assert check_trace(store, ids, at_once=1) == in_the_midst > 0
        [left] = store.execute("SELECT count(*) FROM one_time_tokens").fetchone()
        assert left == 0


def test_kills_in_the_midst_lose_no_job_and_run_none_twice_side_by_side(start):
    kill_in_the_midst(start, kills=6)


@pytest.mark.soak
def test_fifty_kills_in_the_midst_lose_no_job_and_run_none_twice_side_by_side(start):
    kill_in_the_midst(start, kills=50)


def test_a_clean_stop_gives_back_what_it_does_not_finish(start):
    server, _ = prepared(start, server_drain_timeout="1s")
    server.stop()
    with store_of(server) as store:
        add_expired_tokens(store, 1000)
        ids = [add_job(store) for _ in range(3)]
        store.executescript(TRACE)
    server.start()
    server.stop()
    with store_of(server) as store:
        states = dict(store.execute("SELECT id, state FROM jobs"))
        assert sorted(states) == sorted(ids)
        assert set(states.values()) <= {"done", "queued"}
