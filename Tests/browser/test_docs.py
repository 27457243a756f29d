"""The pages that show the API's description: Swagger UI at /docs, Redoc at /redoc."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from gatehouse import Server


@pytest.fixture
def asked(visitor) -> list[str]:
    """Every address that the visitor's browser asks for."""
    addresses: list[str] = []
    visitor.context.on("request", lambda request: addresses.append(request.url))
    return addresses


def only_here(addresses: list[str], server: Server) -> None:
    elsewhere = [at for at in addresses if not at.startswith((server.address, "data:"))]
    assert addresses and elsewhere == []


def authorize(page: Page, scheme: str, value: str) -> None:
    """Gives Swagger UI a credential, as a person does."""
    page.locator(".btn.authorize").click()
    form = page.locator(".auth-container").filter(
        has=page.locator("h4 code", has_text=re.compile(f"^{scheme}$"))
    )
    form.locator("input").fill(value)
    form.get_by_role("button", name="Apply credentials").click()
    page.locator(".btn-done").first.click()


def execute(page: Page, operation: str) -> None:
    block = page.locator(f"[id='operations-{operation}']")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("200")


def test_swagger_ui_opens_and_tries_calls_out_with_a_key_and_with_a_token(
    visitor, server, asked
):
    person = server.person()
    key = server.make_key(person, ["gate"])["key"]
    page = visitor.open("/docs")
    expect(page.locator(".info .title")).to_contain_text("Gatehouse")
    authorize(page, "apiKey", key)
    execute(page, "Gate-askGate")
    expect(page.locator("[id='operations-Gate-askGate'] .live-responses-table")).to_contain_text(
        '"allowed": true'
    )
    assert server.used(person) == 1
    authorize(page, "accessToken", person.access_token)
    execute(page, "Account-showMe")
    expect(page.locator("[id='operations-Account-showMe'] .live-responses-table")).to_contain_text(
        person.email
    )
    only_here(asked, server)


def test_redoc_opens_with_its_own_style_and_nothing_from_elsewhere(visitor, server, asked):
    page = visitor.open("/redoc")
    expect(page.get_by_role("heading", name="Gatehouse").first).to_be_visible()
    page.get_by_text("Authentication", exact=True).first.click()
    expect(page.get_by_text("Sign in", exact=True).first).to_be_visible()
    sheets = "[...document.styleSheets].reduce((sum, sheet) => sum + sheet.cssRules.length, 0)"
    assert page.evaluate(sheets) > 100  # what it made as it ran was let in
    page.wait_for_load_state("networkidle")
    only_here(asked, server)


def test_their_policy_allows_nothing_inline_and_no_nonce_comes_twice(server):
    policies = []
    for path in ("/docs", "/redoc", "/redoc"):
        answer = server.get("/" + path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in policy and "blob:" not in policy
        policies.append(policy)
    assert "nonce" not in policies[0]
    nonces = [re.search(r"'nonce-(\w{22})'", policy)[1] for policy in policies[1:]]
    assert nonces[0] != nonces[1]


def test_a_style_without_the_nonce_is_blocked_on_the_page_that_has_one(visitor):
    page = visitor.open("/redoc")
    expect(page.get_by_role("heading", name="Gatehouse").first).to_be_visible()
    page.evaluate(
        """() => {
            const style = document.createElement("style");
            style.textContent = "body { color: rgb(1, 2, 3) }";
            document.head.append(style);
        }"""
    )
    assert page.evaluate("getComputedStyle(document.body).color") != "rgb(1, 2, 3)"
    blocked = [line for line in visitor.complaints if "style-src" in line]
    assert blocked == visitor.complaints != []
    visitor.complaints.clear()
