"""Certificates for tests: an authority of our own, and pairs of files as a server reads them."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import trustme
from cryptography import x509

NAMES = ("127.0.0.1", "localhost", "id.example.com")
DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates; clients that trust it alone are made by `client`."""

    def __init__(self) -> None:
        self.ca = trustme.CA()

    def issue(self, *names: str, days: float = 90, **rest) -> trustme.LeafCert:
        """A certificate that ends in `days` days, counted from now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        begin = min(now, now + days * DAY) - DAY
        rest = {"not_before": begin, "not_after": now + days * DAY} | rest
        return self.ca.issue_cert(*(names or NAMES), **rest)

    def client(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        if version is not None:
            # The lower bound first goes out of the way: the two may never cross.
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = version
            context.minimum_version = version
        return context


def chain_of(leaf: trustme.LeafCert) -> bytes:
    return b"".join(blob.bytes() for blob in leaf.cert_chain_pems)


def key_of(leaf: trustme.LeafCert) -> bytes:
    return leaf.private_key_pem.bytes()


class Pair:
    """A certificate and its key in a folder."""

    def __init__(self, folder: Path, leaf: trustme.LeafCert) -> None:
        self.certificate = folder / "tls.crt"
        self.key = folder / "tls.key"
        self.write(leaf)

    def write(self, leaf: trustme.LeafCert) -> None:
        self.put(chain_of(leaf), key_of(leaf))

    def put(self, certificate: bytes, key: bytes) -> None:
        """One after the other, each renamed into its place."""
        for path, content in ((self.certificate, certificate), (self.key, key)):
            new = path.with_suffix(".new")
            new.write_bytes(content)
            new.chmod(0o600)
            os.replace(new, path)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "server_tls_certificate": str(self.certificate),
            "server_tls_key": str(self.key),
        }


def serial_of(leaf: trustme.LeafCert) -> int:
    return x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number


def tcp(address: str, patience: float = 30) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=patience)


def tls(address: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection with its handshake done."""
    return context.wrap_socket(tcp(address), server_hostname=urlsplit(address).hostname)


def presented(connection: ssl.SSLSocket) -> int:
    """The serial number of the certificate that the server showed."""
    return x509.load_der_x509_certificate(connection.getpeercert(True)).serial_number
