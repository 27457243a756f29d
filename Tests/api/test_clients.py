"""Clients that are made from the description: each is generated into a folder of the test's own,
and signs in, exchanges its tokens, makes a key, asks the gate and keeps an item."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gatehouse
from gatehouse import Server

PROGRAMS = Path(__file__).resolve().parent / "clients"
TOOLS = Path(sys.executable).parent


def run(*command: str | Path, **settings: str) -> str:
    done = subprocess.run(
        [str(word) for word in command], env=os.environ | settings, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


@pytest.fixture(scope="module")
def document(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("document") / "openapi.json"
    file.write_text(run(gatehouse.binary(), "openapi"))
    return file


def generate(language: str, document: Path, into: Path) -> Path:
    run(
        TOOLS / "openapi-generator-cli", "generate", "-g", language, "-i", document, "-o", into,
        "--additional-properties=packageName=gatehouse_client",
    )  # fmt: skip
    return into


def holds_a_conversation(server: Server, *command: str | Path, **settings: str) -> None:
    person = server.person()
    told = run(
        *command, GATEHOUSE_URL=server.address, GATEHOUSE_EMAIL=person.email,
        GATEHOUSE_PASSWORD=person.password, **settings,
    )  # fmt: skip
    assert told == (
        f"me {person.email} True\ngate True free True\nitems ['A green thing']\ngone 404 True\n"
    )
    # The gate was asked for two, and each call of items is one.
    assert server.used(person) == 2 + 4


def test_openapi_generators_python_client(server, document, tmp_path):
    generate("python", document, tmp_path)
    holds_a_conversation(
        server, sys.executable, PROGRAMS / "openapi_generator.py", PYTHONPATH=str(tmp_path)
    )


def test_openapi_python_clients_client(server, document, tmp_path):
    configuration = tmp_path / "configuration.yaml"
    configuration.write_text("post_hooks: []\n")
    told = run(
        TOOLS / "openapi-python-client", "generate", "--path", document, "--meta", "none",
        "--output-path", tmp_path / "gatehouse_api", "--config", configuration,
        "--fail-on-warning",
    )  # fmt: skip
    assert "Warning" not in told
    holds_a_conversation(
        server, sys.executable, PROGRAMS / "openapi_python_client.py", PYTHONPATH=str(tmp_path)
    )


def test_openapi_generators_typescript_client(server, document, tmp_path):
    generate("typescript-fetch", document, tmp_path / "client")
    shutil.copy(PROGRAMS / "openapi_generator.ts", tmp_path / "talk.ts")
    # Debian's compiler is 4.8, which does not narrow by `in` as the generated guards expect of 4.9.
    run(
        "tsc", "--strict", "--noImplicitAny", "false", "--target", "es2020", "--module", "commonjs",
        "--lib", "es2020,dom", "--skipLibCheck", "--outDir", tmp_path / "built",
        tmp_path / "talk.ts",
    )  # fmt: skip
    holds_a_conversation(server, "node", tmp_path / "built" / "talk.js")
