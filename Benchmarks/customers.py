"""Customers by the million, written straight into a store that no server holds."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import string
import time
import zlib
from pathlib import Path

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
ROWS = 20_000  # of one statement
DAY = 86_400_000

# One request for each key, made when it is first needed; every key in its turn.
WRK = """
local keys, made, at = {}, {}, 0
for key in io.lines("KEYS") do
    keys[#keys + 1] = key
    if #keys == COUNT then break end
end
request = function()
    at = at % #keys + 1
    local text = made[at]
    if not text then
        text = wrk.format("GET", "/api/v1/gate", { ["X-API-Key"] = keys[at] })
        made[at] = text
    end
    return text
end
"""


def base62(value: int) -> str:
    text = ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        text = DIGITS[digit] + text
    return text


def uuid7(at: int, number: int) -> str:
    """`number` keeps them apart; it is no random value."""
    text = f"{at:012x}7{number >> 48 & 0xFFF:03x}8{number & 0xFFFFFFFFFFFF:015x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def seed(data: Path, count: int) -> Path:
    """Puts `count` customers with a key each on the plan `bench`; returns the file of keys."""
    store = sqlite3.connect(data / "gatehouse.db")
    [plan] = store.execute("SELECT id FROM plans WHERE slug = 'bench'").fetchone()
    now = int(time.time() * 1000)
    keys = data.parent / "keys"
    with keys.open("w") as file, store:
        for start in range(0, count, ROWS):
            numbers = range(start, min(start + ROWS, count))
            made = [secrets(number) for number in numbers]
            file.writelines(f"{text}\n" for _, _, text in made)
            insert(store, plan, now, numbers, made)
    store.close()
    return keys


def script(keys: Path, count: int) -> Path:
    """A wrk script that asks for the first `count` customers in turn."""
    path = keys.parent / f"rotate-{count}.lua"
    path.write_text(WRK.replace("KEYS", str(keys)).replace("COUNT", str(count)))
    return path


def secrets(number: int) -> tuple[str, str, str]:
    choice = random.Random(number)
    public = "".join(choice.choices(DIGITS, k=12))
    secret = "".join(choice.choices(DIGITS, k=32))
    body = f"gh_{public}{secret}"
    return public, secret, body + base62(zlib.crc32(body.encode()))


def insert(store, plan, now, numbers, made):
    users = [uuid7(now - DAY, number) for number in numbers]
    store.executemany(
        "INSERT INTO users (id, email, name, password_hash, role, is_active, email_verified,"
        " totp_enabled, token_version, created_at, updated_at)"
        " VALUES (?, ?, 'Somebody', NULL, 'user', 1, 1, 0, 1, ?, ?)",
        [(u, f"c{n}@example.org", now, now) for u, n in zip(users, numbers)],
    )
    store.executemany(
        "INSERT INTO subscriptions (id, user_id, plan_id, status, started_at)"
        " VALUES (?, ?, ?, 'active', ?)",
        [(uuid7(now, n), u, plan, now) for u, n in zip(users, numbers)],
    )
    store.executemany(
        "INSERT INTO api_keys (id, user_id, name, public_id, last_four, key_hash, scopes,"
        " limits_json, allowed_cidrs, created_at) VALUES (?, ?, 'bench', ?, ?, ?, 'gate', '{}',"
        " '', ?)",
        [
            (uuid7(now, n), u, public, text[-4:], hashlib.sha256(secret.encode()).digest(), now)
            for u, n, (public, secret, text) in zip(users, numbers, made)
        ],
    )
