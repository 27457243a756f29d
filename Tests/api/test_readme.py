"""The README's session, pasted into a shell as a newcomer would."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import pytest

from gatehouse import environment

README = Path(__file__).parents[2] / "README.md"
HOST, PORT = "127.0.0.1", 8080
SECONDS = 120


def session_blocks(text: str) -> list[str]:
    """The ```sh blocks under the heading with the word "session", and under its subheadings."""
    blocks, fence, depth = [], None, 0  # fence: the open block's language; depth: that heading's
    for line in text.splitlines():
        if fence is not None:
            if line.strip() == "```":
                fence = None
            elif fence == "sh" and depth:
                blocks[-1] += line + "\n"
        elif line.startswith("```"):
            fence = line.strip("` ")
            blocks += [""] if fence == "sh" and depth else []
        elif heading := re.match(r"(#+) (.*)", line):
            level, title = len(heading[1]), heading[2]
            if depth and level <= depth:
                depth = 0
            if not depth and "session" in title.lower():
                depth = level
    return blocks


def test_the_readmes_session_works_as_printed(start):
    blocks = session_blocks(README.read_text())
    assert blocks, 'the README has no ```sh block under a heading with "session"'
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, PORT))
        except OSError:
            pytest.skip(f"something else listens on {HOST}:{PORT}, where the session is to run")
    server = start(f"{HOST}:{PORT}", limits_auth_enabled="true")
    shell = subprocess.run(
        ["bash", "-c", "set -eu\n" + "\n".join(blocks)], cwd=server.root, env=environment(),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    told = f"{shell.stdout}\n-- stderr\n{shell.stderr}"
    assert shell.returncode == 0, told
    refused = re.search(r"quota_exceeded|rate_limited", shell.stdout)
    assert refused and "429" in shell.stdout, told
    assert '"metrics"' in shell.stdout[refused.end() :], told
