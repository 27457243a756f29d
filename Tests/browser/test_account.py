"""What people do with their own account."""

from __future__ import annotations

import re

import pytest
import qrcode
import test_totp as totp
from playwright.sync_api import expect
from qrcode.constants import ERROR_CORRECT_M
from qrcode.util import MODE_8BIT_BYTE, QRData

from checks import ok
from gatehouse import Person, Server, new_password


def test_keys_are_rotated_and_revoked_by_name(visitor, server):
    person = server.person()
    made = server.make_key(person, name="Billing")
    page = visitor.signed_in(person, at="/keys")
    page.get_by_role("button", name="Rotate").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    fresh = page.get_by_label("API key", exact=True).input_value()
    assert fresh.startswith("gh_") and fresh != made["key"]
    page.get_by_role("button", name="I have saved it").click()
    # A day's overlap is what the dialog offers first.
    assert server.get("/gate", made["key"]).status_code == 200

    page.get_by_role("button", name="Revoke").click()
    dialog = page.get_by_role("dialog", name="Revoke “Billing”?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke").click()
    visitor.toast("“Billing” is revoked.")
    expect(page.get_by_text("Revoked", exact=True)).to_be_visible()
    assert server.get("/gate", fresh).status_code == 401


def test_a_dialog_closes_with_escape_and_gives_the_focus_back(visitor, server):
    page = visitor.signed_in(at="/keys")
    button = page.get_by_role("button", name="New key").first
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()


def test_a_plan_is_chosen_and_holds_at_once(visitor, server):
    person = server.person()
    page = visitor.signed_in(person, at="/plans")
    page.get_by_role("button", name="Choose Pro").click()
    dialog = page.get_by_role("dialog", name="Change to Pro?")
    dialog.get_by_role("button", name="Choose Pro").click()
    visitor.toast("You are on Pro now.")
    expect(page.get_by_role("region", name="Pro")).to_contain_text("Your plan")
    assert server.plan_of(person) == "pro"

    page.get_by_role("button", name="Cancel plan").click()
    dialog = page.get_by_role("dialog", name="Cancel Pro?")
    dialog.get_by_role("button", name="Cancel plan").click()
    visitor.toast("Your plan is canceled.")
    page.get_by_role("navigation").get_by_role("link", name="Overview").click()
    expect(page.get_by_text("You have no plan")).to_be_visible()


def test_sessions_are_ended_one_by_one_or_all_but_this(visitor, server):
    person = server.person()
    for _ in range(2):
        server.again(person, headers={"User-Agent": "curl/8.0"})
    page = visitor.signed_in(person, at="/sessions")
    expect(page.get_by_text("This one")).to_have_count(1)
    page.get_by_role("row").filter(has_text="curl").first.get_by_role("button").click()
    page.get_by_role("dialog", name="Sign out curl?").get_by_role("button", name="Sign out").click()
    visitor.toast("curl is signed out.")
    page.get_by_role("button", name="Sign out all others").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out all others").click()
    visitor.toast("Every other session is signed out.")
    expect(page.get_by_role("row")).to_have_count(2)  # the head, and this one


def test_the_profile_and_the_password_are_changed(visitor, server):
    person = server.person()
    page = visitor.signed_in(person, at="/account")
    page.get_by_label("Name").fill("Ann Example")
    page.get_by_role("button", name="Save").click()
    visitor.toast("Saved.")
    expect(page.get_by_text("Ann Example")).to_be_visible()
    password = new_password()
    page.get_by_label("Current password").fill(person.password)
    page.get_by_label("New password").fill(password)
    page.get_by_role("button", name="Change password").click()
    visitor.toast("Your password is changed.")
    assert server.login(person.email, password)["user"]["name"] == "Ann Example"


