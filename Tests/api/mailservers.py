"""Mail servers for the tests: aiosmtpd with TLS and sign-in, and one that says what it is told.

Certificates are of an authority of the tests' own, whose PEM file `Authority.path` names.
"""

from __future__ import annotations

import datetime
import email
import email.message
import email.policy
import socket
import ssl
import threading
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from checks import eventually

USER = "gatehouse"
PASSWORD = "Smtp-Canary-9f1c"  # stands in no log line, whatever happens


class Authority:
    """Issues certificates for `localhost`, or for another name."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.subject, self.key.public_key(), is_authority=True)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, host: str = "localhost") -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(subject, key.public_key(), host=host)
        path = self.folder / f"{self.name}-{host}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _sign(self, subject, public_key, is_authority: bool = False, host: str | None = None):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if host:
            names = x509.SubjectAlternativeName([x509.DNSName(host)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MailServer:
    """Keeps what it is sent. `refusals` are given, one each, before mails are taken."""

    def __init__(self, port: int | None = None, implicit_tls: bool = False, **options) -> None:
        self.port = port or free_port()
        self.envelopes: list = []
        self.encrypted: list[bool] = []
        self.users: list[str] = []
        self.refusals: list[str] = []
        self.refused_recipients: dict[str, str] = {}
        context = options.pop("context", None)
        if implicit_tls:
            options |= {"ssl_context": context, "auth_require_tls": False}
        elif context:
            options |= {"tls_context": context, "require_starttls": True}
        if options.pop("signs_in", False):
            options |= {"auth_required": True, "authenticator": self._authenticate}
        self.implicit_tls = implicit_tls
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)

    def __enter__(self) -> "MailServer":
        self.controller.start()
        return self

    def __exit__(self, *_) -> None:
        self.controller.stop()

    def _authenticate(self, _server, _session, _envelope, mechanism, data) -> AuthResult:
        pair = (data.login, data.password)
        if pair != (USER.encode(), PASSWORD.encode()):
            return AuthResult(success=False, handled=False)
        self.users.append(mechanism)
        return AuthResult(success=True)

    async def handle_RCPT(self, _server, _session, envelope, address, _options) -> str:
        if address in self.refused_recipients:
            return self.refused_recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, session, envelope) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        self.encrypted.append(self.implicit_tls or session.ssl is not None)
        self.envelopes.append(envelope)
        return "250 OK"

    def mails(self, to: str | None = None) -> list[email.message.EmailMessage]:
        return [
            email.message_from_bytes(envelope.original_content, policy=email.policy.default)
            for envelope in list(self.envelopes)
            if to is None or envelope.rcpt_tos == [to]
        ]

    def wait_for(self, to: str, count: int = 1, within: float = 60) -> list:
        return eventually(
            lambda: found if len(found := self.mails(to)) >= count else None,
            within=within, what=f"{count} mail(s) to {to} at the mail server",
        )  # fmt: skip


class RawServer:
    """Answers each line with the next of `replies`, as bytes, and keeps what it heard."""

    def __init__(self, replies: list[bytes]) -> None:
        self.replies = replies
        self.heard = b""
        self.ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "RawServer":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.listener.close()

    def _serve(self) -> None:
        """One client; whoever comes later waits in vain."""
        client, _ = self.listener.accept()
        with client:
            client.settimeout(20)
            for reply in self.replies:
                client.sendall(reply)
                heard = client.recv(65536)
                self.heard += heard
                if not heard:
                    break
            else:
                while heard := client.recv(65536):
                    self.heard += heard
        self.ended.set()
