"""Access tokens, refresh tokens, cookies."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from http.cookies import SimpleCookie

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from checks import TOKEN_PAIR, ok, problem, together, unauthorized
from gatehouse import new_password

CLAIMS = {"iss", "aud", "sub", "sid", "jti", "iat", "exp", "roles", "token_version"}
PRIVATE = {"d", "k", "p", "q", "dp", "dq", "qi", "oth"}
DEAD_REFRESH = "invalid_refresh_token", "refresh_token_reused"


@pytest.fixture(scope="module")
def graceless(start_for_module):
    """A server where the ten seconds after a refresh token's delivery have always passed."""
    return start_for_module(auth_refresh_grace="0s")


def refresh(server, token):
    return server.post("/auth/refresh", json={"refresh_token": token})


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def jwks(server):
    return ok(server.get("//.well-known/jwks.json"))["keys"]


def public_key(server, token):
    kid = jwt.get_unverified_header(token)["kid"]
    return jwt.PyJWK(next(key for key in jwks(server) if key["kid"] == kid)).key


def text64(data: bytes | dict) -> str:
    data = json.dumps(data).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: dict, payload: dict, sign) -> str:
    text = f"{text64(header)}.{text64(payload)}"
    return f"{text}.{text64(sign(text.encode()))}"


def test_an_access_token_is_an_rfc_9068_one_signed_with_ed25519(server):
    header = jwt.get_unverified_header(server.person().access_token)
    assert (header["typ"], header["alg"]) == ("at+jwt", "EdDSA")
    assert header["kid"] in [key["kid"] for key in jwks(server)]


def test_an_access_token_carries_every_claim(server):
    person = server.person()
    told = claims(person.access_token)
    assert CLAIMS <= told.keys()
    assert (told["sub"], told["roles"]) == (person.id, ["user"])
    assert told["exp"] - told["iat"] == 900
    assert abs(told["iat"] - time.time()) < 60
    assert isinstance(told["token_version"], int)
    assert all(isinstance(told[name], str) and told[name] for name in ("iss", "sid", "jti"))


def test_an_access_token_verifies_against_the_published_keys(server):
    person = server.person()
    told = claims(person.access_token)
    key = public_key(server, person.access_token)
    verified = jwt.decode(
        person.access_token, key, algorithms=["EdDSA"], audience=told["aud"], issuer=told["iss"]
    )
    assert verified["sub"] == person.id


def test_the_published_keys_are_public_ones_only(server):
    keys = jwks(server)
    assert keys
    for key in keys:
        assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
        assert not PRIVATE & key.keys()


def test_each_token_is_one_of_its_kind_and_a_session_keeps_its_id(server):
    person = server.person()
    renewed = ok(refresh(server, person.refresh_token))
    first, second = claims(person.access_token), claims(renewed["access_token"])
    other = claims(server.again(person).access_token)
    assert len({first["jti"], second["jti"], other["jti"]}) == 3
    assert first["sid"] == second["sid"] != other["sid"]


def without_signature(server, token):
    return token.rsplit(".", 1)[0] + "."


def unsigned(server, token):
    header = jwt.get_unverified_header(token) | {"alg": "none"}
    return f"{text64(header)}.{text64(claims(token))}."


def other_kid(server, token):
    head, body, signature = token.split(".")
    header = jwt.get_unverified_header(token) | {"kid": "another"}
    return f"{text64(header)}.{body}.{signature}"


def keyed_with(form):
    def forged(server, token):
        key = public_key(server, token)
        secret = {
            "raw": lambda: key.public_bytes(Encoding.Raw, PublicFormat.Raw),
            "pem": lambda: key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "der": lambda: key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        }[form]()
        header = jwt.get_unverified_header(token) | {"alg": "HS256"}
        return signed(header, claims(token), lambda text: hmac.digest(secret, text, hashlib.sha256))

    forged.__name__ = f"hs256_with_the_public_key_as_{form}"
    return forged


def own_key(extra):
    def forged(server, token):
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": text64(public)}
        more = {"jwk": {"jwk": jwk}, "jku": {"jku": "http://127.0.0.1:1/keys"}}.get(extra, {})
        header = jwt.get_unverified_header(token) | more
        return signed(header, claims(token), key.sign)

    forged.__name__ = f"another_key_{extra}"
    return forged


def changed_signature(server, token):
    head, body, signature = token.split(".")
    return f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def changed_claims(server, token):
    head, _, signature = token.split(".")
    return f"{head}.{text64(claims(token) | {'roles': ['admin']})}.{signature}"


def a_refresh_token(server, token):
    return server.person().refresh_token


def junk(server, token):
    return "not.a.token"


