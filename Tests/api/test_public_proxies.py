"""The samples that put Gatehouse itself in public: nginx and Caddy with TLS in front of it."""

from __future__ import annotations

import ssl
from contextlib import contextmanager

import httpx
import pytest

import proxies
from certificates import Authority, Pair, tls
from checks import eventually, ok
from gatehouse import BASE, authorization, new_email, new_password, without_cookies
from proxies import GATEHOUSE, Caddy, Nginx, port_of
from test_proxies import check

NAME = "id.example.com"  # the samples' name; here it is localhost
TRANSPORT_SECURITY = "max-age=31536000; includeSubDomains"


class Public:
    """What the samples have in common: a name, a port with TLS and one without."""

    def __init__(self, folder, gate, authority):
        self.plain_port = proxies.free_port()
        self.pair = Pair(folder, authority.issue())
        self.trust = authority.client()
        super().__init__(folder, gate, application="")
        self.address = f"https://localhost:{self.port}"

    def client_from(self, address=None):
        transport = httpx.HTTPTransport(verify=self.trust, local_address=address)
        return httpx.Client(
            base_url=self.address, cookies=without_cookies(), timeout=30, transport=transport
        )

    def __enter__(self):
        super().__enter__()
        self.client.close()
        self.client = self.client_from()
        return self


class PublicNginx(Public, Nginx):
    sample = "nginx/public.conf"

    def replacements(self, gate, application):
        folder = f"/etc/letsencrypt/live/{NAME}"
        return [
            (f"{folder}/fullchain.pem", str(self.pair.certificate)),
            (f"{folder}/privkey.pem", str(self.pair.key)),
            (f"127.0.0.1:{GATEHOUSE}", f"127.0.0.1:{port_of(gate)}"),
            ("    listen [::]:80;\n", ""),
            ("    listen [::]:443 ssl http2;\n", ""),
            ("listen 80;", f"listen 127.0.0.1:{self.plain_port};"),
            ("listen 443 ", f"listen 127.0.0.1:{self.port} "),
            (f"https://{NAME}", f"https://localhost:{self.port}"),
            (NAME, "localhost"),
        ]


class PublicCaddy(Public, Caddy):
    """Automatic: for localhost Caddy has an authority of its own, and asks nobody."""

    sample = "caddy/public.Caddyfile"

    def replacements(self, gate, application):
        return [
            (f"127.0.0.1:{GATEHOUSE}", f"127.0.0.1:{port_of(gate)}"),
            (f"https://{NAME}", f"https://localhost:{self.port}"),
            (f"\n{NAME} {{", f"\nlocalhost:{self.port} {{"),
        ]

    def prepare(self, sample):
        file = self.folder / "Caddyfile"
        options = [
            "admin off", "skip_install_trust", "default_bind 127.0.0.1",
            f"http_port {self.plain_port}", f"https_port {self.port}",
        ]  # fmt: skip
        file.write_text("{\n\t" + "\n\t".join(options) + "\n}\n\n" + sample)
        return [proxies.program("caddy"), "run", "--adapter", "caddyfile", "--config", str(file)]

    def __enter__(self):
        root = self.folder / "caddy/pki/authorities/local/root.crt"
        super().__enter__()
        eventually(root.exists, what="Caddy's own authority")
        self.trust = ssl.create_default_context(cafile=str(root))
        self.client.close()
        self.client = self.client_from()
        return self


class PublicCaddyWithFiles(PublicCaddy):
    """With the line for a certificate of one's own taken in."""

    def replacements(self, gate, application):
        line = "tls /etc/gatehouse/tls/tls.crt /etc/gatehouse/tls/tls.key"
        files = f"tls {self.pair.certificate} {self.pair.key}"
        return [*super().replacements(gate, application), (f"# {line}", files)]

    __enter__ = Public.__enter__


KINDS = {"nginx": PublicNginx, "caddy": PublicCaddy, "caddy with files": PublicCaddyWithFiles}


@contextmanager
def in_front_of_nobody(kind, folder):
    with kind(folder, f"http://127.0.0.1:{proxies.free_port()}", Authority()) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server(start_for_module):
    return start_for_module(
        server_public_url="https://localhost", server_trusted_proxies="127.0.0.1"
    )


