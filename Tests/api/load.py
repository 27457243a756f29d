"""Clients that call as fast as they can until the server is gone, and what they were told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

from checks import JSON, connect
from gatehouse import BASE, Credential, Server, authorization

PIPELINED = 4  # requests under way on one connection: more than one client's patience


def request_bytes(
    server: Server, method: str, path: str, who: Credential, body: dict | None = None
) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {BASE}{path} HTTP/1.1", f"Host: {server.address.removeprefix('http://')}"]
    lines += [f"{name}: {value}" for name, value in authorization(who).items()]
    if body is not None:
        lines += [f"Content-Type: {JSON}", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def read_whole(stream: BinaryIO) -> tuple[int, bytes]:
    """The status and body of one answer; EOFError when it did not come whole."""
    status, length = stream.readline(), 0
    while (line := stream.readline()) != b"\r\n":
        if not line.endswith(b"\n"):
            raise EOFError
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    return int(status.split()[1]), body


class Client(threading.Thread):
    """One connection: sends what `requests` gives, until it breaks or `requests` ends."""

    def __init__(self, address: str, requests: Iterator[bytes], seen: Callable[[], None]) -> None:
        super().__init__()
        self.address, self.requests, self.seen = address, requests, seen
        self.sent = 0  # also those of which only a part may have left
        self.answers: list[tuple[int, bytes]] = []  # in the order of the requests

    def run(self) -> None:
        try:
            with connect(self.address) as connection, connection.makefile("rb") as stream:
                for request in self.requests:
                    self.sent += 1
                    connection.sendall(request)
                    if self.sent >= PIPELINED:
                        self._read(stream)
                while len(self.answers) < self.sent:
                    self._read(stream)
        except (OSError, EOFError):
            pass  # killed

    def _read(self, stream: BinaryIO) -> None:
        self.answers.append(read_whole(stream))
        self.seen()

    @property
    def answered(self) -> int:
        return sum(200 <= status < 300 for status, _ in self.answers)

    @property
    def refused(self) -> list[tuple[int, bytes]]:
        return [answer for answer in self.answers if not 200 <= answer[0] < 300]


class Load:
    """Clients at work on one server, one for each source of requests."""

    def __init__(self, server: Server, sources: list[Iterator[bytes]]) -> None:
        self._changed, self._count = threading.Condition(), 0
        self.clients = [Client(server.address, source, self._seen) for source in sources]
        for client in self.clients:
            client.start()

    def _seen(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def until(self, answers: int, end: Callable[[], None]) -> None:
        """Ends the server after so many answers, and all clients with it; none was refused."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._count >= answers, timeout=60), self._count
        end()
        for client in self.clients:
            client.join()
            assert client.refused == []
