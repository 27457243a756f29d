"""One real Gatehouse process, and what a client does with it.

`Server` starts the binary named by GATEHOUSE_BINARY on a free port with a data directory of its
own, keeps every line it prints, and ends it by its process id. Waits are on events: a line read,
the process gone; only for mails, which nothing announces, it polls the mailbox folder.
"""

from __future__ import annotations

import email
import email.policy
import http.cookiejar
import itertools
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

import description
from checks import eventually, ok

BASE = "/api/v1"
START_SECONDS = 30  # a first start makes a store and keys; a slow CI machine gets slack
STOP_SECONDS = 30
PASSWORD_MARK = "Canary-"  # every test password begins so: a log line with one is found by it

# What may never stand in a log: a key, a refresh token, a JWT, a test password.
SECRET = re.compile(
    r"gh_[0-9A-Za-z]{30,}|ghr_[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}|" + PASSWORD_MARK
)
live: list["Server"] = []  # the running servers, for the report of a failed test
_numbers = itertools.count(1)


def new_email(name: str = "user") -> str:
    return f"{name}-{next(_numbers)}-{uuid.uuid4().hex[:8]}@example.org"


def new_password() -> str:
    return PASSWORD_MARK + uuid.uuid4().hex


def binary() -> str:
    path = os.environ.get("GATEHOUSE_BINARY", "")
    assert os.access(path, os.X_OK), "set GATEHOUSE_BINARY to the gatehouse binary to test"
    return os.path.abspath(path)


