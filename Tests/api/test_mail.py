"""Mails through real mail servers: TLS, sign-in, refusals, and servers that are away."""

from __future__ import annotations

import re
import shutil

import pytest

from checks import eventually, ok
from gatehouse import Server, new_email, new_password, run_command
from mailservers import PASSWORD, USER, Authority, MailServer, RawServer, free_port

PUBLIC = "https://id.example.com"


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def mailing(start, authority):
    """Starts a server that mails through a port; at its end no log may have the password."""
    started: list[Server] = []

    def begin(port: int, **settings: str) -> Server:
        defaults = {
            "mail_transport": "smtp", "mail_from": "Ácme <id@example.com>",
            "mail_smtp_host": "localhost", "mail_smtp_port": str(port),
            "mail_smtp_ca_file": str(authority.path), "mail_smtp_timeout": "5s",
            "server_public_url": PUBLIC, "log_level": "trace",
        }  # fmt: skip
        server = start(**defaults | settings)
        started.append(server)
        return server

    yield begin
    for server in started:
        assert PASSWORD not in server.output(10_000)


SIGNS_IN = {"mail_smtp_username": USER, "mail_smtp_password": PASSWORD}


def token_in(mail) -> str:
    text = mail.get_body(("plain",)).get_content()
    return re.search(rf"{re.escape(PUBLIC)}/[\w-]+#token=([\w.~-]+)", text).group(1)


def jobs(server: Server, **query: str) -> list[dict]:
    query = {"kind": "send_mail", "limit": "200"} | query
    return ok(server.get("/admin/jobs", server.admin(), params=query))["items"]


def failed_job(server: Server, text: str) -> dict:
    """A mail that was tried and waits; its reason has that text."""

    def found() -> dict | None:
        waiting = [job for job in jobs(server) if text in (job["last_error"] or "")]
        return waiting[0] if waiting else None

    return eventually(found, within=30, what=f"a mail that failed with {text}")


def check_parts(mail) -> None:
    """Both alternatives are whole, and the headers are those of a machine's mail."""
    assert mail.get_content_type() == "multipart/alternative" and not mail.defects
    plain, html = mail.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    for part in (plain, html):
        assert part.get_content_charset() == "utf-8" and not part.defects
        assert "\u00c1cme" in part.get_content() or "Gatehouse" in part.get_content()
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime.utcoffset().total_seconds() == 0
    assert html.get_content().rstrip().endswith("</html>")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_goes_encrypted_and_signed_in_to_the_server(mailing, authority, security):
    context = authority.context()
    with MailServer(context=context, implicit_tls=security == "tls", signs_in=True) as smtp:
        server = mailing(smtp.port, mail_smtp_security=security, **SIGNS_IN)
        address, password = new_email(), new_password()
        server.register(address, password)
        [mail] = smtp.wait_for(address)
        assert smtp.encrypted == [True] and smtp.users == ["PLAIN"]
        assert smtp.envelopes[0].mail_from == "id@example.com"
        assert mail["From"] == "Ácme <id@example.com>" and mail["To"] == address
        assert re.fullmatch(r"<[0-9a-f-]{36}@id\.example\.com>", mail["Message-ID"])
        check_parts(mail)
        ok(server.post("/auth/verify-email", json={"token": token_in(mail)}), 204)


def test_a_server_that_only_knows_auth_login_is_signed_in_to(mailing, authority):
    options = {"signs_in": True, "auth_exclude_mechanism": ["PLAIN"]}
    with MailServer(context=authority.context(), **options) as smtp:
        server = mailing(smtp.port, **SIGNS_IN)
        address = new_email()
        server.register(address)
        smtp.wait_for(address)
        assert smtp.users == ["LOGIN"]


def test_a_wrong_password_keeps_the_mail_here_and_out_of_the_log(mailing, authority):
    with MailServer(context=authority.context(), signs_in=True) as smtp:
        wrong = {"mail_smtp_username": USER, "mail_smtp_password": PASSWORD[::-1]}
        server = mailing(smtp.port, **wrong)
        address = new_email()
        server.register(address)
        job = failed_job(server, "refused the sign-in: 535")
        assert job["state"] in ("queued", "running") and smtp.mails() == []
        assert PASSWORD[::-1] not in server.output(10_000)
        server.restart(mail_smtp_password=PASSWORD)
        smtp.wait_for(address)


def test_a_busy_server_gets_the_mail_again_as_the_same_mail(mailing):
    with MailServer() as smtp:
        smtp.refusals = ["451 4.3.0 busy"]
        server = mailing(smtp.port, mail_smtp_security="none")
        address = new_email()
        server.register(address)
        [mail] = smtp.wait_for(address)
        job = eventually(lambda: jobs(server, state="done"), what="the job done")[0]
        assert job["attempts"] == 2 and "451 4.3.0 busy" in job["last_error"]
        assert mail["Message-ID"] == f"<{job['id']}@id.example.com>"


def test_a_mail_that_is_refused_for_good_is_not_sent_again_and_says_why(mailing):
    with MailServer() as smtp:
        server = mailing(smtp.port, mail_smtp_security="none")
        address = new_email()
        smtp.refused_recipients[address] = "550 5.1.1 no such user"
        server.register(address)
        [job] = eventually(lambda: jobs(server, state="dead"), what="the dead letter")
        assert job["attempts"] == 1 and "550 5.1.1 no such user" in job["last_error"]
        # An operator who knows better sends it again.
        smtp.refused_recipients.clear()
        ok(server.post(f"/admin/jobs/{job['id']}/retry", server.admin()))
        smtp.wait_for(address)


