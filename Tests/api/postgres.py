"""The PostgreSQL server beside the tests (tools/with-postgres), and databases on it."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path

_numbers = itertools.count(1)


def server_url() -> str:
    """Of the server's superuser. Where there is none the test fails: it is never passed over."""
    url = os.environ.get("GATEHOUSE_TEST_POSTGRES", "")
    assert url, "run the tests through tools/with-postgres (make test-api does)"
    return url


def new_database() -> str:
    """The URL of a database without anything in it."""
    name = f"api_{os.getpid()}_{next(_numbers)}"
    sql(server_url(), f"CREATE DATABASE {name}")
    return server_url().rpartition("/")[0] + f"/{name}"


def sql(url: str, statement: str) -> list[str]:
    """The rows of a statement, their columns joined by |."""
    [psql, *_] = sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"), reverse=True) or ["psql"]
    done = subprocess.run(
        [psql, "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", url],
        input=statement, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