@pytest.mark.parametrize(
    "alter",
    [without_signature, unsigned, other_kid, keyed_with("raw"), keyed_with("pem"),
     keyed_with("der"), own_key("plain"), own_key("jwk"), own_key("jku"), changed_signature,
     changed_claims, a_refresh_token, junk],
    ids=lambda alter: alter.__name__,
)  # fmt: skip
def test_an_altered_token_is_refused(server, alter):
    person = server.person()
    ok(server.get("/me", person))
    unauthorized(server.get("/me", alter(server, person.access_token)))


@pytest.mark.parametrize("value", ["", "Bearer", "Basic YTpi", "Token x", "Bearer a b"])
def test_a_header_without_a_token_is_refused(server, value):
    unauthorized(server.get("/me", headers={"Authorization": value}))


@pytest.mark.parametrize("name", ["access_token", "token", "api_key", "key", "authorization"])
@pytest.mark.parametrize("path", ["/me", "/gate"])
def test_a_credential_in_the_address_is_ignored(server, path, name):
    person = server.person()
    secret = server.make_key(person)["key"] if "key" in name else person.access_token
    unauthorized(server.get(path, params={name: secret}))


def test_signing_out_ends_the_access_token_at_once(server):
    person, other = server.person(), server.person()
    elsewhere = server.again(person)
    body = {"refresh_token": person.refresh_token}
    ok(server.post("/auth/logout", person, json=body), 204)
    unauthorized(server.get("/me", person))
    problem(refresh(server, person.refresh_token), 401, DEAD_REFRESH)
    for untouched in (elsewhere, other):
        ok(server.get("/me", untouched))


def test_signing_out_everywhere_ends_every_session(server):
    person = server.person()
    elsewhere = server.again(person)
    unauthorized(server.post("/auth/logout", json={"all": True}))
    ok(server.get("/me", elsewhere))
    ok(server.post("/auth/logout", person, json={"all": True}), 204)
    for session in (person, elsewhere):
        unauthorized(server.get("/me", session))


def test_signing_out_with_a_token_that_never_was_tells_nothing(server):
    for token in ("ghr_" + "0" * 43, "x"):
        ok(server.post("/auth/logout", json={"refresh_token": token}), 204)


def test_a_refresh_answers_a_new_pair(server):
    person = server.person()
    pair = ok(refresh(server, person.refresh_token))
    assert pair.keys() == TOKEN_PAIR
    assert pair["refresh_token"] != person.refresh_token
    assert pair["access_token"] != person.access_token
    ok(server.get("/me", pair["access_token"]))


@pytest.mark.parametrize("token", ["", "x", "ghr_", "ghr_" + "A" * 43, "gh_" + "A" * 50])
def test_a_made_up_refresh_token_is_refused(server, token):
    codes = "invalid_refresh_token", "validation_failed"
    problem(refresh(server, token), (401, 422) if token == "" else 401, codes)


@pytest.mark.parametrize("kind", ["server", "graceless"])
def test_a_lost_answer_does_not_sign_anybody_out(kind, request):
    server = request.getfixturevalue(kind)
    person = server.person()
    ok(refresh(server, person.refresh_token))  # this answer is lost
    pair = ok(refresh(server, person.refresh_token))
    ok(server.get("/me", pair["access_token"]))
    pair = ok(refresh(server, pair["refresh_token"]))
    ok(server.get("/me", pair["access_token"]))


def test_the_token_before_is_taken_for_a_while_after_the_new_one_arrived(server):
    person = server.person()
    first = ok(refresh(server, person.refresh_token))
    ok(server.get("/me", first["access_token"]))
    second = ok(refresh(server, person.refresh_token))
    for pair in (first, second):
        ok(server.get("/me", pair["access_token"]))
    assert claims(first["access_token"])["sid"] == claims(second["access_token"])["sid"]


def assert_reuse(server, person, token, *dead):
    """`token` is refused as reused, and its whole session is dead with it."""
    problem(refresh(server, token), 401, "refresh_token_reused")
    unauthorized(server.get("/me", person))
    for pair in dead:
        unauthorized(server.get("/me", pair["access_token"]))
        problem(refresh(server, pair["refresh_token"]), 401, DEAD_REFRESH)


def test_a_token_two_generations_old_is_reuse_and_ends_the_session(server):
    person, elsewhere = (one := server.person()), server.again(one)
    second = ok(refresh(server, person.refresh_token))
    third = ok(refresh(server, second["refresh_token"]))
    assert_reuse(server, person, person.refresh_token, second, third)
    ok(server.get("/me", elsewhere))


def test_the_token_before_is_reuse_once_the_new_one_was_used_and_time_passed(graceless):
    person = graceless.person()
    second = ok(refresh(graceless, person.refresh_token))
    ok(graceless.get("/me", second["access_token"]))
    graceless.again(person)  # a password check: time that passes for sure
    assert_reuse(graceless, person, person.refresh_token, second)


