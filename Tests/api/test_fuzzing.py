"""schemathesis against the running server: whatever it makes of the description is answered as the
description says, in a fixed order from a fixed seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatehouse import Server

FUZZING = Path(__file__).resolve().parent / "fuzzing"
SEED = "4711"


def fuzz(server: Server, *options: str, seconds: int) -> None:
    admin = server.admin()
    settings = {
        "FUZZED_URL": server.address, "FUZZED_EMAIL": admin.email, "FUZZED_ID": admin.id,
        "FUZZED_PASSWORD": admin.password, "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(FUZZING),
    }  # fmt: skip
    command = [Path(sys.executable).parent / "schemathesis", "--config-file"]
    command += [FUZZING / "schemathesis.toml", "run", f"{server.address}/openapi.json"]
    command += ["--seed", SEED, "--checks", "all", "--no-color", *options]
    done = subprocess.run(
        [str(word) for word in command], env=os.environ | settings, cwd=server.root,
        capture_output=True, text=True, timeout=seconds,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-30_000:] + done.stderr[-5000:]
    assert server.running()


def test_whatever_is_sent_is_answered_as_described(start):
    fuzz(start(auth_recent_sign_in="0s"), "--max-examples", "8", seconds=300)


@pytest.mark.soak
def test_for_longer_too(start):
    fuzz(start(auth_recent_sign_in="0s"), "--max-examples", "150", seconds=3600)
