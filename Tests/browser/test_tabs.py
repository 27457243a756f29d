"""Tokens that run out, in one tab and in several."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from checks import ok
from gatehouse import Server


@pytest.fixture
def short_lived(tmp_path_factory):
    """A server whose access tokens are used up as soon as they are there: the console sends none
    with less than ten seconds left, so every call begins with a refresh."""
    server = Server(tmp_path_factory.mktemp("tabs"), auth_access_token_ttl="5s")
    yield server.start()
    server.close()


def test_two_tabs_refresh_at_once_and_nobody_is_signed_out(visit, short_lived):
    visitor = visit(short_lived)
    person = short_lived.person()
    first = visitor.signed_in(person)
    second = visitor.open("/keys", visitor.context.new_page())
    visitor.settled(second)
    for _ in range(3):
        # Both begin before either is answered.
        for page, path in ((first, "/usage"), (second, "/sessions")):
            page.evaluate("path => { setTimeout(() => { location.href = path }) }", path)
        for page, path in ((first, "/usage"), (second, "/sessions")):
            page.wait_for_url(f"**{path}")
            visitor.settled(page)
            page.goto(short_lived.address + "/")
            visitor.settled(page)
    sessions = ok(short_lived.get("/me/sessions", short_lived.again(person)))["items"]
    browsers = [s for s in sessions if "Chrom" in (s["user_agent"] or "")]
    assert len(browsers) == 1


def test_parallel_calls_of_a_page_share_one_refresh(visit, short_lived):
    visitor = visit(short_lived)
    page = visitor.signed_in(short_lived.person(), at="/account")
    asked = []
    page.on("request", lambda request: asked.append(request.url.split("?")[0].split("/api/v1")[-1]))
    page.get_by_role("navigation").get_by_role("link", name="Overview").click()
    expect(page.get_by_text("Make your first API key")).to_be_visible()
    visitor.settled()
    assert {"/usage", "/api-keys", "/usage/history"} <= set(asked)
    assert asked.count("/auth/refresh") == 1, asked


def test_a_call_that_is_refused_for_its_token_is_repeated_with_another(visit, server):
    visitor = visit()
    page = visitor.signed_in()
    refused = []

    def refuse_once(route):
        if refused:
            return route.continue_()
        refused.append(route.request.url)
        problem = '{"status":401,"code":"unauthorized","detail":"","errors":[]}'
        return route.fulfill(status=401, content_type="application/problem+json", body=problem)

    page.route("**/api/v1/api-keys*", refuse_once)
    page.get_by_role("navigation").get_by_role("link", name="API keys").click()
    expect(page.get_by_text("No keys yet")).to_be_visible()
    assert refused
    visitor.forgive(401)


def test_a_step_that_needs_a_fresh_sign_in_asks_for_it_and_goes_on(visit, server):
    visitor = visit()
    person = server.person()
    page = visitor.signed_in(person, at="/keys?new=1")
    refused = []

    def refuse_once(route):
        if refused or route.request.method != "POST":
            return route.continue_()
        refused.append(route.request.url)
        problem = '{"status":403,"code":"forbidden","detail":"","errors":[],"max_age":300}'
        return route.fulfill(status=403, content_type="application/problem+json", body=problem)

    page.route("**/api/v1/api-keys*", refuse_once)
    page.get_by_label("Name").fill("Deploys")
    page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog", name="Is it still you?")
    dialog.get_by_label("Password").fill(person.password)
    dialog.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Your key “Deploys”")).to_be_visible()
    visitor.forgive(403)
    # The new session took the old one's place: the other is the one that made the person.
    sessions = ok(server.get("/me/sessions", person))["items"]
    assert len(sessions) == 2


def test_signing_out_in_one_tab_ends_the_other(visit, server):
    visitor = visit()
    first = visitor.signed_in()
    second = visitor.open("/keys", visitor.context.new_page())
    visitor.settled(second)
    first.get_by_role("button", name="Sign out").click()
    expect(second.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_session_that_was_ended_elsewhere_asks_to_sign_in_again(visit, server):
    visitor = visit()
    person = server.person()
    page = visitor.signed_in(person)
    ok(server.delete("/me/sessions", server.again(person)), 204)
    page.get_by_role("navigation").get_by_role("link", name="Usage").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    visitor.forgive(401)
