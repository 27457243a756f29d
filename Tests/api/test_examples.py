"""The programs of examples/: each holds the whole conversation, and says the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gatehouse import Person, Server

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


@pytest.fixture
def ann(server) -> Person:
    return server.person("ann")


def talk(server: Server, person: Person, *command: str | Path, **settings: str):
    own = {
        "GATEHOUSE_URL": server.address, "GATEHOUSE_EMAIL": person.email,
        "GATEHOUSE_PASSWORD": person.password,
    }  # fmt: skip
    return subprocess.run(
        [str(word) for word in command], env=os.environ | own | settings, text=True,
        capture_output=True, timeout=60,
    )  # fmt: skip


def said(person: Person) -> str:
    return (
        f"signed in as {person.email}\nexchanged the refresh token\n"
        "made a key for gate, items:read, items:write\nthe gate says yes to plan free\n"
        "keeps A green thing\nsigned out\n"
    )


INTERPRETED = {
    "python": ["python3", EXAMPLES / "python/quickstart.py"],
    "javascript": ["node", EXAMPLES / "javascript/quickstart.mjs"],
    "shell": [EXAMPLES / "shell/quickstart.sh"],
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> Path:
    program = tmp_path_factory.mktemp("swift") / "quickstart"
    done = subprocess.run(
        ["swiftc", str(EXAMPLES / "swift/quickstart.swift"), "-o", str(program)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0 and "warning:" not in done.stderr, done.stderr
    return program


def holds(server: Server, person: Person, command: list) -> None:
    done = talk(server, person, *command)
    assert (done.stdout, done.stderr, done.returncode) == (said(person), "", 0)
    sessions = server.everything("/me/sessions", server.again(person))
    assert [session["current"] for session in sessions].count(False) == 1  # the person's own
    wrong = talk(server, person, *command, GATEHOUSE_PASSWORD="Canary-not-this-one")
    assert wrong.returncode != 0 and wrong.stdout == ""
    assert "invalid_credentials" in wrong.stderr and "Canary" not in wrong.stderr


@pytest.mark.parametrize("language", INTERPRETED)
def test_an_example_talks_to_a_server_and_says_why_it_was_refused(server, ann, language):
    holds(server, ann, INTERPRETED[language])


def test_the_swift_example_does_so_too(server, ann, compiled):
    holds(server, ann, [compiled])


def test_the_shell_example_passes_its_linter():
    done = subprocess.run(
        ["shellcheck", str(EXAMPLES / "shell/quickstart.sh")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
