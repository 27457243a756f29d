"""The samples in deploy/: nginx and Caddy in front of an application, and what Traefik asks."""

from __future__ import annotations

import http.client
import os
import subprocess

import httpx
import pytest
from http_sfv import List

import proxies
from checks import ok, problem, raw
from gatehouse import authorization
from proxies import DEPLOY, IDENTITY, PROXIES, Application, Traefik

ROOMY = {"requests_per_month": 100_000}
SPELLINGS = [
    "X-Gatehouse-{}", "x-gatehouse-{}", "X-GATEHOUSE-{}", "X_Gatehouse_{}", "x_gatehouse_{}",
    "X-Gatehouse_{}", "X_Gatehouse-{}", "X.Gatehouse.{}",
]  # fmt: skip


@pytest.fixture(scope="module")
def server(start_for_module):
    """A server where nobody has a plan until they choose one, and proxies on 127.0.0.1 count."""
    server = start_for_module(server_trusted_proxies="127.0.0.1")
    ok(server.patch("/admin/plans/free", server.admin(), {"is_default": False}))
    return server


@pytest.fixture(scope="module")
def shared_application():
    with Application() as application:
        yield application


@pytest.fixture
def application(shared_application):
    """The application behind the proxies, with nothing seen yet."""
    shared_application.taken()
    return shared_application


@pytest.fixture(scope="module", params=PROXIES)
def kind(request):
    return PROXIES[request.param]


@pytest.fixture(scope="module")
def proxy(kind, server, shared_application, tmp_path_factory):
    folder = tmp_path_factory.mktemp(kind.name)
    with kind(folder, server.address, shared_application.address) as proxy:
        yield proxy


def told(server, who):
    """What the gate itself says of a credential (this costs one request)."""
    answer = server.get("/gate", who)
    ok(answer)
    return [answer.headers[f"x-gatehouse-{name.lower()}"] for name in IDENTITY]


def forged(spelling):
    return [(spelling.format(name), "forged") for name in [*IDENTITY, "Status"]] * 2


def key_on(server, limits, scopes=("gate",), **rest):
    person = server.customer(limits)
    return person, server.make_key(person, list(scopes), **rest)["key"]


# Who it is


@pytest.mark.parametrize("by", ["key", "token"])
def test_an_allowed_request_arrives_with_the_identity_that_the_gate_tells(
    server, application, proxy, by
):
    person, key = key_on(server, ROOMY, ["gate", "items:read"])
    who = key if by == "key" else person
    assert proxy.get("/some/where?x=1", who).status_code == 200
    [seen] = application.taken()
    assert (seen.method, seen.target) == ("GET", "/some/where?x=1")
    assert seen.identity() == told(server, who)
    assert seen.identity()[0] == person.id


@pytest.mark.parametrize("by", ["key", "token"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_a_client_says_of_itself_never_arrives(server, application, proxy, spelling, by):
    person, key = key_on(server, ROOMY)
    who = key if by == "key" else person
    assert proxy.get("/", who, headers=forged(spelling)).status_code == 200
    [seen] = application.taken()
    assert seen.identity() == told(server, who)
    assert "forged" not in [value for _, value in seen.headers]
    assert (seen.identity()[1] == "") == (by == "token")


def test_a_client_cannot_have_its_identity_dropped_on_the_way(server, application, proxy):
    _, key = key_on(server, ROOMY)
    names = ", ".join(f"X-Gatehouse-{name}" for name in IDENTITY)
    assert proxy.get("/", key, headers=[("Connection", names)]).status_code == 200
    [seen] = application.taken()
    assert seen.identity() == told(server, key)


def test_the_application_gets_no_credential(server, application, proxy):
    person, key = key_on(server, ROOMY)
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}, authorization(person)):
        assert proxy.get("/", headers=list(headers.items())).status_code == 200
        [seen] = application.taken()
        assert not {"authorization", "x-api-key"} & seen.folded().keys()


# Refusals


def refused_for_no_credential(server):
    return None, "GET"


def refused_for_no_plan(server):
    return server.person(), "GET"


def refused_for_its_scope(server):
    return key_on(server, ROOMY)[1], "POST"


def refused_for_its_quota(server):
    return key_on(server, {"requests_per_month": 0, "requests_per_second": 50})[1], "GET"


def refused_for_its_rate(server):
    _, key = key_on(server, {"requests_per_month": 100, "requests_per_minute": 1})
    ok(server.get("/gate", key))
    return key, "GET"


REFUSALS = [
    (refused_for_no_credential, 401, "unauthorized"),
    (refused_for_no_plan, 402, "subscription_required"),
    # nginx sees no more of the gate's 403 than its status, and says the general word.
    (refused_for_its_scope, 403, ("insufficient_scope", "forbidden")),
    (refused_for_its_quota, 429, "quota_exceeded"),
    (refused_for_its_rate, 429, "rate_limited"),
]


