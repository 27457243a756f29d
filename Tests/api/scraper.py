"""A real Prometheus that scrapes one server, with deploy/prometheus as it is."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from pathlib import Path
from typing import Iterator

import httpx

from checks import eventually

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Prometheus:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **parameters: str) -> list | dict:
        answer = httpx.get(self.url + path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def query(self, what: str) -> list:
        return self.ask("/query", query=what)["result"]

    def is_up(self) -> bool:
        try:
            return bool(self.query('up{job="gatehouse"} == 1'))
        except (httpx.TransportError, AssertionError):
            return False  # it is still starting


@contextlib.contextmanager
def prometheus(target: str, folder: Path) -> Iterator[Prometheus]:
    """Scrapes HOST:PORT each second, and has done so once."""
    settings = (FOLDER / "prometheus.yml").read_text()
    assert "127.0.0.1:9464" in settings
    settings = settings.replace("127.0.0.1:9464", target).replace("15s", "1s")
    (folder / "prometheus.yml").write_text(settings)
    (folder / "alerts.yml").write_text((FOLDER / "alerts.yml").read_text())
    port = free_port()
    process = subprocess.Popen(
        [
            "prometheus", f"--web.listen-address=127.0.0.1:{port}",
            "--config.file=prometheus.yml", f"--storage.tsdb.path={folder}/series",
            "--enable-feature=exemplar-storage",
        ],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        running = Prometheus(port)
        eventually(running.is_up, within=30, what="a scrape")
        yield running
    finally:
        process.terminate()
        process.wait(timeout=30)
