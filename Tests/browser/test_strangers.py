"""What somebody without an account, or without a session, does."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from gatehouse import new_password


def test_a_stranger_signs_up_makes_a_key_spends_quota_and_sees_the_graph_move(visitor, server):
    visitor.register("Ann")
    page = visitor.page
    expect(page.get_by_role("heading", name="Hello, Ann")).to_be_visible()
    expect(page.get_by_text("0 of 10,000")).to_be_visible()
    expect(page.get_by_text("Nothing was used yet")).to_be_visible()

    page.get_by_role("link", name="New key").click()
    page.get_by_label("Name").fill("My program")
    page.get_by_role("button", name="Create key").click()
    key = page.get_by_label("API key", exact=True).input_value()
    assert key.startswith("gh_")
    page.get_by_role("button", name="I have saved it").click()
    expect(page.get_by_role("cell", name="My program")).to_be_visible()
    expect(page.get_by_text(key)).to_have_count(0)

    for _ in range(3):
        assert server.get("/gate?cost=5", key).status_code == 200
    page.get_by_role("navigation").get_by_role("link", name="Usage").click()
    expect(page.get_by_role("img", name="requests by day, 15 in all")).to_be_visible()
    expect(page.get_by_text("15 of 10,000")).to_be_visible()
    page.get_by_text("Hour", exact=True).click()
    expect(page.get_by_role("img", name="requests by hour, 15 in all")).to_be_visible()
    assert page.url.endswith("/usage?by=hour")


def test_fields_show_what_the_server_says_of_them(visitor):
    page = visitor.open("/register")
    page.get_by_label("E-mail address").fill("nobody")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Create account").click()
    email = page.get_by_label("E-mail address")
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(email).to_be_focused()
    described = page.locator(f"#{email.get_attribute('aria-describedby')}")
    expect(described).not_to_be_empty()
    visitor.forgive(422)


def test_a_wrong_password_is_told_apart_from_nothing(visitor, server):
    page = visitor.sign_in(server.person().email, "not-the-password")
    expect(page.get_by_role("alert")).to_contain_text("is wrong")
    visitor.sign_in("nobody@example.org", "not-the-password")
    expect(page.get_by_role("alert")).to_contain_text("is wrong")
    visitor.forgive(401)


def test_who_is_asked_to_sign_in_lands_where_they_wanted_to_go(visitor, server):
    page = visitor.signed_in(server.person(), at="/keys")
    assert page.url == f"{server.address}/keys"
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()


def test_a_session_outlives_a_reload_and_ends_with_signing_out(visitor, server):
    page = visitor.signed_in()
    page.reload()
    visitor.settled()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_no_token_is_kept_where_a_script_could_find_it_later(visitor):
    page = visitor.signed_in()
    kept = page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )
    assert "eyJ" not in kept and "ghr_" not in kept


def test_a_forgotten_password_is_set_anew_by_the_mailed_link(visitor, server):
    person = server.person()
    page = visitor.open("/forgot-password")
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()

    visitor.open_mailed(person.email, "reset-password")
    assert "token" not in page.url
    password = new_password()
    page.get_by_label("New password").fill(password)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("heading", name="Password set")).to_be_visible()
    visitor.sign_in(person.email, password)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_an_address_is_verified_by_a_click_and_not_by_a_look(visit, strict_server):
    visitor = visit(strict_server)
    email, password = visitor.register("Bo")
    page = visitor.page
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    visitor.sign_in(email, password)
    expect(page.get_by_role("alert")).to_contain_text("Verify")
    visitor.forgive(403)

    for _ in range(2):
        visitor.open_mailed(email, "verify-email")
        expect(page.get_by_role("button", name="Verify address")).to_be_visible()
    page.get_by_role("button", name="Verify address").click()
    expect(page.get_by_text("Your address is verified.")).to_be_visible()
    visitor.sign_in(email, password)
    expect(page.get_by_role("heading", name="Hello, Bo")).to_be_visible()


def test_the_first_admin_is_made_by_the_printed_link(visit, strict_server):
    visitor = visit(strict_server)
    page = visitor.open(f"/setup#token={strict_server.setup_token()}")
    page.get_by_label("E-mail address").fill("root@example.org")
    page.get_by_label("Password").fill(new_password())
    page.get_by_role("button", name="Create admin").click()
    expect(page.get_by_role("navigation")).to_contain_text("Administration")
    assert page.url.endswith("/admin")


def test_a_link_without_its_token_says_so(visitor):
    for path in ("/setup", "/reset-password", "/verify-email"):
        visitor.open(path)
        expect(visitor.page.get_by_role("alert")).to_contain_text("lacks its token")


def test_signing_in_needs_no_mouse(visitor, server):
    person = server.person()
    page = visitor.open("/sign-in")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type(person.email)
    page.keyboard.press("Tab")
    page.keyboard.type(person.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_a_page_that_there_is_not_says_so_within_the_console(visitor):
    visitor.signed_in()
    page = visitor.open("/admin/nothing/here")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()


def test_vietnamese_is_a_choice_that_lasts(visitor):
    page = visitor.open("/sign-in")
    page.get_by_label("Language").select_option("vi")
    expect(page.get_by_role("heading", name="Đăng nhập")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "vi"
    page.reload()
    expect(page.get_by_role("heading", name="Đăng nhập")).to_be_visible()


def test_a_browser_that_asks_for_vietnamese_gets_it(visit):
    page = visit(locale="vi-VN").open("/register")
    expect(page.get_by_role("heading", name="Tạo tài khoản")).to_be_visible()


def test_dark_is_a_choice_that_holds_before_the_first_paint(visitor):
    page = visitor.open("/sign-in")
    page.get_by_title("Dark").click()
    page.reload()
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    red, green, blue = (int(part) for part in re.findall(r"\d+", ground)[:3])
    assert max(red, green, blue) < 64