def test_mails_wait_for_a_server_that_is_down(mailing):
    port = free_port()
    server = mailing(port, mail_smtp_security="none")
    address = new_email()
    server.register(address)
    failed_job(server, "cannot reach the mail server")
    with MailServer(port) as smtp:
        smtp.wait_for(address)


def test_mails_that_wait_survive_a_kill(mailing):
    port = free_port()
    server = mailing(port, mail_smtp_security="none")
    people = [new_email() for _ in range(8)]
    for address in people:
        server.register(address)
    server.kill()
    with MailServer(port) as smtp:
        server.start()
        for address in people:
            smtp.wait_for(address)


def test_a_link_that_waits_when_a_backup_is_made_works_after_its_restore(mailing, tmp_path):
    port = free_port()
    server = mailing(port, mail_smtp_security="none")
    person = server.person()
    asked = server.post("/auth/forgot-password", json={"email": person.email})
    assert asked.status_code == 202
    file = str(tmp_path / "kept.ghb")
    assert server.command("backup", "--to", file).returncode == 0
    server.stop()
    shutil.rmtree(server.data_dir)  # with the key that the link was sealed with
    assert server.command("restore", file).returncode == 0
    with MailServer(port) as smtp:
        server.start()

        def reset():
            return [m for m in smtp.mails() if "/reset-password#" in m.get_body().get_content()]

        [mail] = eventually(reset)
        body = {"token": token_in(mail), "password": new_password()}
        ok(server.post("/auth/reset-password", json=body), 204)


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_wrong_certificate_gets_nothing_and_the_mail_waits(
    mailing, authority, tmp_path, wrong
):
    other = Authority(tmp_path, "other")
    context = other.context() if wrong == "authority" else authority.context("else.example")
    port = free_port()
    with MailServer(port, context=context, signs_in=True) as smtp:
        server = mailing(port, **SIGNS_IN)
        address = new_email()
        server.register(address)
        job = failed_job(server, "failed: ")
        assert job["state"] in ("queued", "running") and job["attempts"] < job["attempts_max"]
        assert smtp.mails() == [] and smtp.users == []
        assert any("CERTIFICATE_VERIFY_FAILED" in line or "certificate" in line.lower()
                   for line in server.stdout)  # fmt: skip
    with MailServer(port, context=authority.context(), signs_in=True) as smtp:
        smtp.wait_for(address)


@pytest.mark.parametrize(
    "replies",
    [
        [b"220 a\r\n", b"250-a\r\n250 AUTH PLAIN\r\n"],
        [b"220 a\r\n", b"250-a\r\n250 STARTTLS\r\n", b"220 go\r\n250-a\r\n250 AUTH PLAIN\r\n"],
        [b"220 a\r\n", b"250-a\r\n250 STARTTLS\r\n", b"454 not today\r\n"],
        [b"220 a\r\n", b"250-a\r\n250 STARTTLS\r\n250-a\r\n250 AUTH PLAIN\r\n"],
    ],
    ids=["not offered", "a reply behind the last word in the clear", "refused", "two replies"],
)
def test_without_tls_neither_a_password_nor_a_mail_is_sent(mailing, replies):
    with RawServer(replies) as raw:
        server = mailing(raw.port, **SIGNS_IN)
        address = new_email()
        server.register(address)
        assert raw.ended.wait(20)
        said = raw.heard.upper()
        assert said.startswith(b"EHLO ID.EXAMPLE.COM\r\n")
        assert b"AUTH" not in said and b"MAIL" not in said and address.upper().encode() not in said
        failed_job(server, "mail server")


def test_a_silent_server_is_given_up_on(mailing):
    with RawServer([]) as raw:
        server = mailing(raw.port, mail_smtp_security="none", mail_smtp_timeout="1s")
        server.register()
        failed_job(server, "did not answer in time")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mail_smtp_host": ""}, "mail.smtp.host"),
        ({"server_public_url": ""}, "server.public_url"),
        ({"mail_from": "Gatehouse <gatehouse@localhost>"}, "mail.from"),
        ({"mail_smtp_username": USER}, "mail.smtp.password"),
        ({"mail_smtp_username": USER, "mail_smtp_password": PASSWORD,
          "mail_smtp_security": "none"}, "mail.smtp.security"),
        ({"mail_smtp_ca_file": "/nonexistent.pem"}, "mail.smtp.ca_file"),
        ({"mail_smtp_security": "maybe"}, "mail.smtp.security"),
        ({"mail_smtp_port": "0"}, "mail.smtp.port"),
    ],
    ids=["no host", "no public URL", "no sender", "no password", "password in the clear",
         "no such file", "no such security", "no such port"],
)  # fmt: skip
def test_a_start_that_could_not_mail_is_refused(tmp_path, settings, said):
    whole = {
        "mail_transport": "smtp", "mail_from": "id@example.com",
        "mail_smtp_host": "mail.example.com", "server_public_url": PUBLIC,
        "metrics_listen": "127.0.0.1:0",
    }  # fmt: skip
    words = "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")
    result = run_command(*words, cwd=tmp_path, **whole | settings)
    assert result.returncode == 78, result.stderr
    assert said in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert PASSWORD not in result.stderr + result.stdout
