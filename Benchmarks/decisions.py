#!/usr/bin/env python3
"""What a decision costs the Redis that nodes share, by what it has to read.

For each case a node decides once, and Redis tells what it was sent (MONITOR). That very question is
then sent again and again: by clients over loopback that wait for each answer, and by one that does
not, which shows the most that the server can do. Where nothing else runs, the script's time (INFO
commandstats) tells most; beside other work the server's CPU does, for that clock runs on while the
server waits for a core. Needs redis-server with its tools and a PostgreSQL server (Debian
packages), and a release build:

    tools/with-postgres python3 Benchmarks/decisions.py

Prints a table in Markdown.
"""

from __future__ import annotations

import ast
import contextlib
import multiprocessing
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gate import GATEHOUSE, PASSWORD, call, cpu_seconds, wait_for
from nodes import start

PORT, REDIS_PORT = 9140, 9139
CLIENTS = {"1 client": (1, 1), "3 clients": (3, 1), "at most": (1, 200)}  # and how many at once
ROUNDS = 3
SECONDS = 1.0  # of each measurement
MANY = 10**9
THREE = {"requests_per_second": MANY, "requests_per_minute": MANY, "requests_per_month": 10**12}


@dataclass
class Case:
    name: str
    limits: dict[str, int]
    key_limits: dict[str, int] = field(default_factory=dict)
    metrics: int = 0  # in use besides
    reservations: int = 0
    times: list[float] = field(default_factory=list)  # microseconds of the script
    cpu: list[float] = field(default_factory=list)  # microseconds of the server a decision, at most
    rates: dict[str, list[float]] = field(default_factory=dict)  # by clients


CASES = [
    Case("three limits", THREE),
    Case(
        "two more of the key's own", THREE,
        key_limits={"requests_per_minute": MANY - 1, "requests_per_day": MANY},
    ),
    Case("refused", THREE | {"requests_per_month": 1}),
    Case("three limits, 11 metrics in use", THREE, metrics=10),
    Case("the same, and 1,000 live reservations", THREE, metrics=10, reservations=1000),
]  # fmt: skip


