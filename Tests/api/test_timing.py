"""Whether the time that an answer takes tells who has an account (security E2).

That the same is written for everybody is held without a clock, by EqualWorkScenarios.

One client asks in rounds: each round asks once of every kind of address, in an order of its own, so
that whatever else the machine does falls on all kinds alike. Two kinds are told apart when their
times differ by more than chance: by the two-sample Kolmogorov-Smirnov test, which sees a shift, a
second peak and a longer tail.
"""

from __future__ import annotations

import http.client
import json
import math
import random
import statistics
import time
from bisect import bisect_right
from urllib.parse import urlsplit

import pytest

from checks import ok
from gatehouse import BASE, new_email, new_password

# How often a pair of equal kinds may be called different, at most. There are five pairs: one run
# in 200,000 fails for nothing.
FALSE_ALARM = 1e-6
ADDRESSES = 8  # of each kind: none is the one that is always warm
WARM_UP = 10  # rounds that are not counted: the first ones open files and fill caches

LONG = pytest.mark.soak
SAMPLES = pytest.mark.parametrize("samples", [300, pytest.param(2000, marks=LONG)])


def distance(one: list[float], other: list[float]) -> float:
    """The Kolmogorov-Smirnov statistic: the farthest apart that both distributions ever are."""
    one, other = sorted(one), sorted(other)

    def share(times, most):
        return bisect_right(times, most) / len(times)

    return max(abs(share(one, x) - share(other, x)) for x in one + other)


def bound(samples: int) -> float:
    """What chance exceeds with a probability of FALSE_ALARM at most, whatever the distribution is:
    P(D >= d) <= e * exp(-samples * d^2) for two samples of one size (Wei and Dudley 2012,
    theorem 1). Rounds in random order only make a large D rarer."""
    return math.sqrt((1 - math.log(FALSE_ALARM)) / samples)


class Stopwatch:
    """One kept connection, and how long its answers take."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, path: str, body: dict, status: int) -> float:
        text = json.dumps(body)
        begin = time.perf_counter()
        self.connection.request("POST", BASE + path, text, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        answer.read()
        end = time.perf_counter()
        assert answer.status == status
        return end - begin


def times(
    server, path, status, kinds: dict[str, list[dict]], samples, before: str | None = None
) -> dict[str, list[float]]:
    """Seconds of each kind. What is still being done for the request before slows the next one:
    with `before` a request of that kind, which is not counted, precedes each that is."""
    order = random.Random(samples)
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    with Stopwatch(server) as watch:
        for number in range(WARM_UP + samples):
            for kind in order.sample(list(kinds), len(kinds)):
                if before:
                    watch.ask(path, order.choice(kinds[before]), status)
                seconds = watch.ask(path, order.choice(kinds[kind]), status)
                if number >= WARM_UP:
                    taken[kind].append(seconds)
    return taken


def tell_nothing(taken: dict[str, list[float]]):
    unknown = taken.pop("unknown")
    medians = {kind: statistics.median(sample) for kind, sample in taken.items()}
    apart = {kind: distance(sample, unknown) for kind, sample in taken.items()}
    most = bound(len(unknown))
    for kind, found in apart.items():
        ratio = medians[kind] / statistics.median(unknown)
        said = f"{kind}: D {found:.3f} of {most:.3f}, median {ratio:.3f} of that of unknown"
        print(said)
        assert found <= most, said


@pytest.fixture(scope="module")
def people(start_for_module):
    """A server with argon2id at its least cost, and logins by kind: `{"email", "password"}`."""
    server = start_for_module()

    def registered():
        login = {"email": new_email(), "password": new_password()}
        return login, server.register(**login)

    known = [registered()[0] for _ in range(ADDRESSES)]

    def changed(change: dict) -> list[dict]:
        logins = []
        for _ in range(ADDRESSES):
            login, user = registered()
            ok(server.patch(f"/admin/users/{user['id']}", server.admin(), change))
            logins.append(login)
        return logins

    def mistyped(logins: list[dict]) -> list[dict]:
        return [login | {"password": new_password()} for login in logins]

    invited = [new_email() for _ in range(ADDRESSES)]
    for email in invited:
        ok(server.post("/admin/users", server.admin(), json={"email": email}), 201)
    return server, {
        "unknown": [{"email": new_email(), "password": new_password()} for _ in known],
        "known": mistyped(known),  # whose address nobody has verified
        "verified": mistyped(changed({"email_verified": True})),
        "banned": changed({"is_active": False}),  # with the right password
        "invited": [{"email": email, "password": new_password()} for email in invited],
    }


@SAMPLES
def test_a_login_that_fails_takes_the_same_time_whoever_was_meant(people, samples):
    server, kinds = people
    tell_nothing(times(server, "/auth/login", 401, kinds, samples))


@pytest.mark.parametrize("path", ["/auth/forgot-password", "/auth/resend-verification"])
@SAMPLES
def test_who_asks_for_a_link_waits_the_same_time_with_an_account_or_without(people, path, samples):
    server, kinds = people
    asked = {
        kind: [{"email": login["email"]} for login in kinds[kind]] for kind in ("unknown", "known")
    }
    tell_nothing(times(server, path, 202, asked, samples, before="known"))


def test_the_test_itself_tells_a_tenth_of_a_millisecond_from_chance():
    """With as many samples and a spread like that of a real answer."""
    draw = random.Random(1)

    def sample(mean):
        return [draw.gauss(mean, 0.1) for _ in range(300)]

    assert distance(sample(1.0), sample(1.0)) <= bound(300)
    assert distance(sample(1.0), sample(1.1)) > bound(300)
