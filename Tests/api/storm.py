"""Clients that go on asking a cluster while its parts are lost, and what they were told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from checks import PROBLEM, PROBLEM_FIELDS
from cluster import Cluster
from gatehouse import BASE, Credential, authorization

CLIENTS = 6


@dataclass
class Told:
    """One answer, and when it came."""

    at: float
    what: str
    status: int
    code: str = ""
    id: str = ""


@dataclass
class Storm:
    """By way of nginx: requests that count, and items that are made, for as long as it is open.

    `limited` is asked for as well: somebody whose quota runs out meanwhile."""

    cluster: Cluster
    open_ended: Credential
    limited: Credential
    clients: int = CLIENTS
    told: list[Told] = field(default_factory=list)
    sent: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __enter__(self) -> Storm:
        self._ends = threading.Event()
        self._lock = threading.Lock()
        kinds = [("gate", self.open_ended), ("item", self.open_ended), ("limited", self.limited)]
        self._threads = [
            threading.Thread(target=self._ask, args=(kinds[number % len(kinds)],), daemon=True)
            for number in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(timeout=60)
        assert not self.faults, self.faults[:5]

    def _ask(self, kind: tuple[str, Credential]) -> None:
        what, who = kind
        headers = authorization(who)
        base = self.cluster.nginx.address + BASE
        with httpx.Client(headers=headers, timeout=60) as client:
            while not self._ends.is_set():
                with self._lock:
                    self.sent[what] += 1
                try:
                    if what == "item":
                        answer = client.post(f"{base}/items", json={"name": "n", "data": 1})
                    else:
                        answer = client.post(f"{base}/gate")
                    told = self._read(what, answer)
                except Exception as error:  # nginx itself is never lost
                    with self._lock:
                        self.faults.append(f"{what}: {error!r}")
                    return
                with self._lock:
                    self.told.append(told)
                if told.status == 503:
                    time.sleep(0.02)  # or a refusal that costs nothing is all there is

    def _read(self, what: str, answer: httpx.Response) -> Told:
        if answer.is_success:
            made = answer.json()["id"] if what == "item" else ""
            return Told(time.monotonic(), what, answer.status_code, id=made)
        body = answer.json()
        assert answer.headers["content-type"] == PROBLEM, answer.text
        assert PROBLEM_FIELDS <= body.keys(), body
        assert int(answer.headers["retry-after"]) >= 1, body
        return Told(time.monotonic(), what, answer.status_code, body["code"])

    def wait(self, answers: int, status: int = 200, what: str = "gate") -> None:
        """Until so many more answers of a kind have come."""
        begin = self.count(what, status)
        end = time.monotonic() + 60
        while self.count(what, status) < begin + answers:
            assert time.monotonic() < end, f"{what} {status}: {self.count(what, status)}, {begin}"
            assert not self.faults, self.faults
            time.sleep(0.01)

    def count(self, what: str, status: int) -> int:
        with self._lock:
            return sum(told.what == what and told.status == status for told in self.told)

    def items(self) -> set[str]:
        return {told.id for told in self.told if told.status == 201}

    def refused(self) -> list[Told]:
        """What was neither done nor over a limit."""
        return [told for told in self.told if told.status not in (200, 201, 429)]