@pytest.fixture(scope="module", params=KINDS)
def proxy(request, server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("public")
    with KINDS[request.param](folder, server.address, Authority()) as proxy:
        yield proxy


def test_a_browser_signs_in_and_is_told_once_to_stay_with_tls(proxy):
    body = {"email": new_email(), "password": new_password()}
    answer = proxy.client.post(f"{BASE}/auth/register", json=body)
    ok(answer, 201)
    assert answer.headers.get_list("strict-transport-security") == [TRANSPORT_SECURITY]
    answer = proxy.client.post(f"{BASE}/auth/login?session=cookie", json=body)
    held = {
        "Cookie": answer.headers["set-cookie"].split(";")[0],
        "Origin": proxy.address,
        "Sec-Fetch-Site": "same-origin",
    }
    assert held["Cookie"].startswith("__Host-gatehouse_refresh=")
    ok(proxy.client.post(f"{BASE}/auth/refresh", headers=held, json={}))


def test_http_2_and_tls_1_2_or_newer_are_spoken(proxy):
    proxy.trust.set_alpn_protocols(["h2", "http/1.1"])
    with tls(proxy.address, proxy.trust) as connection:
        assert connection.selected_alpn_protocol() == "h2"
        assert connection.version() in ("TLSv1.2", "TLSv1.3")


def test_the_clients_address_is_its_own_and_not_what_it_claims(server, proxy):
    person = server.person()
    claims = [
        ("X-Forwarded-For", "203.0.113.9"), ("X-Real-IP", "203.0.113.9"),
        ("Forwarded", "for=203.0.113.9"),
    ]  # fmt: skip
    with proxy.client_from("127.0.0.2") as client:
        body = {"email": person.email, "password": person.password}
        tokens = ok(client.post(f"{BASE}/auth/login", json=body, headers=claims))
        held = authorization(tokens["access_token"])
        sessions = ok(client.get(f"{BASE}/me/sessions", headers=held))["items"]
    assert [session["ip"] for session in sessions if session["current"]] == ["127.0.0.2"]


def test_a_body_up_to_what_gatehouse_takes_passes(server, proxy):
    key = server.make_key(server.person(), ["usage:write"])["key"]
    # Caddy says 502 when Gatehouse has refused and closed before all of the body was sent.
    too_large = (413,) if isinstance(proxy, PublicNginx) else (413, 502)
    for size, statuses in ((900_000, (422,)), (1_200_000, too_large), (3_000_000, too_large)):
        answer = proxy.client.post(
            f"{BASE}/usage/events", headers=authorization(key), json={"id": "x" * size}
        )
        assert answer.status_code in statuses, (size, answer.text[:200])


def test_plain_http_is_sent_to_tls(proxy):
    answer = httpx.get(f"http://localhost:{proxy.plain_port}/setup?token=secret", timeout=30)
    assert answer.status_code in (301, 308)
    assert answer.headers["location"].startswith("https://localhost")


@pytest.mark.parametrize("kind", [PublicNginx, PublicCaddyWithFiles])
def test_without_gatehouse_the_proxy_says_so_itself(kind, tmp_path):
    with in_front_of_nobody(kind, tmp_path) as proxy:
        answer = proxy.get("/healthz")
        assert answer.status_code == 502
        assert answer.headers.get_list("strict-transport-security") == [TRANSPORT_SECURITY]


# The files


def test_the_nginx_sample_passes_nginxs_own_check(tmp_path):
    proxy = PublicNginx(tmp_path, "http://127.0.0.1:1", Authority())
    check([*proxy.command, "-t"], tmp_path)


def test_the_caddy_sample_passes_caddys_own_check(tmp_path):
    file = str(proxies.DEPLOY / "caddy/public.Caddyfile")
    caddy = proxies.program("caddy")
    check([caddy, "validate", "--adapter", "caddyfile", "--config", file], tmp_path)
    formatted = check([caddy, "fmt", file], tmp_path).stdout
    assert formatted == (proxies.DEPLOY / "caddy/public.Caddyfile").read_text()
