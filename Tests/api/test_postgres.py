"""A daemon whose store is a PostgreSQL database."""

from __future__ import annotations

import json
import re

import pytest

from checks import eventually, ok
from gatehouse import run_command
from postgres import new_database, sql


@pytest.fixture
def database() -> str:
    return new_database()


def test_what_it_counted_and_kept_is_there_after_a_restart_and_after_a_kill(start, database):
    server = start(store_url=database)
    person = server.customer({"requests_per_month": 100})
    key = server.make_key(person)["key"]
    for _ in range(7):
        ok(server.post("/gate", key))
    server.restart()
    assert server.used(person) == 7
    for _ in range(5):
        ok(server.post("/gate", key))
    server.kill()
    server.start()
    assert server.used(person) == 12
    assert ok(server.post("/gate", key)) is not None


def test_two_daemons_never_serve_one_store(start, make, database):
    first = start(store_url=database)
    other = make(store_url=database)
    refused = other.command("serve", "--listen", "127.0.0.1:0", store_url=database)
    assert refused.returncode == 69
    assert re.fullmatch(
        r"gatehouse: The store, PostgreSQL at 127\.0\.0\.1:\d+/\w+, is in use by another process "
        r"of Gatehouse\.\n",
        refused.stderr,
    )
    first.kill()  # what it held is free at once, with nobody to tell of it
    other.start()
    ok(other.get("//readyz"))


def test_readyz_says_that_the_store_is_away_and_the_daemon_finds_it_again(start, database):
    server = start(store_url=database)
    name = database.rpartition("/")[2]
    admin = database.rpartition("/")[0] + "/postgres"
    sql(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    sql(admin, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def reasons():
        answer = server.get("//readyz")
        return answer.json() if answer.status_code == 503 else None

    away = eventually(reasons, what="readyz to see that the store is away")
    assert "the store takes no write: The store cannot be reached." in json.dumps(away)
    ok(server.get("//healthz"))
    sql(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    eventually(lambda: server.get("//readyz").status_code == 200, what="readyz to be well again")
    server.person()


@pytest.mark.parametrize("words", [["backup"], ["restore", "x.ghb"], ["drill"]], ids=" ".join)
def test_commands_for_a_file_say_what_to_use_instead(tmp_path, database, words):
    done = run_command(
        *words, "--data-dir", str(tmp_path / "data"), cwd=tmp_path, store_url=database
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("gatehouse: The store is on PostgreSQL, where ")
    assert "pg_dump" in done.stderr and done.stderr.count("\n") == 1


def test_commands_look_at_the_store_beside_the_daemon(start, database):
    server = start(store_url=database)
    server.admin()
    status = json.loads(server.command("migrate", "--status", "--json", store_url=database).stdout)
    assert status["pending"] == 0 and status["schema"] == status["target"] > 0
    audit = server.command("audit", "verify", store_url=database)
    assert audit.returncode == 0 and audit.stdout.startswith("The audit log is whole: ")
    check = server.command("check", store_url=database)
    assert check.returncode == 0, check.stdout + check.stderr
    sql(database, "UPDATE audit_logs SET action = 'x' WHERE sequence = 1")
    broken = server.command("audit", "verify", store_url=database)
    assert broken.returncode == 65 and "Audit row 1 " in broken.stderr


def test_a_server_that_is_not_there_is_one_line_and_69_without_the_password(tmp_path):
    url = "postgres://me:Canary-secret@127.0.0.1:1/x"
    done = run_command(
        "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), cwd=tmp_path,
        store_url=url,
    )  # fmt: skip
    assert done.returncode == 69
    assert "127.0.0.1:1/x cannot be used" in done.stderr
    assert "Canary" not in done.stderr + done.stdout


def test_a_password_in_the_url_is_in_no_line_of_the_log(start, database):
    url = database.replace("postgres@", "postgres:Canary-password@")
    server = start(store_url=url)  # closing it looks for one that begins so
    server.person()
    assert server.used(server.person()) == 0


def test_the_daemon_refuses_a_url_of_no_engine_it_knows(tmp_path):
    done = run_command("serve", cwd=tmp_path, store_url="mysql://localhost/x")
    assert done.returncode == 78
    problem_line = done.stderr.splitlines()[0]
    assert "store.url" in problem_line and "sqlite: and a path, or postgres://" in problem_line


def test_an_installation_moves_there_and_back_with_all_it_had(start, database):
    server = start()
    person = server.customer({"requests_per_month": 100})
    key = server.make_key(person)["key"]
    for _ in range(5):
        ok(server.post("/gate", key))
    there = ["store", "copy", "--from", "sqlite:data/gatehouse.db", "--to", database]
    refused = server.command(*there)
    assert refused.returncode == 69 and "in use by process" in refused.stderr
    server.kill()  # its last counts are in the counter file alone
    copied = server.command(*there, "--json")
    assert copied.returncode == 0, copied.stderr
    tables = {table["name"]: table for table in json.loads(copied.stdout)["tables"]}
    assert tables["users"]["rows"] == 2 and re.fullmatch("[0-9a-f]{64}", tables["users"]["sha256"])
    again = server.command(*there)
    assert again.returncode == 1 and "The target is not empty" in again.stderr
    server.restart(store_url=database)
    assert server.used(person) == 5
    ok(server.post("/gate", key))
    server.stop()
    back = ["store", "copy", "--from", database, "--to", "sqlite:data/back.db"]
    done = server.command(*back)
    assert done.returncode == 0, done.stderr
    assert "found equal on both sides" in done.stdout
    server.restart(store_url="sqlite:data/back.db")
    assert server.used(person) == 6
    ok(server.post("/gate", key))
    server.again(person)


def test_a_copy_that_is_not_whole_is_not_served(start, database):
    server = start(store_url=database)
    server.stop()
    sql(database, "INSERT INTO installation VALUES ('copy_of', 'another')")
    refused = server.command("serve", "--listen", "127.0.0.1:0", store_url=database)
    assert refused.returncode == 1 and "copy that is not whole" in refused.stderr
