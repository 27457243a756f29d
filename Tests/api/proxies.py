"""Real proxies, run from the samples in deploy/, and a small application behind them.

A sample is taken as it is; only its three addresses are replaced. Everything listens on loopback,
keeps its files in a temporary folder, and is ended by its process id.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from checks import eventually
from gatehouse import authorization, without_cookies

DEPLOY = Path(__file__).parents[2] / "deploy"
GATEHOUSE, APPLICATION, PROXY = 8080, 8000, 8081  # the samples' ports
IDENTITY = ["User", "Key", "Plan", "Role", "Scopes"]
STOP_SECONDS = 10


def program(name: str) -> str:
    """Where a proxy's binary is. Without it the tests are skipped, but never in CI."""
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
    if found is None:
        message = f"there is no '{name}' in PATH; 'tools/system-packages test' installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def port_of(address: str) -> int:
    return urlsplit(address).port


# The application


@dataclass
class Seen:
    """A request as it arrived: its target as on the wire, every copy of its headers in order."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for other, value in self.headers if other.lower() == name.lower()]

    def identity(self) -> list[str]:
        """The five X-Gatehouse-* headers; an absent one counts as empty, none comes twice."""
        found = [self.values(f"X-Gatehouse-{name}") or [""] for name in IDENTITY]
        assert all(len(values) == 1 for values in found), self.headers
        return [values[0] for values in found]

    def folded(self) -> dict[str, str]:
        """As a CGI or WSGI application reads them: one name for every spelling."""
        fold = str.maketrans("_.", "--")
        return {name.translate(fold).lower(): value for name, value in self.headers}


class Application:
    """Answers every request with `status`, and keeps what it saw."""

    def __init__(self) -> None:
        self.status = 200
        self._seen: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def _handler(application) -> type:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                # Not self.path: it collapses a leading //.
                target = self.requestline.split(" ")[1]
                body = b"".join(self.parts())
                headers = list(self.headers.raw_items())
                application._seen.append(Seen(self.command, target, headers, body))
                self.send_response(application.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def parts(self) -> Iterator[bytes]:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    yield self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    return
                while size := int(self.rfile.readline(), 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

            def log_message(self, *_) -> None:
                pass

        return Handler

    def __enter__(self) -> Application:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    def taken(self) -> list[Seen]:
        """What came since the last call."""
        seen, self._seen = self._seen, []
        return seen


# The proxies


class Proxy:
    """One proxy process in front of an application and a gate."""

    name = ""
    sample = ""

    def __init__(self, folder: Path, gate: str, application: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        text = (DEPLOY / self.sample).read_text()
        for old, new in self.replacements(gate, application):
            assert old in text, f"{self.sample} does not say {old}"
            text = text.replace(old, new)
        self.command = self.prepare(text)

    def replacements(self, gate: str, application: str) -> list[tuple[str, str]]:
        return [
            (f"127.0.0.1:{GATEHOUSE}", f"127.0.0.1:{port_of(gate)}"),
            (f"127.0.0.1:{APPLICATION}", f"127.0.0.1:{port_of(application)}"),
            (f":{PROXY}", f":{self.port}"),
        ]

    def prepare(self, sample: str) -> list[str]:
        raise NotImplementedError

    def __enter__(self) -> Proxy:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip
        self.client = httpx.Client(base_url=self.address, cookies=without_cookies(), timeout=30)
        eventually(self._listens, what=f"{self.name} listening on {self.address}")
        return self

    def __exit__(self, *_) -> None:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=STOP_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            print(self.log.read_text())  # pytest shows it with a failed test only

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def environment(self) -> dict[str, str]:
        folders = {f"XDG_{name}_HOME": str(self.folder) for name in ("CONFIG", "DATA")}
        return os.environ | folders | {"HOME": str(self.folder)}

    def request(self, method: str, path: str = "/", who=None, headers=(), **rest) -> httpx.Response:
        headers = [*authorization(who).items(), *headers]
        return self.client.request(method, path, headers=headers, **rest)

    def get(self, path: str = "/", who=None, **rest) -> httpx.Response:
        return self.request("GET", path, who, **rest)


class Nginx(Proxy):
    name = "nginx"
    sample = "nginx/gatehouse.conf"

    def prepare(self, sample: str) -> list[str]:
        main = self.folder / "nginx.conf"
        (self.folder / "gatehouse.conf").write_text(sample)
        main.write_text(nginx_main(self.folder, self.folder / "gatehouse.conf"))
        return nginx_command(self.folder, main)


def nginx_main(folder: Path, sample: Path) -> str:
    """The part around a sample, which is for conf.d/: every path is in `folder`."""
    # Root's workers would become nobody, who cannot write into root's temporary folder.
    user = f"user {pwd.getpwuid(0).pw_name} root;" if os.geteuid() == 0 else ""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "\n".join(f"    {kind}_temp_path {folder}/{kind};" for kind in kinds)
    return f"""
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
{paths}
    include {sample};
}}
"""


def nginx_command(folder: Path, main: Path) -> list[str]:
    return [program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(main)]


class Caddy(Proxy):
    name = "caddy"
    sample = "caddy/Caddyfile"

    def prepare(self, sample: str) -> list[str]:
        file = self.folder / "Caddyfile"
        file.write_text("{\n\tadmin off\n}\n\n" + sample)
        return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(file)]


PROXIES = {proxy.name: proxy for proxy in (Nginx, Caddy)}


class Traefik:
    """Not Traefik, which Debian does not have, but what its documentation says that it does with
    the sample: what ForwardAuth sends (GET, X-Forwarded-*, no body), which answers let a request
    through, and what the application then gets."""

    def __init__(self, gate: str) -> None:
        self.entry = yaml.safe_load((DEPLOY / "traefik/traefik.yaml").read_text())
        self.dynamic = yaml.safe_load((DEPLOY / "traefik/dynamic.yaml").read_text())["http"]
        self.gate = gate

    def request(
        self, method: str, uri: str, who=None, headers=()
    ) -> tuple[httpx.Response, dict[str, str] | None]:
        """The gate's answer, and the headers of the request to the application if there is one."""
        held = dict(authorization(who))
        underscores = self.entry["entryPoints"]["web"]["http"]["underscoreHeadersStrategy"]
        for name, value in headers:
            if underscores == "keep" or "_" not in name:
                held[name.title()] = value
        held = {name.title(): value for name, value in held.items()}
        [router] = self.dynamic["routers"].values()
        answer = None
        for name in router["middlewares"]:
            [(kind, settings)] = self.dynamic["middlewares"][name].items()
            if kind == "headers":
                for header, value in settings["customRequestHeaders"].items():
                    assert value == "", "an empty value removes; nothing else is used here"
                    held.pop(header.title(), None)
            else:
                answer = self._ask(settings, method, uri, held)
                if not answer.is_success:
                    return answer, None
                for header in settings["authResponseHeaders"]:
                    held.pop(header.title(), None)
                    if header in answer.headers:
                        held[header.title()] = answer.headers[header]
        return answer, held

    def _ask(self, settings: dict, method: str, uri: str, held: dict) -> httpx.Response:
        allowed = {name.title() for name in settings["authRequestHeaders"]}
        headers = {name: value for name, value in held.items() if name in allowed} | {
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Host": "app.example.com",
            "X-Forwarded-Method": method,
            "X-Forwarded-Port": "80",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Uri": uri,
            "Accept-Encoding": "gzip",
        }
        address = settings["address"].replace(f"http://127.0.0.1:{GATEHOUSE}", self.gate)
        return httpx.get(address, headers=headers, timeout=30)
