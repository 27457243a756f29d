#!/usr/bin/env python3
"""What a backup costs those who write meanwhile: p99 of a write and of the gate, with and without.

Fills a store to the size that is asked for, starts a release of the daemon on it, and sends writes
over 16 connections and gate calls over 4 at a steady rate, from processes of their own. Spans
without a backup and spans with one alternate in one run, so that a machine that wanders wanders
for both. A latency counts from the moment the request was due, so one that waits behind a slow one
counts its wait (no coordinated omission). Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from customers import uuid7
from gate import GATEHOUSE, PASSWORD, call, start, wait_for

HOST, PORT = "127.0.0.1", 9130
ROW_BYTES = 12_000  # of an item's data: below the 16 KiB that an item may have
WRITERS, GATES = 16, 4


def fill(data: Path, gigabytes: float) -> None:
    """Items of somebody who never signs in, straight into a store that no daemon holds."""
    store = sqlite3.connect(data / "gatehouse.db", isolation_level=None)
    store.execute("PRAGMA synchronous = OFF")
    now = int(time.time() * 1000)
    owner = uuid7(now, 0)
    store.execute("BEGIN")
    store.execute(
        "INSERT INTO users (id, email, role, is_active, email_verified, totp_enabled,"
        " token_version, created_at, updated_at)"
        " VALUES (?, 'bulk@example.org', 'user', 1, 1, 0, 1, ?, ?)",
        (owner, now, now),
    )
    count = int(gigabytes * 1e9 / (ROW_BYTES + 300))
    noise = os.urandom(ROW_BYTES // 2).hex()
    rows = (
        (uuid7(now, number), owner, json.dumps(noise[number % 1000 :]), now, now)
        for number in range(count)
    )
    store.executemany(
        "INSERT INTO items (id, user_id, name, data_json, created_at, updated_at)"
        " VALUES (?, ?, 'bulk', ?, ?, ?)",
        rows,
    )
    store.execute("COMMIT")
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


# The load


def request(method: str, path: str, header: str, body: bytes = b"") -> bytes:
    lines = [f"{method} /api/v1{path} HTTP/1.1", f"Host: {HOST}:{PORT}", header]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def connection(text: bytes, first: float, every: float, seen: list) -> None:
    reader, writer = await asyncio.open_connection(HOST, PORT)
    due = first
    while True:
        await asyncio.sleep(due - time.monotonic())
        writer.write(text)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        if head[9] != ord("2"):
            raise SystemExit(head.decode())
        seen.append((due, time.monotonic() - due))
        due += every


def send(text: bytes, connections: int, rate: float, pipe) -> None:
    """Until told to stop; then hands over (when it was due, how long it took)."""

    async def run() -> list:
        seen: list[tuple[float, float]] = []
        begin, every = time.monotonic() + 0.5, connections / rate
        tasks = [
            asyncio.create_task(connection(text, begin + n * every / connections, every, seen))
            for n in range(connections)
        ]
        while not pipe.poll():
            await asyncio.sleep(0.2)
            for task in tasks:
                if task.done():
                    task.result()
        for task in tasks:
            task.cancel()
        return seen

    pipe.recv()
    pipe.send(asyncio.run(run()))


@dataclass
class Load:
    text: bytes
    connections: int
    rate: float
    seen: list = field(default_factory=list)

    def start(self) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(
            target=send, args=(self.text, self.connections, self.rate, theirs)
        )
        self.process.start()
        self.pipe.send("go")

    def stop(self) -> None:
        self.pipe.send("stop")
        self.seen = self.pipe.recv()
        self.process.join()

    def within(self, begin: float, end: float) -> list[float]:
        return sorted(took for due, took in self.seen if begin <= due < end)


def share(sorted_values: list[float], part: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * part))] * 1000


# The run


def prepare(base: str, data: Path) -> str:
    token = (data / "setup-token").read_text().strip()
    body = {"token": token, "email": "root@example.com", "password": PASSWORD}
    admin = call(base, "/setup", body)["access_token"]
    plan = {"slug": "bench", "name": "Bench", "self_service": True, "limits": {}}
    call(base, "/admin/plans", plan, admin)
    login = {"email": "ann@example.com", "password": PASSWORD}
    call(base, "/auth/register", login)
    token = call(base, "/auth/login", login)["access_token"]
    call(base, "/subscribe", {"plan": "bench"}, token)
    scopes = ["gate", "items:write"]
    return call(base, "/api-keys", {"name": "bench", "scopes": scopes}, token)["key"]


def serve(binary: Path, data: Path) -> subprocess.Popen:
    server = start(
        binary, "serve", "--listen", f"{HOST}:{PORT}", "--data-dir", data,
        GATEHOUSE_LIMITS_AUTH_ENABLED="false",
    )  # fmt: skip
    wait_for(f"http://{HOST}:{PORT}/readyz")
    return server


def stop(server: subprocess.Popen) -> None:
    server.terminate()
    server.wait()


def backup(binary: Path, data: Path) -> tuple[float, float]:
    """When it ran; the file goes again."""
    begin = time.monotonic()
    made = subprocess.run(
        [binary, "backup", "--json", "--data-dir", data],
        capture_output=True, text=True, cwd="/",
    )  # fmt: skip
    if made.returncode != 0:
        sys.exit(made.stderr)
    end = time.monotonic()
    Path(json.loads(made.stdout)["path"]).unlink()
    return begin, end


def report(name: str, load: Load, idle: list, busy: list) -> None:
    parts = []
    for spans in (idle, busy):
        each = [load.within(*span) for span in spans]
        merged = sorted(value for values in each for value in values)
        low, high = (f(share(values, 0.99) for values in each) for f in (min, max))
        parts.append((share(merged, 0.5), share(merged, 0.99), low, high, merged[-1] * 1000))
    ratio = parts[1][1] / parts[0][1]
    for what, (middle, tail, low, high, most) in zip(("no backup", "backup"), parts):
        print(
            f"| {name}, {what} | {middle:.1f} ms | {tail:.1f} ms ({low:.1f} to {high:.1f})"
            f" | {most:.0f} ms | {ratio if what == 'backup' else 1:.2f} |"
        )


def measure(binary: Path, data: Path, loads: list[Load], rounds: int, seconds: float):
    """Spans without a backup and spans with one, in turn."""
    idle, busy = [], []
    for load in loads:
        load.start()
    try:
        time.sleep(5)
        for _ in range(rounds):
            begin = time.monotonic()
            time.sleep(seconds)
            idle.append((begin, time.monotonic()))
            busy.append(backup(binary, data))
            time.sleep(5)
        for load in loads:
            load.stop()
    finally:
        for load in loads:
            if load.process.is_alive():
                load.process.kill()
    return idle, busy


def run(arguments: argparse.Namespace) -> None:
    binary = arguments.binary.resolve()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        data = Path(folder) / "data"
        server = serve(binary, data)
        key = prepare(f"http://{HOST}:{PORT}/api/v1", data)
        stop(server)
        fill(data, arguments.gigabytes)
        os.sync()
        server = serve(binary, data)
        body = json.dumps({"name": "x", "data": {"n": 1}}).encode()
        header = f"X-API-Key: {key}"
        loads = [
            Load(request("POST", "/items", header, body), WRITERS, arguments.rate),
            Load(request("GET", "/gate", header), GATES, arguments.gate_rate),
        ]
        try:
            idle, busy = measure(binary, data, loads, arguments.rounds, arguments.seconds)
        finally:
            stop(server)
        size = (data / "gatehouse.db").stat().st_size / 1e9
    spans = [end - begin for begin, end in busy]
    print(
        f"{size:.1f} GB; {arguments.rate:.0f} writes/s and {arguments.gate_rate:.0f} gate"
        f" calls/s; {arguments.rounds} rounds; a backup took {min(spans):.0f} to"
        f" {max(spans):.0f} s (median {statistics.median(spans):.0f}).\n"
    )
    print("| call | p50 | p99 (least to most of a round) | longest | p99 of no backup |")
    print("|---|---|---|---|---|")
    report("POST /items", loads[0], idle, busy)
    report("/gate", loads[1], idle, busy)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30, help="of each span without a backup")
    parser.add_argument("--rate", type=float, default=400, help="writes a second")
    parser.add_argument("--gate-rate", type=float, default=500, help="gate calls a second")
    parser.add_argument("--binary", type=Path, default=GATEHOUSE)
    parser.add_argument("--folder", default="/var/tmp", help="a disk with 3 times the room")
    run(parser.parse_args())
