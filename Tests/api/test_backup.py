"""Backup and restore: what is in one, what is refused, and what a kill leaves behind."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from checks import ok
from gatehouse import Server, binary, environment, run_command

SECRETS = 0o600


def said(result):
    return result.stdout + result.stderr


def done(result, status: int = 0):
    assert result.returncode == status, said(result)
    if status:
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stdout


def backup(server, *words, **settings) -> dict:
    return json.loads(done(server.command("backup", "--json", *words, **settings)))


def key_file(path: Path) -> str:
    path.write_bytes(os.urandom(32))
    path.chmod(SECRETS)
    return str(path)


class Restored(Server):
    """A server over a data directory of its own, which a backup is restored into."""

    def restore(self, file, *words):
        done(self.command("restore", str(file), *words))
        return self.start()


@pytest.fixture
def elsewhere(tmp_path):
    """Another machine: nothing is there yet."""
    server = Restored(tmp_path)
    yield server
    server.close()


# While serving


def test_a_backup_made_while_many_write_has_all_that_was_answered(start, elsewhere):
    server = start()
    people = [server.customer({"requests_per_month": 10**6}) for _ in range(16)]
    keys = [server.make_key(person)["key"] for person in people]
    answered = [[] for _ in people]
    gates = [0] * len(people)
    stop = threading.Event()
    begun = threading.Barrier(len(people) + 1)

    def write(number: int) -> None:
        begun.wait()
        while not stop.is_set():
            item = ok(server.post("/items", people[number], json={"name": "x", "data": 1}), 201)
            answered[number].append(item["id"])
            ok(server.get("/gate", keys[number]))
            gates[number] += 1

    threads = [threading.Thread(target=write, args=(n,)) for n in range(len(people))]
    for thread in threads:
        thread.start()
    begun.wait()
    while min(len(ids) for ids in answered) < 3:
        time.sleep(0.01)
    before = [list(ids) for ids in answered], list(gates)
    made = backup(server, "--to", str(server.root))
    stop.set()
    for thread in threads:
        thread.join()
    assert stat.S_IMODE(os.stat(made["path"]).st_mode) == SECRETS
    assert all(len(ids) > len(early) for ids, early in zip(answered, before[0]))

    elsewhere.restore(made["path"])
    for number, person in enumerate(people):
        names = {item["id"] for item in elsewhere.everything("/items", person)}
        assert set(before[0][number]) <= names <= set(answered[number])
        # Making and listing items is counted as well; the gate's own share is at least this.
        assert before[1][number] <= elsewhere.used(person)
        ok(elsewhere.get("/gate", keys[number]))
        elsewhere.login(person.email, person.password)


def test_counts_that_are_not_folded_yet_are_in_it(start, elsewhere):
    server = start(limits_checkpoint_interval="1m")
    person = server.customer({"requests_per_month": 1000})
    for _ in range(7):
        ok(server.get("/gate", person))
    used = server.used(person)
    made = backup(server, "--to", str(server.root / "a.ghb"))
    assert made["path"] == str(server.root / "a.ghb")
    elsewhere.restore(made["path"])
    assert elsewhere.used(person) == used >= 7


# Stopped, and killed


def test_a_stopped_installation_is_backed_up_and_restored_over_a_newer_one(start):
    server = start()
    person = server.customer({"max_items": 100})
    first = ok(server.post("/items", person, json={"name": "first", "data": 1}), 201)
    server.stop()
    made = backup(server)
    assert Path(made["path"]).parent == server.data_dir / "backups"
    server.start()
    ok(server.post("/items", person, json={"name": "second", "data": 1}), 201)
    server.stop()
    text = done(server.command("restore", made["path"]))
    [aside] = server.data_dir.glob("replaced-*")
    assert str(aside) in text
    server.start()
    assert server.everything("/items", person) == [first]
    # What was there can be moved back: it is a whole installation.
    server.stop()
    shutil.copytree(aside, server.root / "again" / "data")
    again = Server(server.root / "again").start()
    assert len(again.everything("/items", person)) == 2
    again.close()


def test_after_kill_9_the_counter_file_is_folded_in(start, elsewhere):
    server = start(limits_checkpoint_interval="1m")
    person = server.customer({"requests_per_month": 1000})
    key = server.make_key(person)["key"]
    for _ in range(9):
        ok(server.get("/gate", key))
    used = server.used(person)
    server.kill()
    made = backup(server)
    elsewhere.restore(made["path"])
    assert elsewhere.used(person) == used
    # The installation itself is as it was: its next start folds the same counts once.
    server.start()
    assert server.used(person) == used


def test_the_configuration_in_use_comes_along(start, tmp_path):
    server = start()
    server.stop()
    config = server.root / "mine.yaml"
    config.write_text("log:\n  level: notice\n")
    made = backup(server, "--config", str(config))
    target = tmp_path / "data"
    done(run_command("restore", made["path"], "--data-dir", str(target), cwd=tmp_path))
    assert (target / "gatehouse.yaml").read_text() == config.read_text()
    names = ["gatehouse.db", "gatehouse.yaml", "sealing-keys.json", "signing-keys.json"]
    assert all(stat.S_IMODE((target / name).stat().st_mode) == SECRETS for name in names)


def test_a_backup_that_is_killed_is_there_whole_or_not_at_all(start):
    server = start()
    server.person()
    server.stop()
    begun = time.monotonic()
    backup(server)
    span = time.monotonic() - begun
    folder = server.data_dir / "backups"
    words = [binary(), "backup", "--data-dir", str(server.data_dir)]
    numbers = random.Random(9)
    for _ in range(12):
        kill_after(numbers.uniform(0.2, 1.0) * span, words, server.root)
    backup(server)
    names = sorted(path.name for path in folder.iterdir())
    assert all(name.endswith(".ghb") for name in names)
    for name in names:
        done(run_command("inspect", str(folder / name), cwd=server.root))
    assert not (server.data_dir / "backup.partial").exists()


def kill_after(seconds: float, words: list[str], folder: Path) -> None:
    process = subprocess.Popen(
        words, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


# Files that are refused


def test_an_encrypted_backup_needs_its_key(start, elsewhere, tmp_path):
    server = start()
    person = server.person()
    key, other = key_file(tmp_path / "key"), key_file(tmp_path / "other")
    made = backup(server, "--encrypt-to-key", key)
    assert made["encrypted"] is True
    assert person.email.encode() not in Path(made["path"]).read_bytes()
    for command in ("verify", "inspect"):
        done(run_command(command, made["path"], "--key", key, cwd=tmp_path))
        done(run_command(command, made["path"], cwd=tmp_path), 1)
        done(run_command(command, made["path"], "--key", other, cwd=tmp_path), 1)
    done(server.command("drill"), 1)
    done(server.command("drill", "--key", key))
    elsewhere.restore(made["path"], "--key", key)
    elsewhere.login(person.email, person.password)


def test_a_key_that_is_configured_needs_no_option(start, tmp_path):
    key = key_file(tmp_path / "key")
    server = start(backup_key_file=key)
    assert backup(server)["encrypted"] is True
    done(server.command("drill", backup_key_file=key))


def test_verify_and_inspect_tell_a_whole_backup_from_a_damaged_one(start, tmp_path):
    server = start()
    server.person()
    made = backup(server)
    whole = Path(made["path"]).read_bytes()
    assert "is whole" in done(run_command("verify", made["path"], cwd=tmp_path))
    manifest = json.loads(done(run_command("inspect", "--json", made["path"], cwd=tmp_path)))
    assert manifest["rows"]["users"] == 1 and manifest["encrypted"] is False
    parts = {"gatehouse.db", "sealing-keys.json", "signing-keys.json"}
    assert {part["name"] for part in manifest["parts"]} == parts
    numbers = random.Random(5)
    damaged = tmp_path / "damaged.ghb"
    for _ in range(6):
        place = numbers.randrange(len(whole))
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        for command in ("verify", "inspect"):
            done(run_command(command, str(damaged), cwd=tmp_path), 65)
    damaged.write_bytes(whole[: len(whole) // 2])
    done(run_command("verify", str(damaged), cwd=tmp_path), 65)
    words = "restore", str(damaged), "--data-dir", str(tmp_path / "data")
    done(run_command(*words, cwd=tmp_path), 65)
    assert not (tmp_path / "data" / "gatehouse.db").exists()
    done(run_command("verify", str(tmp_path / "nothing"), cwd=tmp_path), 1)
    assert run_command("verify", cwd=tmp_path).returncode == 64


def test_a_backup_goes_nowhere_it_cannot_and_over_nothing(start, tmp_path):
    server = start()
    for state in ("running", "stopped"):
        if state == "stopped":
            server.stop()
        there = tmp_path / f"{state}.ghb"
        there.write_text("mine")
        done(server.command("backup", "--to", str(there)), 73)
        assert there.read_text() == "mine"
        done(server.command("backup", "--to", str(tmp_path / "no" / "a.ghb")), 73)
        short = tmp_path / "short"
        short.write_text("secret")
        done(server.command("backup", "--encrypt-to-key", str(short)), 1)
    assert not (server.data_dir / "backup.partial").exists()
    empty = str(tmp_path / "empty")
    done(run_command("backup", "--data-dir", empty, cwd=tmp_path), 1)


# Restoring


def test_a_restore_is_refused_while_the_daemon_runs(start):
    server = start()
    person = server.person()
    made = backup(server)
    done(server.command("restore", made["path"]), 69)
    ok(server.get("/me", person))


def test_a_restore_killed_at_any_moment_leaves_the_old_or_the_new(start):
    server = start()
    old_admin = server.admin()
    server.stop()
    made = backup(server)
    server.start()
    late = server.person("late")
    server.kill()  # the old state's last writes are in its log
    (server.data_dir / "control.sock").unlink()
    pristine = server.root / "pristine"
    server.data_dir.rename(pristine)
    file = pristine / "backups" / Path(made["path"]).name
    words = [binary(), "restore", str(file), "--data-dir", str(server.data_dir)]
    shutil.copytree(pristine, server.data_dir)
    begun = time.monotonic()
    done(server.command("restore", str(file)))
    span = time.monotonic() - begun
    numbers = random.Random(7)
    found = []
    for _ in range(24):
        shutil.rmtree(server.data_dir)
        shutil.copytree(pristine, server.data_dir)
        kill_after(numbers.uniform(0.1, 1.0) * span, words, server.root)
        found.append(state_of(server, old_admin, late))
    assert set(found) <= {"old", "new"} and "old" in found
    server.start()
    server.again(old_admin)


def state_of(server, early, late) -> str:
    """Opened as a command opens it, then read: who is in the store, and is it whole?"""
    done(server.command("backup", "--to", str(server.root)))
    connection = sqlite3.connect(server.database())
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        emails = {row[0] for row in connection.execute("SELECT email FROM users")}
    finally:
        connection.close()
    assert early.email in emails
    assert (server.data_dir / "signing-keys.json").exists()
    assert not list(server.data_dir.glob("*restoring*"))
    state = "old" if late.email in emails else "new"
    assert (server.data_dir / "counters").exists() == (state == "old")
    return state


# The drill


def test_a_drill_restores_the_newest_backup_and_touches_nothing(start):
    server = start()
    done(server.command("drill"), 1)
    first = backup(server)
    server.person()
    second = backup(server)
    before = sorted(path.name for path in server.data_dir.iterdir())
    told = json.loads(done(server.command("drill", "--json")))
    assert Path(told["path"]).name == Path(second["path"]).name
    assert told["rows"] > first["rows"] and 0 <= told["age_seconds"] < 60
    assert sorted(path.name for path in server.data_dir.iterdir()) == before
    damaged = Path(second["path"])
    damaged.write_bytes(damaged.read_bytes()[:-1])
    done(server.command("drill"), 65)
