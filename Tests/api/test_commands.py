"""The command line: starts that are refused, and the commands beside `serve`."""

from __future__ import annotations

import os
import re
import sqlite3

import pytest

from checks import ok
from gatehouse import new_email, new_password, run_command


def said(result):
    return result.stdout + result.stderr


# Starts that are refused


def test_a_second_daemon_on_the_same_data_is_refused(start):
    server = start()
    second = server.command("serve", "--listen", "127.0.0.1:0", metrics_listen="127.0.0.1:0")
    assert second.returncode == 69
    assert len(second.stderr.strip().splitlines()) == 1
    ok(server.get("/plans"))


def test_a_listening_address_in_use_is_refused(start, tmp_path):
    server = start()
    listen = server.address.removeprefix("http://")
    words = "serve", "--listen", listen, "--data-dir", str(tmp_path / "data")
    second = run_command(*words, cwd=tmp_path, metrics_listen="127.0.0.1:0")
    assert second.returncode == 69
    assert listen in said(second)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("server:\n  public_url: http://localhost:1\n  lissten: 127.0.0.1:0\n", 3, "lissten"),
        ("# a comment\nsurprise: 1\n", 2, "surprise"),
        ("limits:\n  checkpoint_interval: soon\n", 2, "checkpoint_interval"),
        ("auth:\n\n  require_verified_email: perhaps\n", 3, "require_verified_email"),
        ("auth:\n  algorithm: none\n", 2, "algorithm"),
        ("auth:\n  password_min_length: 3\n", 2, "password_min_length"),
    ],
    ids=["key", "section", "duration", "boolean", "algorithm", "bounds"],
)
def test_a_wrong_configuration_file_is_refused_by_file_line_and_key(tmp_path, text, line, key):
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    words = "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")
    result = run_command(*words, "--config", str(path), cwd=tmp_path)
    assert result.returncode == 78
    assert str(path) in said(result) and key in said(result)
    assert re.search(rf"\b{line}\b", said(result).replace(str(path), ""))


@pytest.mark.parametrize(
    ("name", "value"),
    [("limits_checkpoint_interval", "soon"), ("auth_require_verified_email", "perhaps"),
     ("auth_access_token_ttl", "-5m"), ("server_public_url", "not a url")],
)  # fmt: skip
def test_a_wrong_value_in_the_environment_is_refused_by_name(tmp_path, name, value):
    words = "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")
    result = run_command(*words, cwd=tmp_path, **{name: value})
    assert result.returncode == 78
    assert f"GATEHOUSE_{name.upper()}" in said(result) or name.replace("_", ".", 1) in said(result)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(start):
    server = start()
    server.stop()
    with sqlite3.connect(server.database()) as connection:
        connection.execute("PRAGMA user_version = 99999")
    connection.close()
    result = server.command("serve", "--listen", "127.0.0.1:0", metrics_listen="127.0.0.1:0")
    assert result.returncode != 0
    assert "99999" in said(result) or "newer" in said(result)
    assert schema_version(server) == 99999


def schema_version(server):
    connection = sqlite3.connect(server.database())
    try:
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


# Commands


def test_the_version_names_itself_and_the_sqlite_it_runs_on(tmp_path):
    result = run_command("version", cwd=tmp_path)
    assert result.returncode == 0
    assert re.search(r"gatehouse \S*\d+\.\d+", result.stdout.lower())
    assert re.search(r"sqlite\D*3\.\d+\.\d+", result.stdout.lower())


@pytest.mark.parametrize("words", [["frobnicate"], ["serve", "--frobnicate"], ["admin", "create"]])
def test_wrong_usage_exits_64(tmp_path, words):
    result = run_command(*words, cwd=tmp_path)
    assert result.returncode == 64 and result.stderr


def test_check_finds_nothing_in_a_healthy_house_and_names_a_file_others_can_read(start):
    server = start()
    server.stop()
    healthy = server.command("check")
    assert healthy.returncode == 0, said(healthy)
    path = server.database()
    path.chmod(0o644)
    found = server.command("check")
    assert found.returncode != 0
    assert path.name in said(found)


def test_migrate_tells_the_schemas_version(start):
    server = start()
    server.stop()
    result = server.command("migrate", "--status")
    assert result.returncode == 0
    assert re.search(rf"\b{schema_version(server)}\b", result.stdout)


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_an_admin_can_be_made_from_a_shell(start, state):
    server = start()
    address, password = new_email(), new_password()
    if state == "stopped":
        server.stop()
    result = server.command(
        "admin", "create", "--email", address, "--password-stdin", input=f"{password}\n"
    )
    assert result.returncode == 0, said(result)
    assert password not in said(result)
    if state == "stopped":
        server.start()
    tokens = server.login(address, password)
    assert tokens["user"]["role"] == "admin"
    ok(server.get("/admin/users", tokens["access_token"]))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root works on the data of another user")
def test_what_root_does_on_another_users_data_belongs_to_that_user(start, tmp_path):
    server = start()
    server.stop()
    nobody = 65534
    for path in [server.data_dir, *server.data_dir.rglob("*")]:
        os.chown(path, nobody, nobody)
    # pytest's folders are root's alone; the data must be reachable for its owner.
    for folder in server.data_dir.parents:
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    for words in (["backup"], ["keys", "rotate"], ["admin", "create", "--email", new_email()]):
        result = server.command(*words)
        assert result.returncode == 0, said(result)
    owners = {path.stat().st_uid for path in server.data_dir.rglob("*")}
    assert owners == {nobody}
