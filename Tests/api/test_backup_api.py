"""Backups over the admin API, what the audit log has of them, and schemas that do not fit."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import threading
import time
import uuid
from pathlib import Path

import pytest

from checks import ok, problem
from gatehouse import binary, environment, run_command
from test_backup import backup, done, key_file, said

RELEASED = Path(__file__).parents[1] / "StoreTests/Schema/Released"


def made_by(server) -> list[tuple[str, str, str]]:
    """Action, actor and target of each row about backups, oldest first."""
    rows = ok(server.get("/admin/audit-logs", server.admin()))["items"]
    found = [row for row in reversed(rows) if row["action"].startswith("backup.")]
    return [(row["action"], row["actor"], row["target"]) for row in found]


# Made, listed and taken away


def test_an_admin_makes_a_backup_lists_it_and_takes_it_away(start, tmp_path):
    server = start()
    admin = server.admin()
    answer = server.post("/admin/backups", admin)
    made = ok(answer, 201)
    assert answer.headers["location"] == f"/api/v1/admin/backups/{made['name']}"
    assert made["encrypted"] is False and made["verified"] == "written" and made["rows"] > 0
    [listed] = ok(server.get("/admin/backups", admin))["items"]
    assert listed | {"age_seconds": 0} == made | {"age_seconds": 0}
    file = server.data_dir / "backups" / made["name"]
    assert listed["bytes"] == file.stat().st_size and stat.S_IMODE(file.stat().st_mode) == 0o600

    taken = server.get(f"/admin/backups/{made['name']}", admin)
    assert taken.status_code == 200 and taken.content == file.read_bytes()
    assert taken.headers["content-length"] == str(made["bytes"])
    assert taken.headers["content-disposition"] == f'attachment; filename="{made["name"]}"'
    assert taken.headers["cache-control"] == "no-store"
    again = server.request("HEAD", f"/admin/backups/{made['name']}", admin)
    assert again.status_code == 200 and again.headers["etag"] == taken.headers["etag"]
    (tmp_path / "taken.ghb").write_bytes(taken.content)
    done(run_command("verify", str(tmp_path / "taken.ghb"), cwd=tmp_path))
    who, what = f"user:{admin.id}", f"backup:{made['name']}"
    assert made_by(server) == [("backup.made", who, what), ("backup.downloaded", who, what)]


def test_support_may_look_and_not_take(start):
    server = start()
    name = ok(server.post("/admin/backups", server.admin()), 201)["name"]
    support = server.with_role("support")
    assert len(ok(server.get("/admin/backups", support))["items"]) == 1
    problem(server.get(f"/admin/backups/{name}", support), 403, "forbidden")
    problem(server.post("/admin/backups", support), 403, "forbidden")
    reading = server.make_key(server.admin(), ["admin:read"])["key"]
    problem(server.get(f"/admin/backups/{name}", reading), 403, "insufficient_scope")
    writing = server.make_key(server.admin(), ["admin:write"])["key"]
    problem(server.get(f"/admin/backups/{name}", writing), 403, "insufficient_scope")
    both = server.make_key(server.admin(), ["admin:read", "admin:write"])["key"]
    assert server.get(f"/admin/backups/{name}", both).status_code == 200
    problem(server.get("/admin/backups", server.person()), 403, "forbidden")


def test_nothing_but_a_backup_of_the_folder_is_handed_out(start):
    server = start()
    admin = server.admin()
    name = ok(server.post("/admin/backups", admin), 201)["name"]
    folder = server.data_dir / "backups"
    (folder / "link.ghb").symlink_to(server.data_dir / "signing-keys.json")
    (folder / "keys.txt").write_text("x")
    (folder / "folder.ghb").mkdir()
    os.mkfifo(folder / "pipe.ghb")
    paths = [
        "link.ghb", "keys.txt", "folder.ghb", "pipe.ghb", "none.ghb", "..%2Fsigning-keys.json",
        "..%2f..%2fetc%2fpasswd", "%2Fetc%2Fpasswd", "%2e%2e", f"..%2Fbackups%2F{name}",
        f"{name}%00", ".ghb",
    ]  # fmt: skip
    for path in paths:
        problem(server.get(f"/admin/backups/{path}", admin), 404, "not_found")
    assert [item["name"] for item in server.everything("/admin/backups", admin)] == [name]


def test_the_list_goes_page_by_page_and_tells_what_cannot_be_relied_on(start, tmp_path):
    server = start(backup_key_file=key_file(tmp_path / "key"))
    admin = server.admin()
    names = [ok(server.post("/admin/backups", admin), 201)["name"] for _ in range(3)]
    folder = server.data_dir / "backups"
    (folder / "a.ghb").write_bytes(b"nothing of ours")
    sealed = folder / "b.ghb"
    other = key_file(tmp_path / "other")
    done(server.command("backup", "--to", str(sealed), "--encrypt-to-key", other))
    first = ok(server.get("/admin/backups", admin, params={"limit": 2}))
    assert [item["name"] for item in first["items"]] == names[:0:-1]
    everything = server.everything("/admin/backups", admin)
    assert [item["name"] for item in everything] == [*names[::-1], "b.ghb", "a.ghb"]
    told = {item["name"]: (item["encrypted"], item["verified"]) for item in everything}
    assert told["a.ghb"] == (None, "damaged") and told["b.ghb"] == (True, "unknown")
    assert {told[name] for name in names} == {(True, "written")}
    problem(server.get("/admin/backups", admin, params={"cursor": "*"}), 422, "validation_failed")


def test_a_keyed_call_makes_one_backup(start):
    server = start()
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = server.post("/admin/backups", server.admin(), headers=headers)
    second = server.post("/admin/backups", server.admin(), headers=headers)
    assert ok(first, 201) == ok(second, 201)
    assert second.headers["idempotent-replayed"] == "true"
    assert len(ok(server.get("/admin/backups", server.admin()))["items"]) == 1
    answer = server.post("/admin/backups", server.admin(), json={"to": "/etc"})
    problem(answer, 422, "validation_failed")


def test_one_backup_at_a_time(start):
    server = start()
    admin = server.admin()
    statuses = []

    def make():
        statuses.append(server.post("/admin/backups", admin).status_code)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {201, 409} and 201 in statuses and 409 in statuses
    listed = ok(server.get("/admin/backups", admin))["items"]
    assert len(listed) == statuses.count(201)


def test_each_way_to_a_backup_and_back_is_in_the_audit_log(start, tmp_path):
    server = start()
    server.admin()
    running = backup(server)
    server.stop()
    stopped = backup(server)
    done(server.command("restore", stopped["path"]))
    server.start()
    named = [f"backup:{Path(made['path']).name}" for made in (running, stopped)]
    # What was restored has the rows of before, and the note of the restore.
    assert made_by(server) == [
        ("backup.made", "shell", named[0]), ("backup.restored", "shell", named[1]),
    ]  # fmt: skip
    assert ok(server.get("/admin/audit-logs/verify", server.admin()))["intact"] is True
    server.stop()
    again = backup(server)
    server.start()
    assert made_by(server)[-1] == ("backup.made", "shell", f"backup:{Path(again['path']).name}")


# Schemas


def older_store(folder: Path, version: int) -> Path:
    """A data directory as a release of that schema left it."""
    folder.mkdir(mode=0o700)
    path = folder / "gatehouse.db"
    store = sqlite3.connect(path)
    store.execute("PRAGMA application_id = 0x47415445")
    store.executescript((RELEASED / f"{version}.sql").read_text())
    store.execute("PRAGMA journal_mode = WAL")
    store.close()
    path.chmod(0o600)
    return path


def schema(path: Path) -> int:
    store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return store.execute("PRAGMA user_version").fetchone()[0]
    finally:
        store.close()


def newest(path: Path) -> int:
    """The schema of the program that is tested."""
    words = ["migrate", "--status", "--json", "--data-dir", str(path.parent)]
    return json.loads(done(run_command(*words, cwd=path.parent)))["target"]


@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_a_migration_makes_a_backup_first(start, tmp_path, command):
    path = older_store(tmp_path / "data", 1)
    words = ["--data-dir", str(path.parent)]
    if command == "migrate":
        told = json.loads(done(run_command("migrate", "--dry-run", "--json", *words, cwd=tmp_path)))
        assert told["pending"] == len(told["steps"]) >= 1 and schema(path) == 1
        assert not (path.parent / "backups").exists()
        done(run_command("migrate", *words, cwd=tmp_path))
    else:
        server = start()
        server.stop()
        server.data_dir = path.parent
        server.start()
        server.stop()
    assert schema(path) == newest(path)
    [file] = (path.parent / "backups").iterdir()
    assert file.name.endswith(f"-before-schema-{newest(path)}.ghb")
    manifest = json.loads(done(run_command("inspect", "--json", str(file), cwd=tmp_path)))
    assert manifest["schema"] == 1 and manifest["rows"]["users"] == 1
    done(run_command("migrate", *words, cwd=tmp_path))
    assert len(list((path.parent / "backups").iterdir())) == 1


def test_a_migration_goes_on_without_a_backup_only_when_told_to(tmp_path):
    path = older_store(tmp_path / "data", 1)
    words = ["migrate", "--data-dir", str(path.parent)]
    short = tmp_path / "short"
    short.write_text("secret")
    done(run_command(*words, cwd=tmp_path, backup_key_file=str(short)), 1)
    assert schema(path) == 1
    done(run_command(*words, "--no-backup", cwd=tmp_path, backup_key_file=str(short)))
    assert schema(path) == newest(path) and not list(path.parent.glob("backups/*"))


def test_two_that_migrate_at_once_take_turns(tmp_path):
    path = older_store(tmp_path / "data", 1)
    words = [binary(), "migrate", "--data-dir", str(path.parent)]
    both = [
        subprocess.Popen(words, env=environment(), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ended = sorted(process.wait() for process in both)
    errors = "".join(process.stderr.read() for process in both)
    assert ended in ([0, 0], [0, 69]), errors
    assert schema(path) == newest(path) and len(list(path.parent.glob("backups/*.ghb"))) == 1


def test_a_newer_schema_is_refused_by_all_that_would_touch_it(start, tmp_path):
    server = start()
    server.stop()
    kept = backup(server)
    store = sqlite3.connect(server.database())
    store.execute("PRAGMA user_version = 99")
    store.close()
    for words in (["serve"], ["migrate"], ["backup"], ["check"]):
        line = said(server.command(*words))
        assert server.command(*words).returncode == 65, line
        assert "schema version 99" in line
    assert len(list((server.data_dir / "backups").iterdir())) == 1
    done(server.command("restore", kept["path"]))
    server.start()


# Killed


def kill_migrations(folder: Path, kills: int, seed: int) -> None:
    numbers = random.Random(seed)
    words = [binary(), "migrate", "--data-dir"]
    older_store(folder / "first", 1)
    begun = time.monotonic()
    done(run_command("migrate", "--data-dir", str(folder / "first"), cwd=folder))
    span = time.monotonic() - begun
    found = set()
    for kill in range(kills):
        path = older_store(folder / f"kill-{kill}", 1)
        process = subprocess.Popen([*words, str(path.parent)], env=environment(), cwd=folder)
        time.sleep(numbers.uniform(0.05, 1.05) * span)
        process.send_signal(signal.SIGKILL)
        process.wait()
        found.add(schema(path))
        for left in path.parent.glob("backups/*.ghb"):
            done(run_command("inspect", str(left), cwd=folder))
        done(run_command("migrate", "--data-dir", str(path.parent), cwd=folder))
        assert schema(path) == newest(path) and not (path.parent / "backup.partial").exists()
        store = sqlite3.connect(path)
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []
        assert store.execute("SELECT count(*) FROM users").fetchone() == (1,)
        store.close()
    assert found <= set(range(1, newest(path) + 1))


def test_a_migration_killed_at_any_moment_is_done_by_the_next(tmp_path):
    kill_migrations(tmp_path, kills=8, seed=3)


@pytest.mark.soak
def test_a_migration_killed_two_hundred_times_is_done_by_the_next(tmp_path):
    kill_migrations(tmp_path, kills=200, seed=4)
