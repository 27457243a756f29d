"""Customers by the million, written straight into a store that no server holds."""

from __future__ import annotations

import hashlib
import math
import random
import sqlite3
import string
import time
import zlib
from pathlib import Path

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
ROWS = 20_000  # of one statement
DAY = 86_400_000

# A request costs the load generator the same, however many customers there are: each is another
# text, read from a file that is as long for ten of them as for a million, in its order.
REQUEST = (
    "GET /api/v1/gate HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n"
    "X-Request-Id: {number:08d}\r\n\r\n"
)
WRK = """
local file = io.open("REQUESTS")
file:seek("set", FIRST * LENGTH)
local text = file:read(MOST * LENGTH) or ""
if #text < MOST * LENGTH then
    file:seek("set", 0)
    text = text .. file:read(MOST * LENGTH - #text)
end
file:close()
local at = 0
request = function()
    local from = at
    at = (at + LENGTH) % #text
    return text:sub(from + 1, from + LENGTH)
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


def requests(keys: Path, asked: int, lines: int, step: int = 1) -> Path:
    """A file of so many requests that asks for the first `asked` customers in turn."""
    with keys.open() as file:
        every = [key.strip() for key, _ in zip(file, range(asked))]
    path = keys.parent / f"requests-{asked}-{step}"
    with path.open("w", newline="") as file:
        for start in range(0, lines, ROWS):
            numbers = range(start, min(start + ROWS, lines))
            file.writelines(
                REQUEST.format(key=every[number * step % asked], number=number)
                for number in numbers
            )
    return path


def script(requests: Path, first: int, most: int) -> Path:
    """A wrk script that sends so many of them in turn, from `first` on and then from the top."""
    with requests.open(newline="") as file:
        length = len("".join(file.readline() for _ in range(5)))
    text = WRK
    for word, value in (
        ("REQUESTS", requests), ("FIRST", first), ("LENGTH", length), ("MOST", most)
    ):  # fmt: skip
        text = text.replace(word, str(value))
    path = requests.with_suffix(".lua")
    path.write_text(text)
    return path


def stride(count: int) -> int:
    """A step that comes to every customer and to no two in the order in which memory has them."""
    step = int(count * 0.618)
    while math.gcd(step, count) != 1:
        step += 1
    return step


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
