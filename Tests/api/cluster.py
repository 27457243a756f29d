"""Several daemons on one PostgreSQL and one Redis, and nginx in front of them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from backends import Postgres, Redis, Wire
from checks import JSON, PROBLEM, eventually, ok
from gatehouse import BASE, Server, authorization, run_command, without_cookies
from proxies import Nginx, free_port, port_of

NODES = 3
KNOWN_WITHIN = 1.0  # seconds until what one node was told holds on the others (contract, T7)


class NodesNginx(Nginx):
    """The sample for several nodes, with their ports and its own."""

    sample = "nginx/nodes.conf"

    def __init__(self, folder: Path, nodes: list[str], port: int) -> None:
        self.nodes, self.wanted = nodes, port
        super().__init__(folder, "", "")
        self.port, self.address = port, f"http://127.0.0.1:{port}"

    def replacements(self, gate: str, application: str) -> list[tuple[str, str]]:
        rest = " max_fails=3 fail_timeout=1s;"
        lines = [f"    server 127.0.0.1:{port_of(node)}{rest}" for node in self.nodes]
        return [
            (f"    server gatehouse-1:8080{rest}\n", "\n".join(lines) + "\n"),
            (f"    server gatehouse-2:8080{rest}\n", ""),
            ("listen 8080;", f"listen 127.0.0.1:{self.wanted};"),
        ]


class Cluster:
    """`nodes` are in front of whom a test asks one; `through` goes by way of nginx."""

    def __init__(self, root: Path, count: int = NODES, **settings: str) -> None:
        self.root = root
        self.postgres, self.redis = Postgres(), Redis()
        # One wire a node, so that one alone can lose its way; PostgreSQL is reached as it is.
        self.wires = [Wire(self.redis.port) for _ in range(count)]
        self.port = free_port()
        keys = root / "sealing-keys.json"
        made = run_command(
            "keys", "make-sealing-key", str(keys), "--data-dir", str(root), cwd=root
        )
        assert made.returncode == 0, made.stderr
        common = {
            "store_url": self.postgres.url(), "auth_sealing_keys_file": str(keys),
            "server_public_url": f"http://127.0.0.1:{self.port}",
            "server_trusted_proxies": "127.0.0.1",
        }  # fmt: skip
        self.nodes = []
        for number, wire in enumerate(self.wires):
            folder = root / f"node-{number}"
            folder.mkdir()
            # A port that stays, since nginx knows it.
            self.nodes.append(
                Server(
                    folder, f"127.0.0.1:{free_port()}", redis_url=self.redis.url(wire.port),
                    **(common | settings),
                )  # fmt: skip
            )
        for node in self.nodes:
            node.start()
        self.nginx = NodesNginx(root, [node.address for node in self.nodes], self.port)
        self.nginx.__enter__()
        self.client = self.nginx.client
        self.well()

    def __getitem__(self, number: int) -> Server:
        return self.nodes[number]

    def close(self) -> None:
        failures = []
        for end in [
            lambda: self.nginx.__exit__(None, None, None),
            *(node.close for node in self.nodes), *(wire.close for wire in self.wires),
            self.redis.close, self.postgres.close,
        ]:  # fmt: skip
            try:
                end()
            except (AssertionError, subprocess.TimeoutExpired) as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    # What all nodes say

    def everywhere(self, ask: Callable[[Server], Any]) -> list[Any]:
        return [ask(node) for node in self.nodes if node.running()]

    def soon_everywhere(self, question: Callable[[Server], Any], what: str) -> float:
        """How long until the answer is true on every node: at most what the contract allows."""
        begin = time.monotonic()
        waiting = list(self.nodes)
        while waiting:
            waiting = [node for node in waiting if not question(node)]
            took = time.monotonic() - begin
            assert took < KNOWN_WITHIN or not waiting, f"{what}: not within {took:.2f} s"
        return time.monotonic() - begin

    def well(self) -> None:
        """Until every node is ready again."""
        for node in self.nodes:
            eventually(
                lambda node=node: node.get("//readyz").status_code == 200, within=30,
                what=f"{node.address} to be ready",
            )  # fmt: skip

    def away(self, part: str) -> None:
        """Until every node says at /readyz that this part is away."""
        for node in self.nodes:
            eventually(
                lambda node=node: (answer := node.get("//readyz")).status_code == 503
                and part in answer.text.lower(),
                within=30, what=f"{node.address} to miss {part}",
            )  # fmt: skip

    def through(self, method: str, path: str, who=None, **rest) -> httpx.Response:
        headers = authorization(who) | rest.pop("headers", {})
        return self.client.request(method, BASE + path, headers=headers, **rest)

    def folded(self, user: str, metric: str = "requests") -> int:
        """What PostgreSQL has of a metric: this month's, of all keys."""
        month = time.strftime("%Y-%m", time.gmtime())
        [row] = self.postgres.sql(
            f"SELECT coalesce(sum(value), 0) FROM usage_counters WHERE user_id = '{user}' "
            f"AND metric = '{metric}' AND granularity = 'month' AND period = '{month}' "
            f"AND key_id = ''"
        )
        return int(row)
