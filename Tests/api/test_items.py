"""The sample resource: items, their limits, and lists that page."""

from __future__ import annotations

import pytest

from checks import ITEM, LIMIT_FIELDS, TIME, UUID_V7
from checks import invalid, ok, problem, together


def make_item(server, who, name="an item", data=None):
    return ok(server.post("/items", who, json={"name": name, "data": data}), 201)


def unmetered(server):
    return server.customer({})


def test_an_item_is_made_read_changed_and_deleted(server):
    person = server.person()
    made = make_item(server, person, "one", {"colour": "red"})
    assert made.keys() == ITEM and UUID_V7.fullmatch(made["id"])
    assert (made["name"], made["data"]) == ("one", {"colour": "red"})
    assert TIME.fullmatch(made["created_at"]) and TIME.fullmatch(made["updated_at"])
    path = f"/items/{made['id']}"
    assert ok(server.get(path, person)) == made
    changed = ok(server.patch(path, person, {"name": "two"}))
    assert (changed["name"], changed["data"]) == ("two", {"colour": "red"})
    assert changed["created_at"] == made["created_at"] <= changed["updated_at"]
    assert ok(server.get("/items", person))["items"] == [changed]
    ok(server.delete(path, person), 204)
    problem(server.get(path, person), 404, "not_found")
    problem(server.delete(path, person), 404, "not_found")
    assert ok(server.get("/items", person))["items"] == []


@pytest.mark.parametrize(
    "data",
    [None, True, 0, -7, 1.25, 2**53, "", "text \u2028 \U0001f511 \"quoted\" \\ \n", [], {},
     [1, [2, {"three": None}]], {"": {"nested": ["x"] * 10}}],
    ids=repr,
)  # fmt: skip
def test_an_items_data_comes_back_as_it_went_in(server, data):
    person = unmetered(server)
    made = make_item(server, person, data=data)
    kept = ok(server.get(f"/items/{made['id']}", person))["data"]
    assert kept == data and type(kept) is type(data)


def test_an_items_data_may_be_16_kib_and_not_more(server):
    person = unmetered(server)
    make_item(server, person, data="x" * (16 * 1024 - 2))
    refused = server.post("/items", person, json={"name": "big", "data": "x" * (16 * 1024)})
    problem(refused, (413, 422), ("payload_too_large", "validation_failed"))
    assert len(ok(server.get("/items", person))["items"]) == 1


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_anothers_item_is_not_there(server, method):
    owner, stranger = server.person(), server.person()
    path = f"/items/{make_item(server, owner)['id']}"
    rest = {"json": {"name": "mine now"}} if method == "PATCH" else {}
    problem(server.request(method, path, stranger, **rest), 404, "not_found")
    assert ok(server.get(path, owner))["name"] == "an item"
    assert ok(server.get("/items", stranger))["items"] == []


def test_item_calls_count_as_requests(server):
    person = server.customer({"requests_per_month": 5})
    path = f"/items/{make_item(server, person)['id']}"
    ok(server.get(path, person))
    ok(server.get("/items", person))
    ok(server.patch(path, person, {"name": "x"}))
    assert server.used(person) == 4
    ok(server.delete(path, person), 204)
    told = problem(server.get("/items", person), 429, "quota_exceeded")
    assert (told["limit"], told["used"]) == ("requests_per_month", 5)


def test_a_write_past_the_quota_writes_nothing(server):
    person = server.customer({"requests_per_month": 1})
    make_item(server, person)
    refused = server.post("/items", person, json={"name": "more", "data": None})
    problem(refused, 429, "quota_exceeded")
    assert ok(server.get("/usage", person))["metrics"][0]["used"] == 1
    plan = server.make_plan({})["slug"]
    ok(server.post("/subscribe", person, json={"plan": plan}))
    assert [item["name"] for item in ok(server.get("/items", person))["items"]] == ["an item"]


def test_a_full_stock_refuses_and_the_refusal_is_not_counted(server):
    person = server.customer({"max_items": 2, "requests_per_month": 100})
    first, _ = make_item(server, person), make_item(server, person)
    refused = server.post("/items", person, json={"name": "third", "data": None})
    told = problem(refused, 403, "limit_reached")
    assert LIMIT_FIELDS <= told.keys()
    assert (told["limit"], told["allowed"], told["used"]) == ("max_items", 2, 2)
    assert server.used(person) == 2
    ok(server.delete(f"/items/{first['id']}", person), 204)
    make_item(server, person)
    stocks = ok(server.get("/usage", person))["stocks"]
    assert stocks == [{"resource": "items", "used": 2, "limit": 2}]


def test_of_many_who_race_for_the_last_place_one_gets_it(server):
    person = server.customer({"max_items": 3})
    for _ in range(2):
        make_item(server, person)
    body = {"name": "last", "data": None}
    answers = together(16, lambda _: server.post("/items", person, json=body))
    assert sorted(answer.status_code for answer in answers) == [201] + [403] * 15
    assert len(ok(server.get("/items", person))["items"]) == 3


def test_a_list_stands_still_under_a_cursor_while_things_are_added(server):
    person = unmetered(server)
    made = [make_item(server, person, f"item {n}")["id"] for n in range(5)]
    seen, cursor = [], None
    while True:
        parameters = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = ok(server.get("/items", person, params=parameters))
        seen += [item["id"] for item in page["items"]]
        assert len(page["items"]) <= 2
        cursor = page["next_cursor"]
        if cursor is None:
            break
        make_item(server, person, "added meanwhile")
    assert seen == made[::-1]


def test_a_list_survives_the_deletion_of_the_row_its_cursor_stands_on(server):
    person = unmetered(server)
    made = [make_item(server, person, f"item {n}")["id"] for n in range(4)]
    page = ok(server.get("/items", person, params={"limit": 2}))
    ok(server.delete(f"/items/{made[2]}", person), 204)
    rest = ok(server.get("/items", person, params={"cursor": page["next_cursor"]}))
    assert [item["id"] for item in rest["items"]] == [made[1], made[0]]


def test_a_page_holds_fifty_unless_asked(server):
    person = unmetered(server)
    for number in range(51):
        make_item(server, person, f"item {number}")
    page = ok(server.get("/items", person))
    assert len(page["items"]) == 50 and page["next_cursor"]
    assert len(ok(server.get("/items", person, params={"limit": 200}))["items"]) == 51


@pytest.mark.parametrize("path", ["/items", "/api-keys", "/admin/users"])
@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", "0"), ("limit", "201"), ("limit", "-1"), ("limit", "x"), ("limit", "1.5"),
     ("limit", "9" * 30), ("cursor", "nonsense"), ("cursor", "AAAA"), ("cursor", "x" * 4000),
     ("cursor", "' OR 1=1")],
    ids=lambda value: value[:12],
)  # fmt: skip
def test_a_page_of_nonsense_is_refused(server, path, field, value):
    invalid(server.get(path, server.admin(), params={field: value}), field)


@pytest.mark.parametrize(
    ("field", "value"), [("name", 7), ("name", "x" * 10_000), ("name", "a\u0007b")]
)
def test_a_wrong_name_is_refused_on_making_and_on_changing(server, field, value):
    person = unmetered(server)
    path = f"/items/{make_item(server, person)['id']}"
    invalid(server.post("/items", person, json={"name": "x", "data": 1, field: value}), field)
    invalid(server.patch(path, person, {field: value}), field)
    assert ok(server.get(path, person))["name"] == "an item"