def redis(*words: str) -> str:
    command = ["redis-cli", "-p", str(REDIS_PORT), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def sent(decide: Callable[[], None]) -> tuple[str, str, bytes]:
    """The script, the key and the question of a decision, as Redis tells them."""
    with socket.create_connection(("127.0.0.1", REDIS_PORT), timeout=30) as connection:
        # Both are closed: Redis would spell each command out to who goes on listening.
        with connection.makefile("r", encoding="ascii") as lines:
            connection.sendall(b"MONITOR\r\n")
            lines.readline()
            decide()
            for line in lines:
                words = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
                if words[0].upper() == "EVALSHA" and len(words) == 5:
                    return words[1], words[3], ast.literal_eval(f'b"{words[4]}"')
    raise EOFError


def at_any_time(question: bytes) -> bytes:
    """[now, lateness, …], so that the script does not mind when it is asked: lateness is -1."""
    late = b"\xcd\x03\xe8"  # 1000 ms, behind a list's head and 64 bits of a moment
    assert question[10:13] == late, question
    return question[:10] + b"\xff" + question[13:]


def ask(base: str, credential: str, metric: str = "requests") -> None:
    with contextlib.suppress(urllib.error.HTTPError):  # a refusal
        call(base, f"/gate?metric={metric}", {}, credential)


def customer(base: str, admin: str, number: int, case: Case) -> str:
    """One who is in that case; a credential of theirs."""
    plan = {"slug": f"case-{number}", "name": "Case", "self_service": True, "limits": case.limits}
    call(base, "/admin/plans", plan, admin)
    login = {"email": f"ann{number}@example.com", "password": PASSWORD}
    call(base, "/auth/register", login)
    token = call(base, "/auth/login", login)["access_token"]
    call(base, "/subscribe", {"plan": plan["slug"]}, token)
    for other in range(case.metrics):
        ask(base, token, f"metric_{other}")
    for _ in range(case.reservations):
        call(base, "/reservations", {"metric": "metric_0", "amount": 1, "ttl_seconds": 3600}, token)
    key = {"name": "case", "scopes": ["gate"], "limits": case.key_limits}
    credential = call(base, "/api-keys", key, token)["key"]
    ask(base, credential)
    return credential


def send(words: list[bytes], at_once: int) -> int:
    """Asks for a while; how often. A decision's answer ends with a state, behind its length."""
    command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)
    count, end = 0, time.monotonic() + SECONDS
    with socket.create_connection(("127.0.0.1", REDIS_PORT)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = connection.makefile("rb", buffering=1 << 20)
        while time.monotonic() < end:
            connection.sendall(command * at_once)
            for _ in range(at_once):
                assert answers.readline() == b"*3\r\n"  # what it was, a version, a state
                for _ in range(3):
                    answers.read(int(answers.readline()[1:]) + 2)
            count += at_once
    return count


def measure(
    case: Case, server: subprocess.Popen, script: str, key: str, question: bytes
) -> None:
    words = [b"EVALSHA", script.encode(), b"1", key.encode(), question]
    redis("CONFIG", "RESETSTAT")
    for name, (clients, at_once) in CLIENTS.items():
        before = cpu_seconds(server)
        with multiprocessing.Pool(clients) as pool:
            count = sum(pool.starmap(send, [(words, at_once)] * clients))
        case.rates.setdefault(name, []).append(count / SECONDS)
    # Of the last one, which makes hardly any trips.
    case.cpu.append((cpu_seconds(server) - before) / count * 1e6)
    stats = redis("INFO", "commandstats")
    case.times.append(float(re.search(r"cmdstat_evalsha:.*usec_per_call=([\d.]+)", stats)[1]))


def main(folder: Path, url: str) -> None:
    with contextlib.ExitStack() as started:
        def begin(*command: str | Path, **settings: str) -> subprocess.Popen:
            process = start(*command, **settings)
            started.callback(process.wait)
            started.callback(process.terminate)
            return process

        server = begin(
            "redis-server", "--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", folder,
        )  # fmt: skip
        keys, data = folder / "sealing-keys.json", folder / "data"
        subprocess.run(
            [GATEHOUSE, "keys", "make-sealing-key", keys], check=True, capture_output=True
        )
        begin(
            GATEHOUSE, "serve", "--listen", f"127.0.0.1:{PORT}", "--data-dir", data,
            GATEHOUSE_LIMITS_AUTH_ENABLED="false", GATEHOUSE_METRICS_LISTEN="off",
            GATEHOUSE_STORE_URL=url, GATEHOUSE_REDIS_URL=f"redis://127.0.0.1:{REDIS_PORT}",
            GATEHOUSE_AUTH_SEALING_KEYS_FILE=str(keys),
            GATEHOUSE_SERVER_PUBLIC_URL=f"http://127.0.0.1:{PORT}",
            GATEHOUSE_LIMITS_LOCAL_BLOCKS="false",  # or the node decides by itself
        )  # fmt: skip
        base = f"http://127.0.0.1:{PORT}/api/v1"
        wait_for(f"http://127.0.0.1:{PORT}/readyz")
        setup = {
            "token": (data / "setup-token").read_text().strip(), "email": "root@example.com",
            "password": PASSWORD,
        }  # fmt: skip
        admin = call(base, "/setup", setup)["access_token"]
        questions = []
        for number, case in enumerate(CASES):
            credential = customer(base, admin, number, case)
            script, key, question = sent(lambda credential=credential: ask(base, credential))
            questions.append((script, key, at_any_time(question)))
        for _ in range(ROUNDS):
            for case, question in zip(CASES, questions):
                measure(case, server, *question)
        print("| demand | state | script | CPU |", " | ".join(CLIENTS), "|")
        print("|" + "---|" * (4 + len(CLIENTS)))
        for case, (_, key, _) in zip(CASES, questions):
            rates = " | ".join(f"{statistics.median(r):,.0f}/s" for r in case.rates.values())
            state = int(redis("HSTRLEN", key, "s"))
            script, cpu = statistics.median(case.times), statistics.median(case.cpu)
            print(f"| {case.name} | {state:,} bytes | {script:.0f} µs | {cpu:.0f} µs | {rates} |")


if __name__ == "__main__":
    if (server := os.environ.get("GATEHOUSE_TEST_POSTGRES")) is None:
        sys.exit("Run it through tools/with-postgres.")
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary), server)
