#!/usr/bin/env python3
"""Blocks of memory that one answer of the gate asks for, beside a bare NIO HTTP/1 answer.

Counts malloc and its kin in the running server, by a preloaded library. Needs wrk, cc and the
builds of `make bench-gate`.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from gate import GATEHOUSE, ROOT, YARDSTICKS, Case, measure, prepare, start, wait_for

SOURCE = ROOT / "Benchmarks/Admit/CAllocations"


def each(case: Case, counter: Path) -> float:
    """Of one answer, connections and all; warm."""
    measure(case, 1)
    before = int.from_bytes(counter.read_bytes(), "little")
    measure(case, 3)
    after = int.from_bytes(counter.read_bytes(), "little")
    return (after - before) / case.counts[-1]


def run(folder: Path) -> None:
    library = folder / "allocations.so"
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-I", SOURCE / "include", "-o", library,
         SOURCE / "Allocations.c"],
        check=True,
    )  # fmt: skip
    data, counters = folder / "data", (folder / "bare", folder / "gate")
    settings = {"LD_PRELOAD": str(library)}
    bare = start(YARDSTICKS / "Bare", "9102", **settings, GATEHOUSE_ALLOCATIONS=str(counters[0]))
    gate = start(
        GATEHOUSE, "serve", "--listen", "127.0.0.1:9101", "--data-dir", data,
        GATEHOUSE_LIMITS_AUTH_ENABLED="false", GATEHOUSE_METRICS_LISTEN="off",
        **settings, GATEHOUSE_ALLOCATIONS=str(counters[1]),
    )  # fmt: skip
    try:
        root, base = "http://127.0.0.1:9101", "http://127.0.0.1:9101/api/v1"
        for url in ("http://127.0.0.1:9102/", root + "/readyz"):
            wait_for(url)
        token, key = prepare(base, data)
        cases = [
            (Case("bare NIO", "http://127.0.0.1:9102/", bare), counters[0]),
            (Case("/gate, key", base + "/gate", gate, f"X-API-Key: {key}"), counters[1]),
            (Case("/gate, token", base + "/gate", gate, f"Authorization: Bearer {token}"),
             counters[1]),
        ]  # fmt: skip
        print("| call | allocations an answer |\n|---|---|")
        for case, counter in cases:
            print(f"| {case.name} | {each(case, counter):.1f} |")
    finally:
        for process in (gate, bare):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder))