@pytest.mark.parametrize(("refused", "status", "code"), REFUSALS)
def test_a_refusal_reaches_the_client_and_nothing_the_application(
    server, application, proxy, refused, status, code
):
    who, method = refused(server)
    answer = proxy.request(method, "/", who, headers=forged("X-Gatehouse-{}"))
    problem(answer, status, code)
    assert answer.headers.get_list("www-authenticate") == (["Bearer"] if status == 401 else [])
    if status == 429:
        direct = server.get("/gate", who)
        assert answer.headers["ratelimit-policy"] == direct.headers["ratelimit-policy"]
        assert abs(int(answer.headers["retry-after"]) - int(direct.headers["retry-after"])) <= 2
    assert application.taken() == []


def test_a_refusal_to_head_has_no_body_and_keeps_the_connection(server, application, proxy):
    answer = proxy.request("HEAD", "/")
    assert (answer.status_code, answer.content) == (401, b"")
    _, key = key_on(server, ROOMY)
    assert proxy.request("HEAD", "/", key).status_code == 200
    assert [seen.method for seen in application.taken()] == ["HEAD"]


def test_a_refusal_leaves_the_other_limits_as_they_were(server, proxy):
    _, key = key_on(server, {"requests_per_month": 1, "requests_per_minute": 5})

    def left(answer):
        fields = List()
        fields.parse(answer.headers["ratelimit"].encode())
        return {member.value: member.params["r"] for member in fields}

    before = left(server.get("/gate", key))
    assert left(proxy.get("/", key)) == before == {
        "requests_per_minute": 4, "requests_per_month": 0,
    }  # fmt: skip


def test_the_applications_own_refusals_stay_as_they_are(server, application, proxy):
    _, key = key_on(server, ROOMY)
    try:
        for status in (401, 403, 429, 500, 503):
            application.status = status
            answer = proxy.get("/", key)
            assert (answer.status_code, answer.content) == (status, b"")
    finally:
        application.status = 200
    assert len(application.taken()) == 5


# What is counted


def test_each_request_counts_once_and_a_refused_one_costs_nothing(server, application, proxy):
    person, key = key_on(server, {"requests_per_month": 4})
    answers = [proxy.get("/", key) for _ in range(2)]
    answers.append(proxy.request("POST", "/", key))  # lacks items:write
    answers += [proxy.get("/", key) for _ in range(4)]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 200, 403, 200, 200, 429, 429]
    assert server.used(person) == 4
    assert len(application.taken()) == 4


def test_a_client_has_no_say_in_what_is_asked(server, application, proxy):
    person, key = key_on(server, ROOMY)
    claims = [
        ("X-Forwarded-Method", "GET"), ("X-HTTP-Method-Override", "GET"),
        ("X-Forwarded-Uri", "/api/v1/gate?cost=0"), ("X-Original-URI", "/?scope=gate"),
        ("X-Original-URL", "/"), ("X-Rewrite-URL", "/healthz"),
    ]  # fmt: skip
    query = "/?cost=0&metric=other&scope=gate"
    assert proxy.request("POST", query, key, headers=claims).status_code == 403
    assert application.taken() == []
    assert proxy.get(query, key, headers=claims).status_code == 200
    assert [seen.target for seen in application.taken()] == [query]
    assert (server.used(person), server.used(person, "other")) == (1, 0)


def test_200_requests_pass_over_one_connection(server, application, proxy):
    person, key = key_on(server, ROOMY)
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    connection.connect()
    first = connection.sock
    for number in range(200):
        connection.request("GET", f"/{number}", headers=authorization(key))
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, connection.sock) == (200, first)
    connection.close()
    assert [seen.target for seen in application.taken()] == [f"/{n}" for n in range(200)]
    assert server.used(person) == 200


# What is passed on


@pytest.mark.parametrize("size", [0, 5, 300_000])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_arrives_whole(server, application, proxy, size, framing):
    _, key = key_on(server, ROOMY, ["gate", "items:write"])
    body = os.urandom(size)
    content = body if framing == "length" else iter([body[:3], body[3:]])
    assert proxy.request("POST", "/upload", key, content=content).status_code == 200
    [seen] = application.taken()
    assert (seen.method, seen.target, seen.body) == ("POST", "/upload", body)


@pytest.mark.parametrize(
    "target", ["/a/%2e%2e/b", "/a%2fb", "//a//b", "/a/./b", "/a;x=1/b", "/%C3%A9?q=%2e%2e//&r=+"]
)
def test_a_path_arrives_as_it_was_sent(server, application, proxy, target):
    _, key = key_on(server, ROOMY)
    head = f"GET {target} HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n"
    assert raw(proxy.address, f"{head}X-API-Key: {key}\r\n\r\n".encode()).status_code == 200
    assert raw(proxy.address, f"{head}\r\n".encode()).status_code == 401
    [seen] = application.taken()
    assert (seen.target, seen.values("Host")) == (target, ["app.example.com"])


