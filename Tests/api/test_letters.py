"""What mails say: each letter that a call brings about, as a mail program reads it."""

from __future__ import annotations

import html.parser

from checks import eventually, ok, problem
from gatehouse import new_email, new_password


class Outline(html.parser.HTMLParser):
    """The text and the addresses of a page; open elements that nothing closes are a failure."""

    VOID = {"meta", "br", "img", "link"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.words = ""
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value for name, value in attributes if name in ("href", "src")]
        assert not any(name.startswith("on") for name, _ in attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def newest(server, address: str, subject: str):
    """The newest mail to somebody, with that subject, whole and in two forms that say the same."""

    def find():
        return [m for m in server.mailbox(address) if m["Subject"] == subject]

    mail = eventually(find, what=f"a mail to {address}: {subject}")[-1]
    assert not mail.defects and mail["To"] == address
    assert mail["From"].addresses[0].addr_spec == "gatehouse@localhost"
    assert mail["Auto-Submitted"] == "auto-generated" and mail["Content-Language"] == "en"
    plain = mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
    outline = Outline(mail.get_body(("html",)).get_content())
    assert not {"img", "script", "link", "iframe", "form"} & set(outline.tags)
    assert all(link.startswith(server.settings["server_public_url"]) for link in outline.links)
    assert all(link in plain for link in outline.links)
    said = " ".join(outline.words.split())
    assert subject in said
    for paragraph in plain.split("-- \n")[0].split("\n\n"):
        words = " ".join(paragraph.split())
        if paragraph.startswith("  "):  # facts, which a table has in cells
            assert all(word.rstrip(":") in said for word in words.split())
        else:
            assert words in said
    return plain


def forgot(server, address: str) -> None:
    assert server.post("/auth/forgot-password", json={"email": address}).status_code == 202


def test_each_letter_reads_the_same_as_text_and_as_a_page(start):
    server = start(server_public_url="https://id.example.com")
    address, password = new_email("o'hara+a&b"), new_password()
    server.register(address, password)
    assert "/verify-email#token=" in newest(server, address, "Verify your e-mail address")
    server.login(address, password)
    tokens = server.login(address, password, headers={"User-Agent": "Firefox/1 <b>Windows"})
    told = newest(server, address, "New sign-in to your account")
    assert "Firefox on Windows" in told and "127.0.0.1" in told and "<b>" not in told

    forgot(server, address)
    assert "/reset-password#token=" in newest(server, address, "Set a new password")
    fresh = new_password()
    change = {"current_password": password, "new_password": fresh}
    ok(server.post("/me/password", tokens["access_token"], json=change), 204)
    newest(server, address, "Your password was changed")

    tokens = server.login(address, fresh)
    old = tokens["refresh_token"]
    for _ in range(2):
        tokens = ok(server.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]}))
    reused = server.post("/auth/refresh", json={"refresh_token": old})
    problem(reused, 401, "refresh_token_reused")
    newest(server, address, "A device was signed out for safety")

    other = new_email("other")
    tokens = server.login(address, fresh)
    change = {"email": other, "current_password": fresh}
    ok(server.patch("/me", tokens["access_token"], change))
    assert other not in newest(server, address, "Your e-mail address was changed")
    newest(server, other, "Verify your e-mail address")


def test_a_taken_address_is_told_to_its_owner_alone(start):
    server = start(
        server_public_url="https://id.example.com", auth_require_verified_email="true"
    )
    address = new_email()
    for _ in range(2):
        body = {"email": address, "password": new_password()}
        ok(server.post("/auth/register", json=body), 202)
    newest(server, address, "You have an account already")


def test_a_quota_is_told_once_each_time_it_fills_whoever_dies_meanwhile(start):
    server = start(
        server_public_url="https://id.example.com", limits_checkpoint_interval="50ms"
    )
    person = server.customer({"requests_per_month": 10, "tokens_per_day": 100})
    key = server.make_key(person)["key"]
    for _ in range(8):
        ok(server.get("/gate", key))
    near = newest(server, person.email, "80 % of your requests for this month used")
    assert "10 a month" in near
    server.kill()
    server.start()
    for _ in range(2):
        ok(server.get("/gate", key))
    newest(server, person.email, "All of your requests for this month used")
    event = {"id": "1", "metric": "tokens", "value": 120}
    ok(server.post("/usage/events", person, json=event))
    newest(server, person.email, "All of your tokens for today used")
    told = [m["Subject"] for m in server.mailbox(person.email) if "used" in m["Subject"]]
    assert len(told) == 3


def test_somebody_who_asks_for_links_gets_the_newest_and_nobody_a_mail(start):
    server = start(server_public_url="https://id.example.com")
    stranger, person = new_email("stranger"), server.person()
    for address in (stranger, person.email):
        forgot(server, address)
    newest(server, person.email, "Set a new password")
    assert server.mailbox(stranger) == []
