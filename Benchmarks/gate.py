#!/usr/bin/env python3
"""What the gate costs, beside a bare NIO HTTP/1 answer and the framework's own hello.

Everything is measured in alternating rounds of one run, so that a machine that wanders wanders for
all of them alike. Prints a table in Markdown. Needs wrk and hey (Debian packages) and release
builds: `make bench-gate` sees to them.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from customers import requests, script, seed, stride

ROOT = Path(__file__).parents[1]
GATEHOUSE = ROOT / ".build/release/gatehouse"
YARDSTICKS = ROOT / ".build-bench/release"
PASSWORD = "correct horse battery staple"
CONNECTIONS = 64
LINES = 1_000_000  # requests that are made ready for a server with few customers
RATE = 5000  # requests a second, for the tail latency
TICKS = os.sysconf("SC_CLK_TCK")
# With --apart: what a command of a server, and one of the load generator, begins with.
SERVER: list[str] = []
CLIENT: list[str] = []


@dataclass
class Case:
    name: str
    url: str
    server: subprocess.Popen
    header: str = ""
    script: str = ""
    counts: list[int] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # microseconds of the server a request
    generator: list[float] = field(default_factory=list)  # the same of wrk


def start(*command: str | Path, **settings: str) -> subprocess.Popen:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GATEHOUSE_")}
    return subprocess.Popen(
        SERVER + [str(word) for word in command], env=environment | settings, cwd="/",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for(url: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing answers at {url}")


def call(base: str, path: str, body: dict, token: str = "") -> dict:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(
        base + path, json.dumps(body).encode(), headers, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def microseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


def cpu_seconds(process: subprocess.Popen) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(case: Case, seconds: int) -> None:
    command = [*CLIENT, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    command += ["-H", case.header] if case.header else []
    command += ["-s", case.script] if case.script else []
    before, wrk = cpu_seconds(case.server), os.times()
    text = subprocess.run(
        [*command, case.url], capture_output=True, text=True, check=True
    ).stdout
    used, wrk_after = cpu_seconds(case.server) - before, os.times()
    if "Non-2xx" in text:
        sys.exit(f"{case.name}: {text}")
    count = int(re.search(r"(\d+) requests in", text)[1])
    case.counts.append(count)
    case.rates.append(float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]))
    case.p50.append(microseconds(re.search(r"(?m)^ +50% +(\S+)$", text)[1]))
    case.p99.append(microseconds(re.search(r"(?m)^ +99% +(\S+)$", text)[1]))
    case.cpu.append(used / count * 1e6)
    own = wrk_after.children_user - wrk.children_user
    own += wrk_after.children_system - wrk.children_system
    case.generator.append(own / count * 1e6)


def at_rate(case: Case, seconds: int) -> str:
    """The tail at a fixed rate, which a saturated server cannot show."""
    # Each worker sends at the tick of a clock of its own: many of them would send in one burst.
    workers = 10
    command = [*CLIENT, "hey", "-z", f"{seconds}s", "-c", str(workers), "-q", str(RATE // workers)]
    command += ["-H", case.header] if case.header else []
    text = subprocess.run([*command, case.url], capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)[1]
    tail = re.search(r"99% in ([\d.]+) secs", text)[1]
    return f"{float(rate):,.0f} requests/s, p99 {float(tail) * 1000:.2f} ms"


def prepare(base: str, data: Path) -> tuple[str, str]:
    """A customer without a limit in reach: an access token and a key of theirs."""
    token = (data / "setup-token").read_text().strip()
    admin = call(
        base, "/setup", {"token": token, "email": "root@example.com", "password": PASSWORD}
    )["access_token"]
    limits = {"requests_per_second": 10**9, "requests_per_month": 10**12}
    plan = {"slug": "bench", "name": "Bench", "self_service": True, "limits": limits}
    call(base, "/admin/plans", plan, admin)
    login = {"email": "ann@example.com", "password": PASSWORD}
    call(base, "/auth/register", login)
    token = call(base, "/auth/login", login)["access_token"]
    call(base, "/subscribe", {"plan": "bench"}, token)
    key = call(base, "/api-keys", {"name": "bench", "scopes": ["gate"]}, token)["key"]
    return token, key


def table(cases: list[Case]) -> None:
    rate = {case.name: statistics.median(case.rates) for case in cases}
    print("| call | requests/s (least to most) | of bare | of hello | p50 | p99 | CPU a request |")
    print("|---|---|---|---|---|---|---|")
    for case in cases:
        middle = rate[case.name]
        print(
            f"| {case.name} | {middle:,.0f} ({min(case.rates):,.0f} to {max(case.rates):,.0f})"
            f" | {middle / rate['bare NIO']:.2f} | {middle / rate['hello']:.2f}"
            f" | {statistics.median(case.p50) / 1000:.2f} ms"
            f" | {statistics.median(case.p99) / 1000:.2f} ms"
            f" | {statistics.median(case.cpu):.1f} µs |"
        )


def memory(process: subprocess.Popen) -> str:
    status = Path(f"/proc/{process.pid}/status").read_text()
    kilobytes = int(re.search(r"VmRSS:\s+(\d+)", status)[1])
    return f"{kilobytes / 1024:,.0f} MiB"


def run(rounds: int, seconds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        bare = start(YARDSTICKS / "Bare", "9102")
        hello = start(YARDSTICKS / "Hello", "9100")
        gate = start(
            GATEHOUSE, "serve", "--listen", "127.0.0.1:9101", "--data-dir", data,
            GATEHOUSE_LIMITS_AUTH_ENABLED="false", GATEHOUSE_METRICS_LISTEN="off",
        )  # fmt: skip
        try:
            root, base = "http://127.0.0.1:9101", "http://127.0.0.1:9101/api/v1"
            for url in ("http://127.0.0.1:9102/", "http://127.0.0.1:9100/hello", root + "/readyz"):
                wait_for(url)
            token, key = prepare(base, data)
            bearer, api_key = f"Authorization: Bearer {token}", f"X-API-Key: {key}"
            cases = [
                Case("bare NIO", "http://127.0.0.1:9102/", bare),
                Case("hello", "http://127.0.0.1:9100/hello", hello),
                Case("/healthz", root + "/healthz", gate),
                Case("/gate, key", base + "/gate", gate, api_key),
                Case("/gate, token", base + "/gate", gate, bearer),
                Case("/api/v1/me", base + "/me", gate, bearer),
            ]
            for _ in range(rounds):
                for case in cases:
                    measure(case, seconds)
            table(cases)
            print(f"\nAt {RATE} requests/s: {at_rate(cases[3], 2 * seconds)}.")
            print(f"Resident after it all: {memory(gate)}.")
        finally:
            for process in (gate, hello, bare):
                process.terminate()
                process.wait()


def warm(url: str, every: Path, count: int) -> float:
    """Until every customer was asked for once; seconds."""
    begin = time.monotonic()
    asked = 0
    while asked < count:
        text = subprocess.run(
            [*CLIENT, "wrk", "-t1", f"-c{CONNECTIONS}", "-d10s",
             "-s", str(script(every, asked, count)), url],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        # Those that were on their way at the end are asked for again.
        asked += int(re.search(r"(\d+) requests in", text)[1]) - CONNECTIONS
    return time.monotonic() - begin


def customers(
    counts: list[int], active: int, settle: int, rounds: int, seconds: int
) -> None:
    """The gate with so many customers in memory, of whom `active` are asked for in turn."""
    cases: list[tuple[Path, Case, str]] = []
    lines = max(*counts, LINES)
    with tempfile.TemporaryDirectory() as folder:
        try:
            for number, count in enumerate(counts):
                data = Path(folder) / str(count) / "data"
                data.parent.mkdir()
                base = f"http://127.0.0.1:{9110 + number}"
                command = (GATEHOUSE, "serve", "--listen", base[7:], "--data-dir", data)
                settings = {
                    "GATEHOUSE_LIMITS_AUTH_ENABLED": "false",
                    "GATEHOUSE_METRICS_LISTEN": "off",
                    "GATEHOUSE_LIMITS_CUSTOMERS_IN_MEMORY": str(4 * count + 1000),
                }
                server = start(*command, **settings)
                wait_for(base + "/readyz")
                prepare(base + "/api/v1", data)
                server.terminate()
                server.wait()
                keys = seed(data, count)
                server = start(*command, **settings)
                wait_for(base + "/readyz")
                before = memory(server)
                took = warm(base, requests(keys, count, count), count)
                said = f"{before} before, {memory(server)} after all were asked for ({took:.0f} s)"
                case = Case(f"{count:,}", base, server)
                asked = min(count, active or count)
                cases.append((requests(keys, asked, lines, stride(asked)), case, said))
            time.sleep(settle)
            for _ in range(rounds):
                for asking, case, _ in cases:
                    # On from where the last round ended; more than a round can send.
                    first = sum(case.counts) % lines
                    case.script = str(script(asking, first, lines // 2))
                    measure(case, seconds)
            print(
                "| customers | requests/s (least to most) | CPU a request | wrk's | p99 | memory |"
            )
            print("|---|---|---|---|---|---|")
            for _, case, said in cases:
                middle = statistics.median(case.rates)
                print(
                    f"| {case.name} | {middle:,.0f} ({min(case.rates):,.0f} to"
                    f" {max(case.rates):,.0f}) | {statistics.median(case.cpu):.1f} µs"
                    f" | {statistics.median(case.generator):.1f} µs"
                    f" | {statistics.median(case.p99) / 1000:.2f} ms | {said} |"
                )
        finally:
            for _, case, _ in cases:
                case.server.kill()
                case.server.wait()


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes spans and errors, and throws them away."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


def scrape(url: str, stop: threading.Event) -> None:
    while not stop.wait(1):
        urllib.request.urlopen(url, timeout=10).read()


def observed(rounds: int, seconds: int) -> None:
    """The gate with metrics, traces, error reports and slow lines, and without, side by side."""
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    address, stop = f"127.0.0.1:{sink.server_port}", threading.Event()
    quiet = {"LOG_SLOW_REQUEST": "0s", "LOG_SLOW_QUERY": "0s", "METRICS_LISTEN": "off"}
    watched = {
        "METRICS_LISTEN": "127.0.0.1:9121", "OTLP_ENDPOINT": f"http://{address}",
        "OTLP_SAMPLE_RATIO": "0.1", "SENTRY_DSN": f"http://key@{address}/1",
    }  # fmt: skip
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, settings) in enumerate((("off", quiet), ("on", watched))):
            data, root = Path(folder) / name / "data", f"http://127.0.0.1:{9119 + number}"
            data.parent.mkdir()
            server = start(
                GATEHOUSE, "serve", "--listen", root[7:], "--data-dir", data,
                GATEHOUSE_LIMITS_AUTH_ENABLED="false",
                **{f"GATEHOUSE_{key}": value for key, value in settings.items()},
            )  # fmt: skip
            cases.append(Case(name, root + "/api/v1/gate", server))
            wait_for(root + "/readyz")
            _, key = prepare(root + "/api/v1", data)
            cases[-1].header = f"X-API-Key: {key}"
        threading.Thread(
            target=scrape, args=("http://127.0.0.1:9121/metrics", stop), daemon=True
        ).start()
        try:
            for number in range(rounds):
                # Whoever is first has the other's heat behind it the next time.
                for case in cases if number % 2 else reversed(cases):
                    measure(case, seconds)
        finally:
            stop.set()
            for case in cases:
                case.server.terminate()
                case.server.wait()
            sink.shutdown()
    print("| observed | requests/s (least to most) | server CPU a request | p99 |")
    print("|---|---|---|---|")
    for case in cases:
        print(
            f"| {case.name} | {statistics.median(case.rates):,.0f} ({min(case.rates):,.0f} to"
            f" {max(case.rates):,.0f}) | {statistics.median(case.cpu):.1f} µs"
            f" | {statistics.median(case.p99) / 1000:.2f} ms |"
        )
    off, on = cases
    pairs = [b / a for a, b in zip(off.rates, on.rates)]
    print(f"\nOn by off, round by round: {statistics.median(pairs):.3f}", end=" ")
    print(f"({min(pairs):.3f} to {max(pairs):.3f}).")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument(
        "--customers", type=int, nargs="+", help="instead: the gate with so many customers"
    )
    parser.add_argument(
        "--active", type=int, default=0, help="of whom so many are asked for (default: all)"
    )
    parser.add_argument(
        "--settle", type=int, default=0,
        help="seconds to wait until Linux has gathered large pages (0: measure at once)",
    )  # fmt: skip
    parser.add_argument(
        "--observed", action="store_true",
        help="instead: with metrics, traces and error reports, and without",
    )  # fmt: skip
    parser.add_argument(
        "--apart", action="store_true",
        help="servers on the first core, the load generator on the second: then rates are the "
        "servers' own",
    )  # fmt: skip
    arguments = parser.parse_args()
    if arguments.apart:
        SERVER += ["taskset", "--cpu-list", "0"]
        CLIENT += ["taskset", "--cpu-list", "1"]
    if arguments.observed:
        observed(arguments.rounds, arguments.seconds)
    elif arguments.customers:
        customers(
            arguments.customers, arguments.active, arguments.settle, arguments.rounds,
            arguments.seconds,
        )  # fmt: skip
    else:
        run(arguments.rounds, arguments.seconds)
