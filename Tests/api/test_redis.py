"""The Redis that several daemons share, as a command line sees it."""

from __future__ import annotations

import json
import re
from contextlib import closing

import pytest

from backends import REDIS_PASSWORD, Redis
from certificates import Authority, Pair
from gatehouse import run_command
from proxies import free_port

# Nobody is there: what the store lacks is a finding of its own.
STORE = "postgres://nobody@127.0.0.1:1/none"


def findings(tmp_path, url, **settings) -> list[dict]:
    done = run_command(
        "check", "--json", "--data-dir", str(tmp_path / "data"), cwd=tmp_path,
        server_public_url="https://gate.example.com", store_url=STORE, redis_url=url, **settings,
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr == "", done.stderr
    found = json.loads(done.stdout)["findings"]
    return [f for f in found if "Redis" in f["what"] or "password" in f["what"]]


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "redis-password"
    path.write_text(f"{REDIS_PASSWORD}\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_redis_is_refused_for_a_store_in_a_file(tmp_path, command):
    done = run_command(
        command, "--data-dir", str(tmp_path / "data"), cwd=tmp_path, redis_url="redis://127.0.0.1"
    )
    assert done.returncode == 78 and done.stdout == ""
    assert re.fullmatch(r"gatehouse: redis\.url: .* PostgreSQL, .*\n", done.stderr)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://:Canary-secret@127.0.0.1:0"])
def test_what_is_no_address_is_refused_without_being_shown(tmp_path, url):
    done = run_command("check", cwd=tmp_path, store_url=STORE, redis_url=url)
    assert done.returncode == 78 and done.stderr.count("\n") == 1
    assert "redis.url" in done.stderr and "Canary" not in done.stderr


def test_check_connects_with_tls_and_a_password_from_a_file(tmp_path, password_file):
    authority = Authority()
    pair = Pair(tmp_path, authority.issue("127.0.0.1"))
    roots = tmp_path / "ca.pem"
    authority.ca.cert_pem.write_to_path(roots)
    arguments = [
        "--tls-cert-file", str(pair.certificate), "--tls-key-file", str(pair.key),
        "--tls-ca-cert-file", str(roots), "--tls-auth-clients", "no",
    ]  # fmt: skip
    with closing(Redis(*arguments, tls=True)) as redis:
        url = f"rediss://127.0.0.1:{redis.port}"
        settings = {"redis_ca_file": str(roots), "redis_password_file": str(password_file)}
        assert findings(tmp_path, url, **settings) == []
        # The system knows nothing of our authority.
        [finding] = findings(tmp_path, url, redis_password_file=str(password_file))
        assert finding["what"].startswith("Redis cannot be used: ")
        assert "CERTIFICATE_VERIFY_FAILED" in finding["what"]
        password_file.write_text("Canary-another")
        [finding] = findings(tmp_path, url, **settings)
        assert "AUTH: WRONGPASS" in finding["what"] and "Canary" not in json.dumps(finding)
        password_file.chmod(0o644)
        found = [f["what"] for f in findings(tmp_path, url, **settings)]
        assert any("redis-password can be read by everybody" in what for what in found)


def test_check_says_that_nobody_is_there(tmp_path):
    [finding] = findings(tmp_path, f"redis://127.0.0.1:{free_port()}")
    assert "cannot reach 127.0.0.1:" in finding["what"] and finding["remedy"]


def test_check_says_that_the_password_file_is_not_there(tmp_path):
    settings = {"redis_password_file": str(tmp_path / "none")}
    [finding] = findings(tmp_path, "redis://127.0.0.1", **settings)
    assert "redis.password_file: cannot read" in finding["what"]


def test_check_says_that_redis_would_drop_keys(tmp_path):
    with closing(Redis("--maxmemory-policy", "volatile-ttl")) as redis:
        [finding] = findings(tmp_path, redis.url())
    assert "(volatile-ttl)" in finding["what"] and "noeviction" in finding["remedy"]
