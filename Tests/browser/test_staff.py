"""What support may look at, and what holds for every page of staff."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from checks import ok
from test_pages import PHONE, findings, fits

CHANGES = [
    "New user", "New plan", "Edit", "Archive", "Give a plan", "Change", "Cancel plan", "Revoke",
    "Try again", "Back up now", "Download", "Deactivate", "Sign out everywhere", "Send reset",
]  # fmt: skip


def admin_pages(person) -> list[str]:
    names = ("users", "subscriptions", "plans", "usage", "api-keys", "audit", "jobs", "backups")
    return ["/admin", *(f"/admin/{name}" for name in names), f"/admin/users/{person.id}"]


@pytest.fixture
def somebody(server):
    person = server.person("judy")
    server.make_key(person, name="Production")
    ok(server.post("/admin/backups", server.admin()), 201)
    return person


def test_support_sees_every_page_and_no_button_that_would_be_refused(visit, server, somebody):
    visitor = visit()
    page = visitor.signed_in(server.with_role("support"))
    for path in [*admin_pages(somebody), "/admin/users?new=1", "/admin/plans?new=1",
                 "/admin/subscriptions?give=1"]:  # fmt: skip
        visitor.settled(visitor.open(path))
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.get_by_role("dialog")).to_have_count(0)
        main = page.get_by_role("main")
        shown = {text.strip() for text in main.get_by_role("button").all_inner_texts()}
        assert not shown & set(CHANGES), (path, shown)


def test_the_list_of_changing_buttons_is_what_an_admin_sees(visit, server, somebody):
    """Or the test above would pass for want of the right words."""
    visitor = visit()
    page = visitor.signed_in(server.admin())
    seen: set[str] = set()
    for path in admin_pages(somebody):
        visitor.settled(visitor.open(path))
        texts = page.get_by_role("main").get_by_role("button").all_inner_texts()
        seen |= {text.strip() for text in texts}
    assert set(CHANGES) - {"Try again"} <= seen


def test_a_user_sees_nothing_of_it(visitor, server, somebody):
    page = visitor.signed_in()
    for path in admin_pages(somebody):
        visitor.open(path)
        expect(page.get_by_role("heading", name="Page not found")).to_be_visible()


# What holds for every page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_somebody_is_shown_and_in_the_dialogs(
    visit, server, somebody, scheme
):
    visitor = visit(color_scheme=scheme)
    user = f"/admin/users/{somebody.id}"
    page = visitor.signed_in(server.admin(), at=user)
    assert not findings(page)
    for path, button in [
        ("/admin/users", "New user"), (user, "Edit"), (user, "Change"), (user, "Deactivate"),
        ("/admin/plans", "Edit"), ("/admin/subscriptions", "Give a plan"),
        ("/admin/audit", "session.signed_in"), ("/admin/backups", "Download"),
    ]:  # fmt: skip
        visitor.settled(visitor.open(path))
        page.get_by_role("button", name=button, exact=True).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert not findings(page), (path, button)


def test_somebody_and_the_dialogs_fit_on_a_phone(visit, server, somebody):
    visitor = visit(viewport=PHONE)
    page = visitor.signed_in(server.admin(), at=f"/admin/users/{somebody.id}")
    assert fits(page)
    for path in ("/admin/users?new=1", "/admin/plans?new=1", "/admin/subscriptions?give=1"):
        visitor.open(path)
        expect(page.get_by_role("dialog")).to_be_visible()
        wide = page.get_by_role("dialog").evaluate("it => it.scrollWidth > it.clientWidth")
        assert fits(page) and not wide, path


def test_a_page_that_could_not_be_loaded_says_so_and_tries_again(visitor, server):
    page = visitor.signed_in(server.admin())
    fail = "**/api/v1/admin/*"
    page.route(fail, lambda route: route.fulfill(status=503, body="{}"))
    page.get_by_role("navigation").get_by_role("link", name="Audit log").click()
    expect(page.get_by_text("This could not be loaded")).to_be_visible()
    page.unroute(fail)
    page.get_by_role("main").get_by_role("button", name="Try again").click()
    expect(page.get_by_role("table", name="Audit log")).to_be_visible()
    visitor.forgive(503)