def test_a_sibling_issued_long_before_is_orphaned(graceless):
    person = graceless.person()
    first = ok(refresh(graceless, person.refresh_token))
    graceless.again(person)  # a password check: time that passes for sure
    second = ok(refresh(graceless, person.refresh_token))
    graceless.again(person)
    assert_reuse(graceless, person, first["refresh_token"], first, second)


def test_the_owner_is_told_of_reuse_by_mail_and_it_is_audited(server):
    admin, person = server.admin(), server.person()
    second = ok(refresh(server, person.refresh_token))
    ok(refresh(server, second["refresh_token"]))
    mails = len(server.mailbox(person.email))
    problem(refresh(server, person.refresh_token), 401, "refresh_token_reused")
    server.wait_for_mail(person.email, mails + 1)
    rows = server.everything("/admin/audit-logs", admin)
    assert any("reuse" in row["action"] and person.id in json.dumps(row) for row in rows)


def test_fifty_refreshes_at_once_leave_one_live_session(server):
    person = server.person()
    answers = together(50, lambda _: refresh(server, person.refresh_token))
    pairs = [ok(answer) for answer in answers]
    assert len({claims(pair["access_token"])["sid"] for pair in pairs}) == 1
    ok(server.get("/me", pairs[-1]["access_token"]))
    latest = ok(refresh(server, pairs[0]["refresh_token"]))
    sessions = ok(server.get("/me/sessions", latest["access_token"]))["items"]
    assert [session["current"] for session in sessions] == [True]


def test_answers_with_secrets_are_not_to_be_stored(server):
    person, password = server.person(), new_password()
    login = {"email": person.email, "password": person.password}
    key = server.make_key(person)
    answers = [
        server.post("/auth/login", json=login),
        server.post("/auth/login?session=cookie", json=login),
        refresh(server, person.refresh_token),
        server.post("/api-keys", person, json={"name": password, "scopes": ["gate"]}),
        server.post(f"/api-keys/{key['id']}/rotate", person, json={"overlap_seconds": 0}),
    ]
    for answer in answers:
        assert answer.is_success and "no-store" in answer.headers["cache-control"], answer.text


# Browser mode


def cookie_login(server):
    person = server.person()
    body = {"email": person.email, "password": person.password}
    return server.post("/auth/login", json=body, params={"session": "cookie"})


def cookie_of(answer):
    jar = SimpleCookie(answer.headers["set-cookie"])
    return jar["gatehouse_refresh"]


def with_cookie(server, path, value, **headers):
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    headers["Cookie"] = f"gatehouse_refresh={value}"
    return server.post(path, headers=headers)


def test_browser_mode_keeps_the_refresh_token_in_a_strict_cookie(server):
    answer = cookie_login(server)
    assert ok(answer).keys() == TOKEN_PAIR - {"refresh_token"}
    cookie = cookie_of(answer)
    assert cookie.value.startswith("ghr_") and cookie.value not in answer.text
    assert cookie["httponly"] and cookie["samesite"] == "Strict" and cookie["path"] == "/"
    assert not cookie["domain"]


def test_a_same_origin_refresh_rotates_the_cookie(server):
    value = cookie_of(cookie_login(server)).value
    for headers in ({"Sec_Fetch_Site": "same-origin"}, {"Origin": server.address}):
        answer = with_cookie(server, "/auth/refresh", value, **headers)
        assert ok(answer).keys() == TOKEN_PAIR - {"refresh_token"}
        assert (value := cookie_of(answer).value) not in answer.text


@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"},
     {"Origin": "https://evil.example"}, {"Origin": "null"},
     {"Sec_Fetch_Site": "cross-site", "Origin": "https://evil.example"}],
    ids=lambda headers: " ".join(headers.values()) or "neither header",
)  # fmt: skip
def test_a_cookie_from_another_site_is_refused_and_changes_nothing(server, path, headers):
    login = cookie_login(server)
    value = cookie_of(login).value
    problem(with_cookie(server, path, value, **headers), 403, "csrf")
    ok(server.get("/me", login.json()["access_token"]))
    ok(with_cookie(server, "/auth/refresh", value, Sec_Fetch_Site="same-origin"))


def test_signing_out_in_a_browser_ends_the_session_and_takes_the_cookie_away(server):
    login = cookie_login(server)
    value = cookie_of(login).value
    answer = with_cookie(server, "/auth/logout", value, Sec_Fetch_Site="same-origin")
    ok(answer, 204)
    assert cookie_of(answer).value == ""
    unauthorized(server.get("/me", login.json()["access_token"]))
