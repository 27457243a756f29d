"""What is kept of a password, which ones are refused, and what hashing may cost."""

from __future__ import annotations

import base64
import re
import sqlite3
import threading
import time

import pytest

from checks import ok, problem, together
from gatehouse import new_email, new_password

PHC = re.compile(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$([\w+/]+)\$([\w+/]+)", re.ASCII)

# Of the lists that every attacker has (RockYou, NCSC's 100,000, SecLists): the first ones of eight
# characters or more.
WELL_KNOWN = """
    password 12345678 123456789 1234567890 password1 password123 password12 passw0rd p@ssw0rd
    p@ssword Password1 Password123 Passw0rd! iloveyou iloveyou1 iloveyou2 sunshine sunshine1
    princess princess1 football football1 baseball baseball1 basketball welcome1 welcome123
    Welcome1 superman superman1 starwars trustno1 michelle michelle1 jennifer jennifer1 jonathan
    jordan23 charlie1 elizabeth chocolate chocolate1 butterfly butterfly1 computer computer1
    internet internet1 samantha samantha1 babygirl babygirl1 qwertyuiop qwerty123 qwerty12
    qwerty1234 qwertyui 1q2w3e4r 1q2w3e4r5t 1qaz2wsx zaq12wsx 1qazxsw2 q1w2e3r4 q1w2e3r4t5
    asdfghjk asdfghjkl zxcvbnm1 zxcvbnm123 abcd1234 abc12345 abcdefgh abcdefghi a1b2c3d4 aa123456
    11111111 00000000 88888888 12341234 123123123 987654321 87654321 112233445566 11223344
    1234qwer admin123 administrator letmein1 letmein123 monkey123 dragon123 master123 mustang1
    liverpool liverpool1 manchester victoria victoria1 whatever whatever1 alexander alexandra
    nicholas corvette mercedes midnight december november september 31415926 14789632 pokemon123
    gatehouse gatehouse1 Gatehouse123
""".split()


@pytest.fixture(scope="module")
def short(start_for_module):
    """A server that asks for no more than eight characters."""
    return start_for_module(auth_password_min_length="8")


def stored_hash(server, address):
    with sqlite3.connect(f"file:{server.database()}?mode=ro", uri=True) as store:
        [(kept,)] = store.execute("SELECT password_hash FROM users WHERE email = ?", (address,))
    return kept


def salt_of(kept):
    costs = PHC.fullmatch(kept)
    assert costs and int(costs[1]) >= 19_456 and int(costs[2]) >= 2, kept
    salt, digest = (base64.b64decode(part + "=" * (-len(part) % 4)) for part in costs.groups()[2:])
    assert (len(salt), len(digest)) == (16, 32)
    return salt


def test_a_password_is_kept_as_argon2id_at_owasps_costs_with_a_salt_of_its_own(server):
    password, addresses = new_password(), [new_email(), new_email()]
    for address in addresses:
        server.register(address, password)
    first, second = (salt_of(stored_hash(server, address)) for address in addresses)
    assert first != second


def test_a_changed_password_is_kept_as_well(server):
    person = server.person()
    body = {"current_password": person.password, "new_password": new_password()}
    before = salt_of(stored_hash(server, person.email))
    ok(server.post("/me/password", person, json=body), 204)
    assert salt_of(stored_hash(server, person.email)) != before


@pytest.mark.parametrize("password", WELL_KNOWN)
def test_a_well_known_password_is_refused(short, password):
    answer = short.post("/auth/register", json={"email": new_email(), "password": password})
    told = problem(answer, 422, "weak_password")
    assert [(e["field"], e["code"]) for e in told["errors"]] == [("password", "weak_password")]


@pytest.mark.parametrize("where", ["change", "reset"])
def test_a_well_known_password_is_refused_wherever_one_is_set(short, where):
    person = short.person()
    if where == "change":
        body = {"current_password": person.password, "new_password": "sunshine1"}
        answer = short.post("/me/password", person, json=body)
    else:
        short.post("/auth/forgot-password", json={"email": person.email})
        token = short.mailed_token(person.email, "reset-password")
        answer = short.post("/auth/reset-password", json={"token": token, "password": "sunshine1"})
    problem(answer, 422, "weak_password")
    short.login(person.email, person.password)


def test_ones_own_address_is_no_password(short):
    address = "maximilian.schnurrbart@example.org"
    body = {"email": address, "password": "maximilian.schnurrbart"}
    problem(short.post("/auth/register", json=body), 422, "weak_password")


@pytest.mark.parametrize(
    "made_of", ["an.unusual.mailbox", "Wolfeschlegel Hausenbergerdorff"], ids=["address", "name"]
)
@pytest.mark.parametrize("where", ["register", "change", "reset", "shell"])
def test_ones_own_address_and_name_are_no_password_wherever_one_is_set(start, where, made_of):
    server = start(auth_password_min_length="8")
    address, former = "an.unusual.mailbox@example.org", new_password()
    about = {"email": address, "name": "Wolfeschlegel Hausenbergerdorff"}
    if where == "register":
        answer = server.post("/auth/register", json=about | {"password": made_of})
        problem(answer, 422, "weak_password")
        return
    user = server.register(address, former, name=about["name"])
    if where == "change":
        tokens = server.login(address, former)
        body = {"current_password": former, "new_password": made_of}
        answer = server.post("/me/password", tokens["access_token"], json=body)
        problem(answer, 422, "weak_password")
    elif where == "shell":
        ok(server.patch(f"/admin/users/{user['id']}", server.admin(), {"role": "admin"}))
        words = ("admin", "reset-password", "--email", address, "--password-stdin")
        result = server.command(*words, input=made_of + "\n")
        assert result.returncode != 0 and "attacker would try" in result.stderr, result
    else:
        server.post("/auth/forgot-password", json={"email": address})
        body = {"token": server.mailed_token(address, "reset-password"), "password": made_of}
        problem(server.post("/auth/reset-password", json=body), 422, "weak_password")
        # The link is as good as before.
        ok(server.post("/auth/reset-password", json=body | {"password": new_password()}), 204)
        return
    server.login(address, former)


def test_an_invited_ones_address_and_name_are_no_password(short):
    address = "another.mailbox@example.org"
    about = {"email": address, "name": "Wolfeschlegel Hausenbergerdorff"}
    ok(short.post("/admin/users", short.admin(), json=about), 201)
    token = short.mailed_token(address, "reset-password")
    for made_of in ("another.mailbox", about["name"]):
        body = {"token": token, "password": made_of}
        problem(short.post("/auth/reset-password", json=body), 422, "weak_password")
    ok(short.post("/auth/reset-password", json=body | {"password": new_password()}), 204)


def test_a_link_that_opens_nothing_says_so_whatever_the_password(short):
    for password in ("sunshine1", new_password()):
        body = {"token": "x" * 43, "password": password}
        problem(short.post("/auth/reset-password", json=body), 400, "invalid_token")


def test_past_what_can_be_hashed_sign_ins_are_told_to_wait_and_others_are_not(start):
    server = start(auth_argon2_threads="1", auth_argon2_queue="4")
    person, slowest, over = server.person(), 0.0, threading.Event()
    body = {"email": person.email, "password": person.password}

    def watch():
        nonlocal slowest
        while not over.is_set():
            begin = time.monotonic()
            ok(server.get("//healthz"))
            slowest = max(slowest, time.monotonic() - begin)

    watcher = threading.Thread(target=watch)
    watcher.start()
    answers = together(100, lambda _: server.post("/auth/login", json=body))
    over.set()
    watcher.join()
    waiting = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(waiting) < 100
    for answer in waiting:
        problem(answer, 503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
    assert slowest < 2  # 100 hashes on one thread take longer than that
    server.login(person.email, person.password)