def test_a_keys_networks_are_held_against_the_client_and_not_its_claims(
    server, application, proxy
):
    _, key = key_on(server, ROOMY, allowed_cidrs=["127.0.0.2/32", "203.0.113.0/24"])
    claims = [
        ("X-Forwarded-For", "203.0.113.9"), ("X-Real-IP", "203.0.113.9"),
        ("Forwarded", "for=203.0.113.9"),
    ]  # fmt: skip

    def status(client_address, headers):
        transport = httpx.HTTPTransport(local_address=client_address)
        with httpx.Client(transport=transport, timeout=30) as client:
            headers = [*authorization(key).items(), *headers]
            return client.get(proxy.address, headers=headers).status_code

    assert status("127.0.0.2", []) == 200
    assert status("127.0.0.3", []) == 403
    assert status("127.0.0.3", claims) == 403
    assert len(application.taken()) == 1


# A gate that is ill


def test_without_gatehouse_nobody_passes_until_it_is_back(
    kind, start, application, tmp_path_factory
):
    server = start(f"127.0.0.1:{proxies.free_port()}")
    _, key = key_on(server, ROOMY, ["gate", "items:write"])
    folder = tmp_path_factory.mktemp(kind.name)
    with kind(folder, server.address, application.address) as proxy:
        assert proxy.get("/", key).status_code == 200
        server.stop()
        application.taken()
        answers = [proxy.request(method, "/", key) for method in ("GET", "POST", "GET")]
        status = {"nginx": 503, "caddy": 502}[kind.name]
        assert [answer.status_code for answer in answers] == [status] * 3
        if kind.name == "nginx":
            problem(answers[0], 503, "unavailable")
        assert application.taken() == []
        server.start()
        assert proxy.get("/", key).status_code == 200
    assert len(application.taken()) == 1


def test_the_gate_is_asked_with_the_credential_alone_and_only_2xx_lets_pass(
    kind, application, tmp_path_factory
):
    folder = tmp_path_factory.mktemp(kind.name)
    with Application() as gate, kind(folder, gate.address, application.address) as proxy:
        headers = [("Cookie", "a=b"), *forged("X-Gatehouse-{}"), *forged("X_Gatehouse_{}")]
        body = iter([b"z" * 99])  # in chunks: their framing is not for the gate either
        answer = proxy.request("POST", "/x?y", "gh_key", headers=headers, content=body)
        assert answer.status_code == 200
        [asked] = gate.taken()
        path, query = asked.target.split("?")
        assert (asked.method, path, asked.body) == ("GET", "/api/v1/gate", b"")
        assert {"scope": "items:write"}.items() <= dict(httpx.QueryParams(query)).items()
        assert asked.values("X-API-Key") == ["gh_key"]
        assert asked.values("X-Forwarded-For") == ["127.0.0.1"]
        assert not {"cookie", "transfer-encoding", "x-gatehouse-user"} & asked.folded().keys()
        # Where the gate does not say who it is, they still are not who they claim to be.
        [seen] = application.taken()
        assert "forged" not in [value for _, value in seen.headers]
        assert seen.body == b"z" * 99
        for status in (302, 400, 404, 422, 500, 503):
            gate.status = status
            assert proxy.get("/", "gh_key").status_code >= 300
        assert application.taken() == []


# Traefik, by its documentation


def test_what_traefik_asks_is_answered_with_what_it_copies(server):
    person, key = key_on(server, ROOMY, ["gate", "items:read"])
    for who in (key, person):
        for spelling in SPELLINGS[:5]:
            traefik = Traefik(server.address)
            answer, passed = traefik.request("POST", "/a/%2e%2e//b?cost=0", who, forged(spelling))
            ok(answer)
            names = [f"X-Gatehouse-{name}" for name in IDENTITY]
            assert [passed.get(name) for name in names] == told(server, who)
            assert "forged" not in passed.values()
            assert not {"Authorization", "X-Api-Key"} & passed.keys()
    assert server.used(person) == 2 * 2 * 5  # by Traefik, and by `told`


@pytest.mark.parametrize(
    ("refused", "status", "code"), [refusal for refusal in REFUSALS if refusal[1] != 403]
)  # the sample for Traefik demands no scope
def test_traefik_hands_the_gates_refusal_on(server, refused, status, code):
    who, method = refused(server)
    answer, passed = Traefik(server.address).request(method, "/", who, forged("X-Gatehouse-{}"))
    problem(answer, status, code)
    assert passed is None


# The files


def test_the_nginx_sample_passes_nginxs_own_check(tmp_path):
    main = tmp_path / "nginx.conf"
    main.write_text(proxies.nginx_main(tmp_path, DEPLOY / "nginx/gatehouse.conf"))
    check([*proxies.nginx_command(tmp_path, main), "-t"], tmp_path)


def test_the_caddy_sample_passes_caddys_own_check(tmp_path):
    file = str(DEPLOY / "caddy/Caddyfile")
    caddy = proxies.program("caddy")
    check([caddy, "validate", "--adapter", "caddyfile", "--config", file], tmp_path)
    formatted = check([caddy, "fmt", file], tmp_path).stdout
    assert formatted == (DEPLOY / "caddy/Caddyfile").read_text()


def check(command, folder):
    homes = {name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | homes, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr, done.stderr
    return done