def drawings(text: str) -> list[set[tuple[int, int]]]:
    """The dark cells of a text's QR code under each mask, by another encoder."""
    found = []
    for mask in range(8):
        code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=4, mask_pattern=mask)
        code.add_data(QRData(text.encode(), mode=MODE_8BIT_BYTE))
        code.make(fit=True)
        rows = enumerate(code.get_matrix())
        found.append({(x, y) for y, row in rows for x, dark in enumerate(row) if dark})
    return found


@pytest.mark.parametrize("address", ["a@b.example", f"{'long-' * 12}name@{'sub.' * 20}example.org"])
def test_the_qr_code_says_what_its_link_says(visitor, server, address):
    password = new_password()
    server.register(address, password)
    tokens = server.login(address, password)
    page = visitor.signed_in(Person(address, password, tokens["user"], tokens), at="/account")
    page.get_by_role("button", name="Turn on").click()
    link = page.get_by_role("link", name="Open it in an app").get_attribute("href")
    assert link.startswith("otpauth://totp/")
    path = page.get_by_role("img", name="QR code").locator("path").get_attribute("d")
    cells = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", path)}
    assert cells in drawings(link)


def test_two_step_sign_in_is_turned_on_used_and_turned_off(visit, server):
    person = server.person()
    visitor = visit()
    page = visitor.signed_in(person, at="/account")
    page.get_by_role("button", name="Turn on").click()
    dialog = page.get_by_role("dialog")
    secret = dialog.get_by_role("textbox", name="Secret").input_value()
    dialog.get_by_role("textbox", name="Code").fill(totp.code(secret))
    dialog.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    codes = page.get_by_role("dialog").get_by_role("listitem").all_inner_texts()
    assert len(codes) == 10
    page.get_by_role("button", name="I have saved them").click()

    other = visit()
    other.sign_in(person.email, person.password)
    expect(other.page.get_by_label("Code")).to_be_focused()
    other.page.get_by_label("Code").fill(codes[0])
    other.page.get_by_role("button", name="Sign in").click()
    expect(other.page.get_by_role("heading", name="Overview")).to_be_visible()
    other.forgive(401)

    page.get_by_role("button", name="Turn off").click()
    page.get_by_role("dialog").get_by_label("Current password").fill(person.password)
    page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    visitor.toast("Two-step sign-in is off.")
    assert not ok(server.get("/me", server.again(person)))["totp_enabled"]


def test_an_admin_who_needs_a_second_step_is_led_to_it(visit, tmp_path):
    server = Server(tmp_path, auth_require_totp_for_admins="true").start()
    try:
        visitor = visit(server)
        page = visitor.signed_in(server.admin(), at="/admin")
        expect(page.get_by_text("Turn on two-step sign-in")).to_be_visible()
        page.get_by_role("link", name="Go to your account").click()
        page.get_by_role("button", name="Turn on").click()
        dialog = page.get_by_role("dialog")
        secret = dialog.get_by_role("textbox", name="Secret").input_value()
        dialog.get_by_role("textbox", name="Code").fill(totp.code(secret))
        dialog.get_by_role("button", name="Turn on").click()
        page.get_by_role("button", name="I have saved them").click()
        page.get_by_role("navigation").get_by_role("link", name="Overview").first.click()
        expect(page.get_by_text("0 of 10,000")).to_be_visible()
    finally:
        server.close()


def test_an_account_is_deleted_by_who_knows_its_password(visitor, server):
    person = server.person()
    page = visitor.signed_in(person, at="/account")
    page.get_by_role("button", name="Delete account").click()
    dialog = page.get_by_role("dialog", name=f"Delete {person.email}?")
    dialog.get_by_label("Current password").fill("wrong")
    dialog.get_by_role("button", name="Delete account").click()
    expect(dialog.get_by_role("alert").or_(dialog.locator("[id$=-error]"))).to_be_visible()
    dialog.get_by_label("Current password").fill(person.password)
    dialog.get_by_role("button", name="Delete account").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert not page.evaluate("localStorage.getItem('gatehouse.session')")
    visitor.complaints = [c for c in visitor.complaints if not re.search(r"status of 4\d\d", c)]
