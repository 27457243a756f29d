#!/usr/bin/env python3
"""What the gate does with 1, 2 and 3 nodes on one PostgreSQL and one Redis, all on one machine.

Each node has a load generator of its own, all at the same time, with one key; the sum is what the
nodes do together. Besides, what each part spends of the CPU on a request: on one machine that is
what tells how it grows, for its cores are shared by all of them and the rates are not those of a
machine for each. Rounds alternate, so that a machine that wanders wanders for all alike. Needs wrk,
redis-server and a PostgreSQL server (Debian packages) and a release build:

    tools/with-postgres python3 Benchmarks/nodes.py

Prints a table in Markdown. The server that tools/with-postgres starts does not wait for its disk.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from gate import CONNECTIONS, GATEHOUSE, cpu_seconds, microseconds, prepare, wait_for

FIRST_PORT = 9140
REDIS_PORT = 9139


@dataclass
class Case:
    count: int
    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)  # microseconds a request, by part


def start(*command: str | Path, **settings: str) -> subprocess.Popen:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GATEHOUSE_")}
    return subprocess.Popen(
        [str(word) for word in command], env=environment | settings, cwd="/",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def postgres_seconds() -> float:
    """Of all processes of the server: each connection is one."""
    total = 0.0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if (folder / "comm").read_text().strip() == "postgres":
                    fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                    total += sum(int(fields[n]) for n in (11, 12)) / os.sysconf("SC_CLK_TCK")
            except OSError:
                pass  # it has ended
    return total


def seconds_of(nodes: list[subprocess.Popen], redis: subprocess.Popen) -> dict[str, float]:
    return {
        "nodes": sum(cpu_seconds(node) for node in nodes),
        "Redis": cpu_seconds(redis), "PostgreSQL": postgres_seconds(),
    }  # fmt: skip


def measure(
    case: Case, nodes: list[subprocess.Popen], redis: subprocess.Popen, key: str, seconds: int
) -> None:
    each = CONNECTIONS // case.count
    before = seconds_of(nodes, redis)
    clients = [
        subprocess.Popen(
            ["wrk", "-t1", f"-c{each}", f"-d{seconds}s", "--latency", "-H", f"X-API-Key: {key}",
             f"http://127.0.0.1:{FIRST_PORT + number}/api/v1/gate"],
            stdout=subprocess.PIPE, text=True,
        )
        for number in range(case.count)
    ]  # fmt: skip
    texts = [client.communicate()[0] for client in clients]
    after = seconds_of(nodes, redis)
    for text in texts:
        if "Non-2xx" in text:
            sys.exit(f"{case.count} nodes: {text}")
    count = sum(int(re.search(r"(\d+) requests in", text)[1]) for text in texts)
    case.rates.append(sum(float(re.search(r"Requests/sec:\s+([\d.]+)", t)[1]) for t in texts))
    # Of the slowest node's clients.
    for wanted, into in (("50%", case.p50), ("99%", case.p99)):
        found = [re.search(rf"(?m)^ +{wanted} +(\S+)$", text)[1] for text in texts]
        into.append(max(microseconds(text) for text in found))
    for part, spent in after.items():
        case.cpu.setdefault(part, []).append((spent - before[part]) / count * 1e6)


def table(cases: list[Case]) -> None:
    print("| nodes | requests/s (least to most) | p50 | p99 | CPU a request: nodes | Redis", end="")
    print(" | PostgreSQL |\n|---|---|---|---|---|---|---|")
    for case in cases:
        cpu = " | ".join(f"{statistics.median(spent):.1f} µs" for spent in case.cpu.values())
        print(
            f"| {case.count} | {statistics.median(case.rates):,.0f}"
            f" ({min(case.rates):,.0f} to {max(case.rates):,.0f})"
            f" | {statistics.median(case.p50) / 1000:.2f} ms"
            f" | {statistics.median(case.p99) / 1000:.2f} ms | {cpu} |"
        )


def run(most: int, rounds: int, seconds: int, blocks: bool) -> None:
    url = os.environ.get("GATEHOUSE_TEST_POSTGRES")
    if url is None:
        sys.exit("Run it through tools/with-postgres.")
    started: list[subprocess.Popen] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            redis = start(
                "redis-server", "--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--maxmemory-policy", "noeviction", "--dir", folder,
            )  # fmt: skip
            started.append(redis)
            keys = Path(folder) / "sealing-keys.json"
            subprocess.run(
                [GATEHOUSE, "keys", "make-sealing-key", keys], check=True, capture_output=True
            )
            nodes: list[subprocess.Popen] = []
            for number in range(most):
                data = Path(folder) / f"node-{number}" / "data"
                data.parent.mkdir()
                nodes.append(start(
                    GATEHOUSE, "serve", "--listen", f"127.0.0.1:{FIRST_PORT + number}",
                    "--data-dir", data, GATEHOUSE_LIMITS_AUTH_ENABLED="false",
                    GATEHOUSE_METRICS_LISTEN="off", GATEHOUSE_STORE_URL=url,
                    GATEHOUSE_REDIS_URL=f"redis://127.0.0.1:{REDIS_PORT}",
                    GATEHOUSE_AUTH_SEALING_KEYS_FILE=str(keys),
                    GATEHOUSE_SERVER_PUBLIC_URL=f"http://127.0.0.1:{FIRST_PORT}",
                    GATEHOUSE_LIMITS_LOCAL_BLOCKS=str(blocks).lower(),
                ))  # fmt: skip
                started.append(nodes[-1])
                wait_for(f"http://127.0.0.1:{FIRST_PORT + number}/readyz")
            _, key = prepare(
                f"http://127.0.0.1:{FIRST_PORT}/api/v1", Path(folder) / "node-0" / "data"
            )
            cases = [Case(count) for count in range(1, most + 1)]
            for number in range(rounds):
                for case in cases if number % 2 == 0 else reversed(cases):
                    measure(case, nodes, redis, key, seconds)
            table(cases)
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument(
        "--no-blocks", dest="blocks", action="store_false", help="every request asks Redis"
    )
    arguments = parser.parse_args()
    run(arguments.nodes, arguments.rounds, arguments.seconds, arguments.blocks)