def environment(**settings: str) -> dict[str, str]:
    """The environment of a child: none of ours that begins with GATEHOUSE_, then `settings`."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GATEHOUSE_", "LISTEN_")) and name != "NOTIFY_SOCKET"
    }
    return clean | {f"GATEHOUSE_{name.upper()}": str(value) for name, value in settings.items()}


@dataclass
class Person:
    """Somebody with an account and a session."""

    email: str
    password: str
    user: dict
    tokens: dict = field(repr=False)

    @property
    def id(self) -> str:
        return self.user["id"]

    @property
    def access_token(self) -> str:
        return self.tokens["access_token"]

    @property
    def refresh_token(self) -> str:
        return self.tokens["refresh_token"]


Credential = Person | str | None


def authorization(who: Credential) -> dict[str, str]:
    if who is None:
        return {}
    if isinstance(who, str) and who.startswith("gh_"):
        return {"X-API-Key": who}
    return {"Authorization": f"Bearer {who if isinstance(who, str) else who.access_token}"}


def without_cookies() -> http.cookiejar.CookieJar:
    return http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))


class Server:
    def __init__(
        self, root: Path, listen: str = "127.0.0.1:0", trust: ssl.SSLContext | None = None,
        **settings: str,
    ) -> None:  # fmt: skip
        self.root = root
        self.trust = trust  # what its certificate is checked against; None for plain HTTP
        self.data_dir = root / "data"
        self.listen = listen
        # Throttling is tested on servers of its own; a free metrics port lets servers coexist; a
        # module may run for longer than an admin's sign-in counts as recent.
        defaults = {
            "limits_auth_enabled": "false", "metrics_listen": "127.0.0.1:0",
            "auth_recent_sign_in": "1h",
        }  # fmt: skip
        self.settings = defaults | settings
        self.wrapper: list[str] = []  # a command that runs the server's
        self.variables: dict[str, str] = {}  # of its environment, besides the settings
        self.pass_fds: tuple[int, ...] = ()
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._changed = threading.Condition()
        self._readers: list[threading.Thread] = []
        self._open_streams = 0
        self._admin: Person | None = None
        self.process: subprocess.Popen[str] | None = None
        self.address = ""

    # The process

    def start(self) -> "Server":
        command = [binary(), "serve", "--listen", self.listen, "--data-dir", str(self.data_dir)]
        self.process = subprocess.Popen(
            self.wrapper + command, cwd=self.root, text=True, umask=0o022, pass_fds=self.pass_fds,
            env=environment(**self.settings) | self.variables, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        live.append(self)
        first = len(self.stdout)
        self._open_streams = 2
        self._readers = [
            threading.Thread(target=self._drain, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.stdout), (self.process.stderr, self.stderr))
        ]
        for reader in self._readers:
            reader.start()
        limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
        self.client = description.Client(
            binary(), cookies=without_cookies(), limits=limits, timeout=30,
            verify=self.trust or True,
        )  # fmt: skip
        self.address = self._wait_for_address(first)
        self.client.base_url = self.address
        return self

    def _drain(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            with self._changed:
                lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._open_streams -= 1
            self._changed.notify_all()

    def _wait_for_address(self, first: int) -> str:
        def listening() -> list[str]:
            events = [parsed(line) for line in self.stdout[first:]]
            return [e["address"] for e in events if e.get("message") == "listening"]

        with self._changed:
            self._changed.wait_for(
                lambda: listening() or self._open_streams == 0, timeout=START_SECONDS
            )
            address = next(iter(listening()), None)
        if address is None:
            self.process.kill()
            status = self.wait()
            raise AssertionError(f"the server did not come up: {status}\n{self.output()}")
        return address.rstrip("/")

    def stop(self) -> None:
        """A clean end: SIGTERM to a process that still runs, and 0 as the exit status."""
        ran = self.running()
        self.client.close()  # or the server waits a moment for what this client may still ask
        self.process.send_signal(signal.SIGTERM)
        status = self.wait()
        assert ran, f"it had ended by itself with {status}\n{self.output()}"
        assert status == 0, f"SIGTERM ended it with {status}\n{self.output()}"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """Waits for the process to end and for its last lines; a hung one is killed."""
        try:
            return self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.wait()
            for reader in self._readers:
                reader.join(timeout=STOP_SECONDS)
            self.client.close()
            if self in live:
                live.remove(self)

    def restart(self, **settings: str) -> "Server":
        if self.running():
            self.stop()
        self.settings |= settings
        return self.start()

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def close(self) -> None:
        """The end of a test's server: a clean stop, and no secret in what it printed."""
        if self in live:  # not yet stopped or killed by the test: then it must still run
            self.stop()
        leak = next((line for line in self.stdout + self.stderr if SECRET.search(line)), None)
        assert leak is None, f"a secret in the log: {leak}"

    def output(self, lines: int = 40) -> str:
        return "\n".join(self.stdout[-lines:] + ["-- stderr"] + self.stderr[-lines:])

    def events(self) -> list[dict]:
        return [event for line in list(self.stdout) if (event := parsed(line))]

    def command(self, *words: str, input: str = "", **settings: str) -> subprocess.CompletedProcess:
        """Another run of the binary on the same data directory."""
        return run_command(
            *words, "--data-dir", str(self.data_dir), cwd=self.root, input=input, **settings
        )

    # HTTP

    def request(
        self, method: str, path: str, who: Credential = None, headers: dict | None = None, **rest
    ) -> httpx.Response:
        """`path` is under /api/v1; one that begins with // is at the root."""
        path = path[1:] if path.startswith("//") else BASE + path
        headers = authorization(who) | (headers or {})
        return self.client.request(method, path, headers=headers, **rest)

    def get(self, path: str, who: Credential = None, **rest) -> httpx.Response:
        return self.request("GET", path, who, **rest)

    def post(self, path: str, who: Credential = None, json: Any = None, **rest) -> httpx.Response:
        return self.request("POST", path, who, json={} if json is None else json, **rest)

    def patch(self, path: str, who: Credential, json: Any, **rest) -> httpx.Response:
        return self.request("PATCH", path, who, json=json, **rest)

    def delete(self, path: str, who: Credential, **rest) -> httpx.Response:
        return self.request("DELETE", path, who, **rest)

    def everything(self, path: str, who: Credential = None) -> list[dict]:
        """All items of a list, page by page."""
        items, cursor = [], None
        while True:
            parameters = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
            answer = ok(self.get(path, who, params=parameters))
            items += answer["items"]
            cursor = answer["next_cursor"]
            if cursor is None:
                return items

    # What a client does

    def register(self, email: str | None = None, password: str | None = None, **rest) -> dict:
        body = {"email": email or new_email(), "password": password or new_password()} | rest
        return ok(self.post("/auth/register", json=body), 201)

    def login(self, email: str, password: str, **rest) -> dict:
        body = {"email": email, "password": password}
        return ok(self.post("/auth/login", json=body, **rest))

    def person(self, name: str = "user") -> Person:
        """Somebody new, signed in."""
        address, password = new_email(name), new_password()
        self.register(address, password)
        tokens = self.login(address, password)
        return Person(address, password, tokens["user"], tokens)

    def again(self, person: Person, **rest) -> Person:
        """The same person in a session of their own."""
        tokens = self.login(person.email, person.password, **rest)
        return Person(person.email, person.password, tokens["user"], tokens)

    def make_key(self, who: Credential, scopes: list[str] | None = None, **rest) -> dict:
        body = {"name": "a key", "scopes": ["gate"] if scopes is None else scopes} | rest
        return ok(self.post("/api-keys", who, json=body), 201)

    def database(self) -> Path:
        [path] = self.data_dir.glob("*.db")
        return path

    def setup_token(self) -> str:
        return (self.data_dir / "setup-token").read_text().strip()

    def admin(self) -> Person:
        """The first admin, made once by the setup token."""
        if self._admin is None:
            address, password = new_email("admin"), new_password()
            body = {"token": self.setup_token(), "email": address, "password": password}
            tokens = ok(self.post("/setup", json=body), 201)
            self._admin = Person(address, password, tokens["user"], tokens)
        return self._admin

    def with_role(self, role: str) -> Person:
        person = self.person(role)
        ok(self.patch(f"/admin/users/{person.id}", self.admin(), {"role": role}))
        return self.again(person)

    def make_plan(self, limits: dict, **rest) -> dict:
        slug = f"plan-{next(_numbers)}"
        body = {"slug": slug, "name": slug, "limits": limits, "self_service": True} | rest
        return ok(self.post("/admin/plans", self.admin(), json=body), 201)

    def customer(self, limits: dict) -> Person:
        """Somebody on a new plan that has exactly these limits; see `plan_of`."""
        person = self.person()
        ok(self.post("/subscribe", person, json={"plan": self.make_plan(limits)["slug"]}))
        return person

    def plan_of(self, person: Person) -> str:
        return ok(self.get("/me", person))["plan"]

    def used(self, who: Credential, metric: str = "requests") -> int:
        """What the usage report says of a metric: its longest period; 0 if it is not there."""
        rows = [m for m in ok(self.get("/usage", who))["metrics"] if m["metric"] == metric]
        return rows[0]["used"] if rows else 0

    def mailbox(self, to: str | None = None) -> list[email.message.EmailMessage]:
        """The mails sent so far, oldest first; only those to one address if it is given."""
        folder = self.data_dir / "mailbox"
        files = sorted(folder.glob("*.eml"), key=lambda file: (file.stat().st_mtime_ns, file.name))
        mails = [
            email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            for file in files
        ]
        return [m for m in mails if to is None or to.lower() in str(m["To"]).lower()]

    def wait_for_mail(self, to: str, count: int = 1) -> list[email.message.EmailMessage]:
        return eventually(
            lambda: found if len(found := self.mailbox(to)) >= count else None,
            what=f"{count} mail(s) to {to}",
        )

    def mailed_link(self, to: str, page: str) -> str:
        """The newest link to `page` (verify-email, reset-password) in the mails to somebody."""

        def links() -> list[str]:
            link = re.compile(rf"https?://\S+?/{page}#token=[\w.~-]+")
            bodies = [m.get_body(("plain", "html")).get_content() for m in self.mailbox(to)]
            return [found for body in bodies for found in link.findall(body)[:1]]

        return eventually(links, what=f"a {page} mail to {to}")[-1]

    def mailed_token(self, to: str, page: str) -> str:
        return self.mailed_link(to, page).split("#token=")[1]


def run_command(*words: str, cwd: Path, input: str = "", **settings: str):
    return subprocess.run(
        [binary(), *words], cwd=cwd, env=environment(**settings), input=input,
        capture_output=True, text=True, timeout=START_SECONDS, umask=0o022,
    )  # fmt: skip


def parsed(line: str) -> dict:
    try:
        event = json.loads(re.sub(r"^<\d>", "", line))  # journald's priority
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
