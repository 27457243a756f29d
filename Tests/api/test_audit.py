"""The audit log's chain: it holds, and shows where it was tampered with."""

from __future__ import annotations

import sqlite3

import pytest

from checks import ok

PATH = "/admin/audit-logs/verify"


def test_the_chain_holds_after_everything_that_a_day_brings(start):
    server = start()
    admin = server.admin()
    for _ in range(5):
        server.make_key(server.person())
    server.customer({"requests_per_month": 5})
    told = ok(server.get(PATH, admin))
    assert told["intact"] is True and told["first_broken"] is None
    assert told["rows"] == len(server.everything("/admin/audit-logs", admin)) > 10


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_logs SET action = 'nothing' WHERE sequence = 4",
        "UPDATE audit_logs SET meta_json = '{' WHERE sequence = 4",
        "UPDATE audit_logs SET ip = '192.0.2.1' WHERE sequence = 4",
        "DELETE FROM audit_logs WHERE sequence = 3",
    ],
)
def test_a_row_that_was_tampered_with_is_named(start, change):
    server = start()
    admin = server.admin()
    for _ in range(3):
        server.person()
    server.stop()
    with sqlite3.connect(server.database()) as store:
        store.execute(change)
    store.close()
    server.start()
    told = ok(server.get(PATH, admin))
    assert told == {"intact": False, "rows": told["rows"], "first_broken": 4}
    assert told["rows"] < 4
