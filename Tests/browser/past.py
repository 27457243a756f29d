"""An installation with a past: customers on several plans, two days of hours and a month of days,
jobs that failed, a backup that a drill restored. What no call can date back is written into the
store while no server has it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from checks import eventually, ok
from gatehouse import Person, Server
from test_jobs import add_job, store_of

PASSWORD = "Canary-picture-of-a-console"
DAY = 24 * 3600 * 1000

CUSTOMERS = [
    ("billing@northwind.example", "Northwind Billing", "team", 92_000),
    ("dev@lumen.example", "Lumen Studio", "pro", 61_500),
    ("api@harbor.example", "Harbor Logistics", "pro", 48_200),
    ("mai.nguyen@saoviet.example", "Mai Nguyễn", "pro", 33_100),
    ("ops@quarry.example", "Quarry Maps", "team", 27_800),
    ("ines@atelier.example", "Inês Duarte", "free", 9_400),
    ("tom@fieldnotes.example", "Tom Becker", "free", 6_100),
    ("hello@papercrane.example", "Paper Crane", "free", 3_900),
    ("k.sato@minato.example", "Kenji Sato", "free", 1_250),
    ("sam@example.net", None, "free", 310),
]


def lived_in(server: Server) -> None:
    """Gives a running server its past; it is another process afterwards, at another address."""
    admin = server.admin()
    plans(server, admin)
    for email, name, plan, _ in CUSTOMERS:
        customer(server, admin, email, name, plan)
    for email in ("api@harbor.example", "sam@example.net"):
        refused = {"email": email, "password": "not-it"}
        assert server.post("/auth/login", json=refused).status_code == 401
    ok(server.post("/admin/backups", admin), 201)
    server.stop()
    with store_of(server) as store:
        chance = random.Random(7)
        activity(store, chance)
        usage(store, chance)
        jobs(store)
        dates(store)
        # A drill is due at the next start.
        store.execute("UPDATE schedules SET next_at = 0 WHERE name = 'drill'")
        store.execute("UPDATE installation SET value = '' WHERE name = 'drill_slot'")
    server.start()
    eventually(
        lambda: ok(server.get("/admin/backups", admin))["items"][0]["verified"] == "restored",
        what="a drill",
    )


def plans(server: Server, admin: Person) -> None:
    team = {
        "requests_per_month": {"limit": 250_000, "overage": "allow"}, "requests_per_second": 50,
        "requests_burst": 120, "render_minutes_per_month": 3_000, "concurrent_jobs": 10,
        "max_items": 5_000,
    }  # fmt: skip
    about = "For a few services that share a quota; what is over it is billed."
    body = {"slug": "team", "name": "Team", "description": about, "limits": team}
    ok(server.post("/admin/plans", admin, json=body | {"self_service": False}), 201)
    body = {"slug": "beta", "name": "Beta 2025", "limits": {"requests_per_day": 1_000}}
    ok(server.post("/admin/plans", admin, json=body), 201)
    ok(server.delete("/admin/plans/beta", admin))


def customer(server: Server, admin: Person, email: str, name: str | None, plan: str) -> None:
    server.register(email, PASSWORD, **({"name": name} if name else {}))
    tokens = server.login(email, PASSWORD)
    person = Person(email, PASSWORD, tokens["user"], tokens)
    key = server.make_key(person, ["gate", "usage:read"], name="Production")
    server.get("/gate", key["key"])
    ok(server.patch(f"/admin/users/{person.id}", admin, {"email_verified": plan != "free"}))
    if plan == "free":
        return
    ends = (datetime.now(UTC) + timedelta(days=200)).strftime("%Y-%m-%dT00:00:00Z")
    body = {"user_id": person.id, "plan": plan} | ({"expires_at": ends} if plan == "team" else {})
    ok(server.post("/admin/subscriptions", admin, json=body), 201)
    server.make_key(person, ["usage:write"], name="Render workers")


def busy(at: datetime) -> float:
    """How much goes on: a working day, a week, and growth."""
    day = 0.35 if at.weekday() > 4 else 1.0
    hour = 1.5 if 7 <= at.hour < 19 else 0.35
    return day * hour * (1 - (datetime.now(UTC) - at).days / 60)


def periods() -> Iterator[tuple[str, str, float]]:
    """(granularity, period, how much goes on) of what the dashboard shows."""
    now = datetime.now(UTC)
    for back in range(48):
        at = now - timedelta(hours=back)
        yield "hour", f"{at:%Y-%m-%dT%H}", busy(at)
    for back in range(30):
        at = now - timedelta(days=back)
        hours = now.hour + 1 if back == 0 else 24
        moments = [at.replace(hour=hour) for hour in range(hours)]
        yield "day", f"{at:%Y-%m-%d}", sum(map(busy, moments))


def activity(store: sqlite3.Connection, chance: random.Random) -> None:
    rates = {
        "requests.allowed": 900, "requests.refused.rate_limited": 16,
        "requests.refused.quota_exceeded": 9, "requests.refused.unauthorized": 4,
        "requests.refused.subscription_required": 1.2, "sign_ins": 6, "sign_ins_failed": 0.8,
        "users_created": 0.16,
    }  # fmt: skip
    for granularity, period, share in periods():
        for name, rate in rates.items():
            value = round(rate * share * chance.uniform(0.75, 1.25))
            store.execute(
                "INSERT INTO activity (granularity, period, name, value) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (granularity, period, name) DO UPDATE SET value = excluded.value",
                (granularity, period, name, value),
            )


def usage(store: sqlite3.Connection, chance: random.Random) -> None:
    """This month, this day and this hour of every customer."""
    now = datetime.now(UTC)
    rows = [("month", f"{now:%Y-%m}", 1.0), ("day", f"{now:%Y-%m-%d}", 0.03),
            ("hour", f"{now:%Y-%m-%dT%H}", 0.002)]  # fmt: skip
    for email, _, plan, most in CUSTOMERS:
        [user] = store.execute("SELECT id FROM users WHERE email = ?", (email,)).fetchone()
        metrics = {"requests": most} | ({"render_minutes": most // 70} if plan != "free" else {})
        for metric, value in metrics.items():
            for granularity, period, part in rows:
                used = round(value * part * chance.uniform(0.9, 1.1))
                store.execute(
                    "INSERT INTO usage_counters (user_id, key_id, metric, granularity, period, "
                    "value) VALUES (?, '', ?, ?, ?, ?) ON CONFLICT (user_id, key_id, metric, "
                    "granularity, period) DO UPDATE SET value = excluded.value",
                    (user, metric, granularity, period, used),
                )


def dates(store: sqlite3.Connection) -> None:
    """Customers who came one after the other, and went to their plans later."""
    now = round(datetime.now(UTC).timestamp() * 1000)
    for number, (email, *_) in enumerate(CUSTOMERS):
        came = now - (300 - 27 * number) * DAY
        store.execute("UPDATE users SET created_at = ? WHERE email = ?", (came, email))
        [user] = store.execute("SELECT id FROM users WHERE email = ?", (email,)).fetchone()
        chosen = came + 9 * DAY
        for start, end, status in ((came, chosen, "canceled"), (chosen, None, "active")):
            store.execute(
                "UPDATE subscriptions SET started_at = ?, canceled_at = ? "
                "WHERE user_id = ? AND status = ?", (start, end, user, status),
            )  # fmt: skip


def jobs(store: sqlite3.Connection) -> None:
    """One that failed for good, and one whose next try is tomorrow."""
    now = round(datetime.now(UTC).timestamp() * 1000)
    add_job(
        store, "send_mail", "dead", attempts=5, created_at=now - 2 * DAY, finished_at=now - DAY,
        last_error="unavailable: 554 5.7.1 Sender address rejected.",
    )  # fmt: skip
    add_job(
        store, "send_mail", attempts=3, created_at=now - DAY // 4, run_at=now + DAY // 24,
        last_error="unavailable: The mail server closed the connection.",
    )  # fmt: skip
