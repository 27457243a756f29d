"""How a daemon gets into PostgreSQL: TLS that proves whom it speaks to, and the password's file."""

from __future__ import annotations

import re

import pytest

from backends import Postgres
from certificates import Authority, chain_of, key_of
from checks import eventually
from gatehouse import run_command

PASSWORD = "Canary-database"


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def secured(authority):
    """A server that takes TLS and a password, and nothing else, over TCP."""
    leaf = authority.issue("localhost")
    server = Postgres(
        "ssl = on", access="hostssl all app 127.0.0.1/32 scram-sha-256",
        files={"server.crt": chain_of(leaf), "server.key": key_of(leaf)},
    )  # fmt: skip
    server.sql(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'; CREATE DATABASE app OWNER app")
    yield server
    server.close()


@pytest.fixture
def files(tmp_path, authority):
    """The authority's certificate, another's, and the password."""
    for name, one in (("ours.pem", authority), ("another.pem", Authority())):
        (tmp_path / name).write_bytes(one.ca.cert_pem.bytes())
    (tmp_path / "password").write_text(PASSWORD + "\n")
    (tmp_path / "password").chmod(0o640)  # as a mounted secret; libpq's passfile would be ignored
    return tmp_path


def url(server, files, host="localhost", root="ours.pem", mode="verify-full"):
    return (
        f"postgres://app@{host}:{server.port}/app?sslmode={mode}&sslrootcert={files / root}"
        f"&hostaddr=127.0.0.1"
    )


def refused(files, **settings):
    """Why it does not start: one line."""
    done = run_command(
        "serve", "--listen", "127.0.0.1:0", "--data-dir", str(files / "data"), cwd=files,
        store_password_file=str(files / "password"), **settings,
    )  # fmt: skip
    assert done.returncode == 69 and done.stderr.count("\n") == 1, done.stderr
    assert PASSWORD not in done.stderr
    return done.stderr


def test_verify_full_lets_in_whom_the_authority_vouches_for(start, secured, files):
    place = url(secured, files)
    server = start(store_url=place, store_password_file=str(files / "password"))
    server.person()
    tls = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
    assert secured.sql(f"{tls} WHERE usename = 'app'") == ["t"]
    for words in (["check"], ["migrate", "--status"], ["audit", "verify"]):
        done = server.command(
            *words, store_url=place, store_password_file=str(files / "password")
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_another_authority_or_another_name_is_refused_with_one_line(secured, files):
    unknown = refused(files, store_url=url(secured, files, root="another.pem"))
    assert "certificate verify failed" in unknown
    wrong_name = refused(files, store_url=url(secured, files, host="db.example.com"))
    assert re.search(r'"localhost" .*does not match host name "db\.example\.com"', wrong_name)


def test_a_server_without_tls_is_refused_where_tls_is_demanded(files):
    plain = Postgres()
    try:
        line = refused(files, store_url=url(plain, files))
        assert "server does not support SSL" in line
    finally:
        plain.close()


def test_a_password_file_that_is_wrong_or_not_there_is_named(secured, files):
    (files / "password").write_text("another")
    assert "password authentication failed" in refused(files, store_url=url(secured, files))
    (files / "password").write_text("\n")
    assert "password has no password in it" in refused(files, store_url=url(secured, files))
    (files / "password").unlink()
    line = refused(files, store_url=url(secured, files))
    assert "store.password_file: Cannot read" in line and "No such file" in line


def test_a_changed_password_is_read_at_the_next_connection(start, secured, files):
    server = start(store_url=url(secured, files), store_password_file=str(files / "password"))
    sessions = "FROM pg_stat_activity WHERE usename = 'app'"
    before = set(secured.sql(f"SELECT pid {sessions}"))
    (files / "password").write_text("Canary-next")
    secured.sql("ALTER ROLE app PASSWORD 'Canary-next'")
    try:
        secured.sql(f"SELECT pg_terminate_backend(pid) {sessions}")
        eventually(
            lambda: not before & (now := set(secured.sql(f"SELECT pid {sessions}"))) and now
            and server.get("//readyz").status_code == 200,
            within=30, what="the daemon to come in with the new password",
        )  # fmt: skip
        server.person()
    finally:
        secured.sql(f"ALTER ROLE app PASSWORD '{PASSWORD}'")
