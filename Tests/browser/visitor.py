"""Somebody at a browser: their pages, what they do at the console, and what went wrong there."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from gatehouse import Person, Server, new_email, new_password

WATCH_POLICY = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


class Visitor:
    def __init__(self, context: BrowserContext, server: Server) -> None:
        self.context = context
        self.server = server
        self.complaints: list[str] = []
        context.set_default_timeout(10_000)
        context.add_init_script(WATCH_POLICY)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(f"error: {error.error}"))
        self.page = context.new_page()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location['url']})")

    def forgive(self, status: int) -> None:
        """A refusal that the test provoked, which the browser reports: it has to be there."""
        wanted = f"the server responded with a status of {status}"
        found = [line for line in self.complaints if wanted in line]
        assert found, f"no answer with {status}: {self.complaints}"
        self.complaints = [line for line in self.complaints if wanted not in line]

    # Where

    def open(self, path: str, page: Page | None = None) -> Page:
        page = page or self.page
        page.goto(self.server.address + path)
        return page

    def open_mailed(self, email: str, kind: str) -> Page:
        """The link of the newest such mail, at the address where the test's server is."""
        link = self.server.mailed_link(email, kind)
        return self.open(link[link.index(f"/{kind}#") :])

    def settled(self, page: Page | None = None) -> Page:
        """The page with what it loads: no part of it is still a grey line."""
        page = page or self.page
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator(".skeleton")).to_have_count(0)
        return page

    # What people do

    def register(self, name: str = "Ann") -> tuple[str, str]:
        email, password = new_email(name.lower()), new_password()
        page = self.open("/register")
        page.get_by_label("Name").fill(name)
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Create account").click()
        return email, password

    def sign_in(self, email: str, password: str, at: str = "/sign-in") -> Page:
        page = self.open(at)
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        return page

    def signed_in(self, person: Person | None = None, at: str = "/") -> Page:
        person = person or self.server.person()
        self.sign_in(person.email, person.password, at)
        expect(self.page.locator("nav")).to_be_attached()
        return self.settled()

    def toast(self, text: str | re.Pattern) -> None:
        expect(self.page.get_by_role("status").filter(has_text=text)).to_be_visible()
