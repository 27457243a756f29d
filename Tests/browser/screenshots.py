"""Pictures of every page, for looking at: `make screenshots` leaves them in .cache/screenshots.

    python screenshots.py FOLDER
"""

from __future__ import annotations

import random
import re
import shutil
import sys
import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from checks import ok
from console_pages import STAFF, STRANGERS, USERS
from gatehouse import Person, Server
from past import lived_in
from visitor import Visitor

LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 860}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 860}},
    "phone": {
        "color_scheme": "light", "viewport": {"width": 375, "height": 780}, "is_mobile": True,
        "has_touch": True, "device_scale_factor": 2,
    },
}

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Safari/604.1"


def customer(server: Server, email: str, name: str, seed: int) -> Person:
    """Somebody with a month behind them: a working week, and growth."""
    chance = random.Random(seed)
    password = "Canary-picture-of-a-console"
    server.register(email, password, name=name)
    tokens = server.login(email, password, headers={"User-Agent": FIREFOX})
    person = Person(email, password, tokens["user"], tokens)
    key = server.make_key(person, ["gate", "usage:read"], name="Production")
    server.make_key(person, ["usage:write"], name="Render workers")
    old = server.make_key(person, ["items:read"], name="Old laptop")
    ok(server.delete(f"/api-keys/{old['id']}", person), 204)
    server.get("/gate", key["key"])
    now = datetime.now(UTC)
    events = []
    for hours in range(1, 24 * 31):
        at = now - timedelta(hours=hours)
        busy = (0.25 if at.weekday() > 4 else 1) * (1.6 if 7 < at.hour < 19 else 0.4)
        for metric, base in (("requests", 9), ("render_minutes", 2)):
            value = round(base * busy * (1.4 - hours / 1500) * chance.uniform(0.6, 1.3))
            if value > 0:
                when = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
                events.append({
                    "id": str(uuid.UUID(int=chance.getrandbits(128))), "metric": metric,
                    "value": value, "user_id": person.id, "at": when,
                })  # fmt: skip
    for start in range(0, len(events), 1000):
        answer = server.post("/usage/events", person, json=events[start : start + 1000])
        assert answer.status_code < 300, answer.text
    server.again(person, headers={"User-Agent": IPHONE})
    server.again(person, headers={"User-Agent": "curl/8.14.1"})
    return person


class Camera:
    def __init__(self, browser: Browser, server: Server, folder: Path) -> None:
        self.browser = browser
        self.server = server
        self.folder = folder

    def walk(self, look: str, paths: list[str], person: Person | None = None) -> None:
        settings = {"locale": "en-GB", "timezone_id": "Europe/London"} | LOOKS[look]
        visitor = Visitor(self.browser.new_context(**settings), self.server)
        if person:
            visitor.signed_in(person)
        for path in paths:
            self.take(visitor, path, look)
        if "/keys" in paths:
            self.dialog(visitor, "/keys", "New key", look)
            self.dialog(visitor, "/keys", "Revoke", look)
            self.dialog(visitor, "/account", "Turn on", look)
        if "/admin/plans" in paths:
            self.dialog(visitor, "/admin/plans", "Edit", look)
            self.dialog(visitor, "/admin/subscriptions", "Change", look)
            self.dialog(visitor, "/admin/users", "New user", look)
            self.dialog(visitor, "/admin/backups", "Download", look)
        visitor.context.close()

    def dialog(self, visitor: Visitor, path: str, button: str, look: str) -> None:
        page = visitor.open(path)
        visitor.settled(page)
        page.get_by_role("button", name=button).first.click()
        page.get_by_role("dialog").wait_for()
        self.keep(visitor, f"dialog-{button.lower().replace(' ', '-')}", look, whole=False)

    def take(self, visitor: Visitor, path: str, look: str) -> None:
        page = visitor.open(path)
        visitor.settled(page)
        name = re.sub("/[0-9a-f-]{36}$", "-one", path.split("#")[0]).strip("/")
        name = name.replace("/", "-") or "overview"
        self.keep(visitor, name, look)

    def keep(self, visitor: Visitor, name: str, look: str, whole: bool = True) -> None:
        visitor.page.wait_for_load_state("networkidle")
        visitor.page.screenshot(path=self.folder / f"{name}-{look}.png", full_page=whole)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    program = shutil.which("chromium")
    assert program, "there is no chromium; tools/system-packages test installs it"
    with tempfile.TemporaryDirectory() as root, sync_playwright() as playwright:
        server = Server(Path(root)).start()
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            people = [("ann@example.com", "Ann Miller"), ("linh@example.com", "Linh Trần"),
                      ("omar@example.com", "Omar Haddad")]  # fmt: skip
            ann, *_ = [customer(server, *who, seed) for seed, who in enumerate(people)]
            admin = server.admin()
            ok(server.patch(f"/admin/users/{ann.id}", admin, {"email_verified": True}))
            lived_in(server)
            [lumen] = ok(server.get("/admin/users?q=lumen", admin))["items"]
            camera = Camera(browser, server, folder)
            for look in LOOKS:
                links = {"/setup", "/reset-password", "/verify-email"}
                strangers = [path + ("#token=x" if path in links else "") for path in STRANGERS]
                camera.walk(look, strangers)
                camera.walk(look, USERS, ann)
                camera.walk(look, [path.replace(":id", lumen["id"]) for path in STAFF], admin)
        finally:
            browser.close()
            server.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
