"""A Redis server of a test's own: a real one, on a free port, in a folder of its own."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def redis_server(folder: Path, *arguments: str, tls: bool = False) -> Iterator[int]:
    """Its port. `arguments` are redis-server's own; with `tls` they name the certificate."""
    port = free_port()
    listen = ["--port", "0", "--tls-port", str(port)] if tls else ["--port", str(port)]
    # The kernel ends it also when the tests are killed.
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "redis-server", *listen, "--bind", "127.0.0.1",
         "--dir", str(folder), "--save", "", "--appendonly", "no", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if "Ready to accept connections" in line:
                break
        else:
            raise AssertionError("redis-server did not start:\n" + "".join(said))
        yield port
    finally:
        process.kill()
        process.communicate()
