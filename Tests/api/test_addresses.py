"""Whose address counts behind proxies, and how far one client's address reaches."""

from __future__ import annotations

import pytest

from checks import ok, problem
from gatehouse import new_email

PROXIES = "127.0.0.1, 10.0.0.0/8, 2001:db8:ffff::/48"


@pytest.fixture(scope="module")
def behind(start_for_module):
    """A server behind proxies of its own: one on this machine, others in two networks."""
    return start_for_module(server_trusted_proxies=PROXIES)


@pytest.fixture(scope="module")
def person(behind):
    return behind.person()


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        ([], "127.0.0.1"),
        (["192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1, 10.0.0.9"], "192.0.2.1"),
        (["192.0.2.1, 10.1.2.3, 10.0.0.9, 127.0.0.1"], "192.0.2.1"),
        (["203.0.113.7, 192.0.2.1"], "192.0.2.1"),
        (["203.0.113.7, 10.0.0.5, 192.0.2.1, 10.0.0.9"], "192.0.2.1"),
        (["203.0.113.7", "192.0.2.1", "10.0.0.9"], "192.0.2.1"),
        (["203.0.113.7, unknown, 10.0.0.9"], "10.0.0.9"),
        (["10.0.0.5, 10.0.0.9"], "10.0.0.5"),
        (["::ffff:192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1:4711"], "192.0.2.1"),
        (["[2001:db8::7]:4711, 2001:db8:ffff::1"], "2001:db8::7"),
        (["2001:db8::7, ::ffff:10.0.0.9"], "2001:db8::7"),
        ([", ,192.0.2.1"], "192.0.2.1"),
    ],
    ids=lambda value: " | ".join(value) if isinstance(value, list) else value,
)
def test_hops_are_read_from_the_right_to_the_first_that_is_none_of_ours(
    behind, person, hops, client
):
    body = {"email": person.email, "password": person.password}
    headers = [("X-Forwarded-For", hop) for hop in hops]
    login = ok(behind.client.post("/api/v1/auth/login", json=body, headers=headers))
    sessions = ok(behind.get("/me/sessions", login["access_token"]))["items"]
    assert [session["ip"] for session in sessions if session["current"]] == [client]


def test_a_client_that_is_no_proxy_of_ours_speaks_for_itself_alone(server):
    person = server.person()
    here = server.again(person, headers={"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=x"})
    sessions = ok(server.get("/me/sessions", here))["items"]
    assert {session["ip"] for session in sessions} == {"127.0.0.1"}


def test_a_network_of_ipv6_is_one_client(start):
    server = start(server_trusted_proxies="127.0.0.1", limits_auth_enabled="true")

    def forgot(address):
        body, headers = {"email": new_email()}, {"X-Forwarded-For": address}
        return server.post("/auth/forgot-password", json=body, headers=headers)

    answers = [forgot(f"2001:db8:0:1:{n:x}::{n}") for n in range(40)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:30] == [202] * 30 and set(statuses[30:]) == {429}
    problem(answers[-1], 429, "rate_limited")
    assert forgot("2001:db8:0:2::1").status_code == 202
    assert forgot("192.0.2.1").status_code == 202
