"""What a browser meets: the pages behind links, their policy, and the session's cookie."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import pytest

from checks import ok, unauthorized
from gatehouse import new_password

PAGES = ["", "setup", "verify-email", "reset-password", "admin/users", "problems/not_found"]
# Whatever would let a script or a style in that is not a file of ours.
LOOSE = re.compile(r"'unsafe|'nonce|'strict-dynamic'|\*|https?:|data:|blob:")


def policy_of(answer):
    parts = answer.headers["content-security-policy"].split(";")
    return {name: sources for name, *sources in (part.split() for part in parts)}


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_policy_lets_in_our_own_files_and_nothing_else(server, page):
    answer = server.get(f"//{page}")
    assert answer.status_code == 200
    policy = policy_of(answer)
    assert policy.pop("default-src") == ["'none'"]
    assert all(sources in (["'self'"], ["'none'"]) for sources in policy.values()), policy
    for name in ("base-uri", "form-action", "frame-ancestors"):
        assert policy[name] == ["'none'"]
    assert not LOOSE.search(answer.headers["content-security-policy"])
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_nothing_inline_that_its_policy_would_refuse(server, page):
    html = server.get(f"//{page}").text
    assert "<style" not in html and not re.search(r"\s(on\w+|style)=", html)
    for script in re.findall(r"<script([^>]*)>(.*?)</script>", html, re.DOTALL):
        assert "src=" in script[0] and not script[1].strip()
    for path in re.findall(r'(?:src|href)="([^"]+)"', html):
        assert server.get(f"/{path}").status_code == 200


def test_looking_at_a_link_uses_nothing_up(server):
    person = server.person()
    assert server.post("/auth/forgot-password", json={"email": person.email}).status_code == 202
    link = server.mailed_link(person.email, "reset-password")
    path, token = urlsplit(link).path, link.split("#token=")[1]
    for looked in [path] * 10 + [f"{path}?token={token}"] * 10:
        page = server.get(f"/{looked}")
        assert page.status_code == 200 and token not in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
    fresh = new_password()
    body = {"token": token, "password": fresh}
    ok(server.post("/auth/reset-password", json=body), 204)
    server.login(person.email, fresh)


def test_a_cookie_from_before_is_replaced_at_sign_in_and_opens_nothing_new(server):
    thief, person = server.person(), server.person()
    planted = {"Cookie": f"gatehouse_refresh={thief.refresh_token}"}
    body = {"email": person.email, "password": person.password}
    answer = server.post("/auth/login?session=cookie", json=body, headers=planted)
    assert ok(answer)["user"]["id"] == person.id
    cookie = SimpleCookie(answer.headers["set-cookie"])["gatehouse_refresh"].value
    assert cookie.startswith("ghr_") and cookie != thief.refresh_token
    own = {"Cookie": f"gatehouse_refresh={cookie}", "Sec-Fetch-Site": "same-origin"}
    assert ok(server.post("/auth/refresh", headers=own))["user"]["id"] == person.id
    again = ok(server.post("/auth/refresh", json={"refresh_token": thief.refresh_token}))
    assert again["user"]["id"] == thief.id
    assert len(ok(server.get("/me/sessions", thief))["items"]) == 1


def test_a_made_up_cookie_is_replaced_at_sign_in(server):
    person = server.person()
    body = {"email": person.email, "password": person.password}
    planted = {"Cookie": "gatehouse_refresh=ghr_" + "0" * 43, "Sec-Fetch-Site": "same-origin"}
    unauthorized(server.get("/me", headers=planted))
    assert server.post("/auth/refresh", headers=planted).status_code == 401
    answer = server.post("/auth/login?session=cookie", json=body, headers=planted)
    cookie = SimpleCookie(answer.headers["set-cookie"])["gatehouse_refresh"].value
    assert cookie != "ghr_" + "0" * 43
