"""What a service manager is to a daemon: a socket for news, sockets to listen on, a journal."""

from __future__ import annotations

import http.client
import os
import socket
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from gatehouse import BASE, Credential, Server, authorization

# Descriptor 3 is what sd_listen_fds(3) calls the first; only the child knows its own LISTEN_PID.
PASSING = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec 3<&"$0"; exec "$@"'
JOURNALED = 'export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/$$/fd/1); exec 2>&1; exec "$@"'


class Supervisor:
    """Listens for a daemon's news on a Unix socket, at a path or under an abstract name."""

    def __init__(self, folder: Path, abstract: bool = False) -> None:
        self.news: list[dict[str, str]] = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"gatehouse-{uuid.uuid4().hex}" if abstract else str(folder / "notify")
        self._socket.bind("\0" + name if abstract else name)
        self.variables = {"NOTIFY_SOCKET": "@" + name if abstract else name}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            text = self._socket.recv(65536).decode()
            with self._changed:
                self.news.append(dict(line.split("=", 1) for line in text.splitlines()))
                self._changed.notify_all()

    def wait_for(self, name: str, count: int = 1) -> dict[str, str]:
        """The `count`th of the datagrams that have `name`."""

        def found() -> list[dict[str, str]]:
            return [news for news in self.news if name in news]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, timeout=30), self.news
            return found()[count - 1]


def pass_socket(server: Server, listening: socket.socket) -> None:
    """From its next start on, the server gets this socket as systemd would pass it."""
    server.wrapper = ["bash", "-c", PASSING, str(listening.fileno())]
    server.pass_fds = (listening.fileno(),)


def journal(server: Server) -> None:
    """From its next start on, the server's output goes to what it takes for journald."""
    server.wrapper = ["bash", "-c", JOURNALED, "journal"]


class Caller(threading.Thread):
    """Calls the gate again and again, as an ordinary HTTP client does, and forgives nothing."""

    def __init__(self, address: str, who: Credential, keeps: bool, pause: float = 0) -> None:
        super().__init__()
        parts = urlsplit(address)
        self.host, self.port = parts.hostname, parts.port
        self.headers = authorization(who) | ({} if keeps else {"Connection": "close"})
        self.pause = pause
        self.answered = 0
        self.connections = 0
        self.failures: list[str] = []
        self._end = threading.Event()

    def run(self) -> None:
        connection = None
        while not self._end.wait(self.pause):
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
                    self.connections += 1
                connection.request("GET", BASE + "/gate", headers=self.headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200:
                    self.answered += 1
                else:
                    self.failures.append(f"{answer.status} {body!r}")
                if answer.getheader("Connection") == "close":
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as failure:
                self.failures.append(repr(failure))
                connection = None

    def end(self) -> None:
        self._end.set()
        self.join()


def killed_start(server: Server, call: str, count: int) -> bool:
    """A start that is killed at the `count`th `call` of one of its threads; False if it came up."""
    kill = ["strace", "-D", "-f", "-qq", "-o", os.devnull]
    inject = f"inject={call}:signal=SIGKILL:when={count}"
    server.wrapper = [*kill, "-e", f"trace={call}", "-e", inject]
    try:
        server.start()
    except AssertionError:
        assert server.process.returncode == -9, server.output()
        return False
    finally:
        server.wrapper = []
    server.kill()
    return True


def until(condition: Callable[[], bool]) -> None:
    """Waits for what other threads count."""
    tick = threading.Event()
    for _ in range(3000):
        if condition():
            return
        tick.wait(0.01)
    raise AssertionError("not within 30 s")
