"""What holds for every page: nobody is shut out, nothing runs over, little is loaded."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import console_pages
from console_pages import STAFF, STRANGERS, USERS

# WCAG 2.2 A and AA, and what axe's authors call best practice.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE = {"width": 375, "height": 740}


@pytest.fixture
def somebody(server):
    """With keys, sessions and usage, so that lists have rows and graphs have bars."""
    person = server.person()
    key = server.make_key(person, ["gate", "usage:read"], name="Production")
    server.make_key(person, name="Staging")
    server.get("/gate?cost=7", key["key"])
    server.again(person, headers={"User-Agent": "curl/8.0"})
    return person


def findings(page) -> list[str]:
    options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"{found['id']}: {node['html'][:200]} – {node['failureSummary']}"
        for found in violations
        for node in found["nodes"]
    ]


def fits(page) -> bool:
    return page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


def walk(visitor, paths: list[str]):
    """Each page, settled."""
    for path in paths:
        page = visitor.open(path.replace(":id", "none"))
        visitor.settled(page)
        yield path, page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_strangers_pages(visit, scheme):
    for path, page in walk(visit(color_scheme=scheme), [*STRANGERS, "/reset-password#token=x"]):
        assert not findings(page), path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_users_pages(visit, somebody, scheme):
    visitor = visit(color_scheme=scheme)
    visitor.signed_in(somebody)
    for path, page in walk(visitor, USERS):
        assert not findings(page), path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_dialogs(visit, somebody, scheme):
    visitor = visit(color_scheme=scheme)
    visitor.signed_in(somebody)
    for path, button in [
        ("/keys", "New key"), ("/keys", "Rotate"), ("/keys", "Revoke"),
        ("/sessions", "Sign out all others"), ("/plans", "Choose Pro"), ("/account", "Turn on"),
        ("/account", "Delete account"),
    ]:  # fmt: skip
        page = visitor.open(path)
        visitor.settled(page)
        page.get_by_role("button", name=button).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert not findings(page), button


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_pages_of_staff(visit, server, scheme):
    visitor = visit(color_scheme=scheme)
    visitor.signed_in(server.admin())
    for path, page in walk(visitor, STAFF):
        assert not findings(page), path


def test_nothing_runs_over_the_edge_of_a_phone(visit, server, somebody):
    stranger = visit(viewport=PHONE)
    for path, page in walk(stranger, STRANGERS):
        assert fits(page), path
    user = visit(viewport=PHONE)
    user.signed_in(somebody)
    for path, page in walk(user, USERS):
        assert fits(page), path
    admin = visit(viewport=PHONE)
    admin.signed_in(server.admin())
    for path, page in walk(admin, STAFF):
        assert fits(page), path


def test_the_menu_of_a_phone_opens_and_closes(visit, somebody):
    visitor = visit(viewport=PHONE)
    page = visitor.signed_in(somebody)
    menu = page.get_by_role("button", name="Menu")
    expect(page.get_by_role("navigation")).to_be_hidden()
    menu.click()
    page.get_by_role("navigation").get_by_role("link", name="Plans").click()
    expect(page.get_by_role("heading", name="Plans")).to_be_focused()
    expect(page.get_by_role("navigation")).to_be_hidden()


def test_every_listed_page_is_served_and_every_served_page_is_listed(server):
    for path, _ in console_pages.listed():
        answer = server.get(f"/{path.replace(':id', '1')}")
        assert answer.status_code == 200 and '<div id="app">' in answer.text, path


def test_a_first_visit_loads_little(visit, server):
    """Bytes on the wire, compressed, of everything but the chart's library."""
    page = visit().page
    sizes = {}

    def note(response):
        sizes[response.url] = int(response.headers.get("content-length", 0))

    page.on("response", note)
    page.goto(server.address + "/sign-in")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert len(sizes) <= 8 and sum(sizes.values()) < 100_000, sizes


def test_a_second_visit_loads_only_the_page(visit, server):
    visitor = visit()
    visitor.open("/sign-in")
    # Another page in the same browser; a reload would ask for every file again.
    page = visitor.open("/register")
    expect(page.get_by_role("heading", name="Create an account")).to_be_visible()
    entries = page.evaluate(
        "performance.getEntriesByType('resource').map(({name, transferSize}) => "
        "[name, transferSize])"
    )
    # The tab's icon is the browser's own affair.
    files = [(name, size) for name, size in entries if re.search(r"/assets/.*(js|css)$", name)]
    assert len(files) >= 4 and all(size == 0 for _, size in files), files


def words(language: str) -> dict[str, set[str]]:
    """Each key of a language with the `{names}` in its words."""
    text = "".join(
        file.read_text() for file in sorted((console_pages.WEB / "lang" / language).glob("*.js"))
    )
    pairs = re.findall(r'^  "([\w.:-]+)":\s*"((?:[^"\\]|\\.)*)"', text, re.MULTILINE)
    assert len(pairs) > 100
    return {key: set(re.findall(r"\{\w+\}", said)) for key, said in pairs}


def test_both_languages_have_the_same_keys_and_values():
    assert words("vi") == words("en")


def test_no_key_is_used_without_words():
    known = words("en")
    for file in console_pages.WEB.rglob("*.js"):
        used = re.findall(r'\bt\(\s*"([\w.:-]+)"', file.read_text())
        assert set(used) <= set(known), f"{file.name}: {set(used) - set(known)}"
