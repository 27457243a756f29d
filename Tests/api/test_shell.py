"""What a shell does: each command with the daemon running and stopped, by the same rules."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from checks import API_KEY, SUBSCRIPTION, USER, ok, problem, unauthorized
from gatehouse import new_email, new_password, run_command

NOBODY = "01890000-0000-7000-8000-000000000000"
STARTERS = ["free", "pro"]


class House:
    """An installation in one of its two states, and what a shell says to it."""

    def __init__(self, server, state: str) -> None:
        self.server, self.state = server, state
        self.admin = server.admin()

    def run(self, *words: str, status: int = 0, input: str = "") -> str:
        """What a command prints; where it is to fail, its one line on standard error."""
        if self.state == "stopped" and self.server.running():
            self.server.stop()
        if self.state == "running":
            self.up()
        result = self.server.command(*words, input=input)
        assert result.returncode == status, result.stdout + result.stderr
        if status == 0:
            return result.stdout
        assert result.stdout == ""
        assert status == 64 or len(result.stderr.strip().splitlines()) == 1, result.stderr
        return result.stderr

    def json(self, *words: str, **rest):
        return json.loads(self.run(*words, "--json", **rest))

    def up(self):
        """The server, running, whatever the state."""
        return self.server if self.server.running() else self.server.start()

    def audited(self, action: str) -> list[dict]:
        rows = self.up().everything("/admin/audit-logs", self.admin)
        return [row for row in rows if row["action"] == action and row["actor"] == "shell"]


@pytest.fixture(params=["running", "stopped"])
def house(start, request):
    return House(start(), request.param)


# Signing keys


def test_a_rotated_signing_key_is_audited_with_both_ids_and_nothing_secret(house):
    def kids():
        return [key["kid"] for key in house.up().get("//.well-known/jwks.json").json()["keys"]]

    [first] = kids()
    assert house.audited("signing_key.rotated") == []
    for _ in range(2):
        house.run("keys", "rotate")
    third, second, _ = kids()
    rows = house.audited("signing_key.rotated")
    assert [row["target"] for row in rows] == [f"signing_key:{third}", f"signing_key:{second}"]
    assert rows[1]["meta"] == {"kid": {"from": first, "to": second}, "algorithm": "EdDSA"}
    assert rows[0]["meta"] == {"kid": {"from": second, "to": third}, "algorithm": "EdDSA"}
    keys = json.loads((house.server.data_dir / "signing-keys.json").read_text())["keys"]
    assert len(keys) == 3
    assert not any(key["secret"] in json.dumps(rows) for key in keys)
    assert house.run("audit", "verify").startswith("The audit log is whole: ")


# Users


def test_users_are_listed_and_shown(house):
    people = [house.server.person("ann"), house.server.person("bob")]
    listed = house.json("user", "list")
    assert [user["email"] for user in listed][:2] == [people[1].email, people[0].email]
    assert all(set(user) == USER for user in listed) and len(listed) == 3
    found = house.json("user", "list", "--search", "ANN-", "--role", "user", "--active")
    assert [user["id"] for user in found] == [people[0].id]
    assert house.json("user", "list", "--no-active") == []
    assert [u["role"] for u in house.json("user", "list", "--role", "admin")] == ["admin"]
    for name in (people[0].id, people[0].email, people[0].email.upper()):
        assert house.json("user", "show", name)["id"] == people[0].id
    shown = house.run("user", "show", people[0].email)
    assert people[0].email in shown and "\x1b" not in shown
    table = house.run("user", "list").splitlines()
    assert len(table) == 4 and table[0].split()[:3] == ["ID", "E-MAIL", "ROLE"]
    place = table[0].index("ROLE")
    assert [line[place - 1 :].split()[0] for line in table[1:]] == ["user", "user", "admin"]


def test_a_list_of_more_than_a_page_is_whole(start):
    house = House(start(), "running")
    for _ in range(202):
        house.server.register()
    assert len({user["id"] for user in house.json("user", "list")}) == 203
    house.state = "stopped"
    assert len({user["id"] for user in house.json("user", "list")}) == 203
    assert len(house.run("user", "list").splitlines()) == 204


def test_a_user_is_locked_out_and_let_in_again(house):
    person = house.server.person()
    key = house.server.make_key(person)["key"]
    ok(house.server.get("/gate", key))
    assert house.json("user", "deactivate", person.email)["is_active"] is False
    server = house.up()
    unauthorized(server.get("/me", person))
    unauthorized(server.get("/gate", key))
    assert house.json("user", "activate", person.email)["is_active"] is True
    ok(house.up().get("/gate", key))
    assert len(house.audited("user.updated")) == 2


def test_the_last_admin_stays(house):
    told = house.run("user", "deactivate", house.admin.email, status=1)
    assert "last active admin" in told
    ok(house.up().get("/admin/users", house.admin))


def test_every_session_of_a_user_ends(house):
    person = house.server.person()
    house.server.again(person)
    told = house.json("user", "revoke-sessions", person.id)
    assert told == {"user_id": person.id, "sessions": 2}
    unauthorized(house.up().get("/me", person))
    assert len(house.audited("session.ended_all")) == 1


def test_who_is_not_there_is_named(house):
    for words in (
        ["user", "show"], ["user", "activate"], ["user", "deactivate"], ["user", "reset-totp"],
        ["user", "revoke-sessions"], ["key", "list"], ["key", "revoke"],
    ):  # fmt: skip
        for name in ("nobody@example.org", NOBODY, "what is this"):
            assert name in house.run(*words, name, status=1)


# Keys


def test_a_key_is_made_shown_once_listed_and_revoked(house):
    person = house.server.person()
    made = house.json(
        "key", "create", person.email, "--name", "a program", "--scope", "gate", "--scope",
        "usage:read", "--limit", "requests_per_day=2", "--cidr", "127.0.0.0/8",
        "--expires-at", "2099-01-01T00:00:00Z",
    )  # fmt: skip
    assert set(made) == API_KEY | {"key"}
    assert made["limits"] == {"requests_per_day": 2}
    text = house.run("key", "create", person.id, "--name", "b", "--scope", "gate").strip()
    assert re.fullmatch(r"gh_[0-9A-Za-z]{50}", text)
    ok(house.up().get("/gate", made["key"]))
    listed = house.json("key", "list", person.email)
    assert [key["name"] for key in listed] == ["b", "a program"]
    assert all(set(key) == API_KEY for key in listed)
    assert house.json("key", "revoke", made["prefix"])["revoked_at"]
    house.run("key", "revoke", listed[0]["id"])
    server = house.up()
    unauthorized(server.get("/gate", made["key"]))
    unauthorized(server.get("/gate", text))
    assert len(house.audited("api_key.created")) == len(house.audited("api_key.revoked")) == 2


def test_a_key_has_no_more_than_its_owner(house):
    person = house.server.person()
    words = "key", "create", person.email, "--name", "a", "--scope"
    assert "scopes[0]" in house.run(*words, "admin:read", status=1)
    assert "scopes[0]" in house.run(*words, "what", status=1)
    assert "limits.what" in house.run(*words, "gate", "--limit", "what=1", status=1)
    house.run(*words, "gate", "--limit", "what", status=64)
    assert house.json("key", "list", person.email) == []


# Subscriptions


def test_a_plan_is_given_and_holds_from_the_next_request_on(house):
    person = house.server.person()
    key = house.server.make_key(person)["key"]
    ok(house.server.get("/gate", key))
    slug = house.server.make_plan({"requests_per_month": 1})["slug"]
    given = house.json("subscription", "set", person.email, slug)
    assert set(given) == SUBSCRIPTION and given["plan"] == slug
    problem(house.up().get("/gate", key), 429, "quota_exceeded")
    end = "2099-01-01T00:00:00.000Z"
    assert end in house.run("subscription", "set", person.id, "pro", "--expires-at", end)
    server = house.up()
    ok(server.get("/gate", key))
    assert ok(server.get("/subscription", person))["expires_at"] == end
    assert "no such plan" in house.run("subscription", "set", person.id, "what", status=1)
    assert len(house.audited("subscription.given")) == 2


# Admins


def test_an_admins_password_is_set_from_a_shell(house):
    password = new_password()
    words = "admin", "reset-password", "--email", house.admin.email, "--password-stdin"
    house.run(*words, input=f"{password}\n")
    server = house.up()
    unauthorized(server.get("/me", house.admin))
    house.admin.tokens = server.login(house.admin.email, password)
    assert len(house.audited("user.password_reset")) == 1


def test_a_link_sets_an_admins_password_and_nothing_changes_before(house):
    link = house.json("admin", "reset-password", "--email", house.admin.email)["link"]
    server = house.up()
    ok(server.get("/me", house.admin))
    password = new_password()
    body = {"token": link.split("#token=")[1], "password": password}
    ok(server.post("/auth/reset-password", json=body), 204)
    server.login(house.admin.email, password)


def test_a_password_is_not_reset_for_who_is_no_admin_nor_to_a_weak_one(house):
    person = house.server.person()
    words = "admin", "reset-password", "--email"
    assert "no admin" in house.run(*words, person.email, status=1)
    assert "no such user" in house.run(*words, new_email(), status=1)
    house.run(*words, house.admin.email, "--password-stdin", input="password\n", status=1)
    house.run(*words, house.admin.email, "--password-stdin", input="", status=1)
    ok(house.up().get("/me", house.admin))


# Where there is nothing, and wrong usage


def test_where_there_is_no_store_none_is_made(tmp_path):
    for words in (["user", "list"], ["plan", "list"], ["subscription", "set", "a", "b"]):
        result = run_command(*words, "--data-dir", "empty", cwd=tmp_path)
        assert result.returncode == 1 and "no store" in result.stderr
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("words", [
    ["user", "show"], ["key", "create", "a"], ["plan", "apply"], ["subscription", "set", "a"],
    ["admin", "reset-password"], ["plan", "list", "--json", "--yaml"],
])  # fmt: skip
def test_wrong_usage_exits_64(tmp_path, words):
    assert run_command(*words, cwd=tmp_path).returncode == 64


# Plans


def plans_file(house, text) -> str:
    path = house.server.root / "plans.yaml"
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
    return str(path)


WANTED = """
- slug: free
  name: Free of charge
  limits:
    requests_per_month: 500
    requests_per_second: 20
- slug: team
  name: Team
  description: "For a team: all of it"
  limits:
    tokens_per_month: {limit: 1000, overage: allow}
    max_items: null
  self_service: true
  is_default: true
"""


def test_a_file_of_plans_is_applied_whole_and_again_without_effect(house):
    person = house.server.person()
    key = house.server.make_key(person)["key"]
    ok(house.server.get("/gate", key))
    path = plans_file(house, WANTED)
    would = house.json("plan", "apply", path, "--dry-run")
    assert would["dry_run"] is True
    assert sorted(p["slug"] for p in house.json("plan", "list")) == STARTERS
    assert house.audited("plan.updated") == []
    did = house.json("plan", "apply", path)
    assert did == would | {"dry_run": False}
    assert [(c["action"], c["slug"]) for c in did["changes"]] == [
        ("updated", "free"), ("created", "team"), ("archived", "pro"),
    ]  # fmt: skip
    fields = {f["field"]: (f["from"], f["to"]) for f in did["changes"][0]["fields"]}
    assert fields["name"] == ("Free", "Free of charge")
    assert fields["limits.requests_per_month"] == (10000, 500)
    assert fields["limits.max_items"] == (100, None)
    assert fields["is_default"] == (True, False)
    assert "limits.requests_per_second" not in fields
    assert house.json("plan", "apply", path)["changes"] == []
    assert house.run("plan", "apply", path) == "Nothing to change.\n"
    server = house.up()
    allowed = {s["limit"]: s["allowed"] for s in ok(server.get("/gate", key))["limits"]}
    assert allowed["requests_per_month"] == 500
    free, team = sorted(ok(server.get("/plans"))["items"], key=lambda plan: plan["slug"])
    assert free["is_default"] is False and team["is_default"] is True
    assert team["limits"]["tokens_per_month"] == {"limit": 1000, "overage": "allow"}
    assert server.plan_of(server.person()) == "team"
    for action in ("plan.created", "plan.updated", "plan.archived"):
        assert len(house.audited(action)) == 1


def test_what_is_said_names_each_field_and_a_dry_run_says_that_it_was_one(house):
    told = house.run("plan", "apply", plans_file(house, WANTED), "--dry-run").splitlines()
    assert {"updated free", "created team", "archived pro"} < set(told)
    assert "  limits.requests_per_month: 10000 → 500" in told
    assert told[-1] == "Nothing was changed: this was a dry run."


@pytest.mark.parametrize("form", ["--json", "--yaml"])
def test_a_list_of_plans_can_be_applied_again(house, form):
    house.run("plan", "apply", plans_file(house, WANTED))
    text = house.run("plan", "list", form)
    assert sorted(plan["slug"] for plan in yaml.safe_load(text)) == ["free", "team"]
    assert house.run("plan", "apply", plans_file(house, text)) == "Nothing to change.\n"
    text = house.run("plan", "list", "--archived", form)
    assert sorted(plan["slug"] for plan in yaml.safe_load(text)) == ["free", "pro", "team"]
    assert house.run("plan", "apply", plans_file(house, text)) == "Nothing to change.\n"


def test_an_archived_plan_is_restored_when_the_file_has_it_again(house):
    house.run("plan", "apply", plans_file(house, WANTED))
    both = WANTED + "- {slug: pro, name: Pro, limits: {}}\n"
    [change] = house.json("plan", "apply", plans_file(house, both))["changes"]
    assert (change["action"], change["slug"]) == ("restored", "pro")
    assert "pro" in [plan["slug"] for plan in house.json("plan", "list")]


WRONG = [
    ("- slug: a\n  name: A\n  limitss: {}\n", 3, "limitss"),
    ("- slug: a\n  name: A\n  limits:\n    requests: 1\n", 4, "limits.requests"),
    ("- slug: a\n  name: A\n  limits: {max_items: -1}\n", 3, "limits.max_items"),
    ("- slug: A\n  name: A\n  limits: {}\n", 1, "slug"),
    ("- slug: a\n  limits: {}\n", 1, "name"),
    ("- slug: a\n  name: A\n  limits: {}\n  price: 9\n", 4, "price"),
    ("- slug: a\n  name: A\n  limits: {}\n  self_service: maybe\n", 4, "true or false"),
    ("- {slug: a, name: A, limits: {}}\n- {slug: a, name: B, limits: {}}\n", 2, "slug"),
    ("- {slug: a, name: A, limits: {}, is_default: true}\n"
     "- slug: b\n  name: B\n  limits: {}\n  is_default: true\n", 5, "is_default"),
    ("- slug: a\n  slug: b\n", 2, "slug stands in line 1"),
    ("plans: 3\n", 1, "list of plans"),
    ("- 3\n", 1, "plan"),
    ("", 1, "list of plans"),
    ("- &a 1\n- *a\n", 2, "alias"),
    ("- [\n", 2, ""),
]  # fmt: skip


def test_a_wrong_file_is_refused_by_line_and_key_and_changes_nothing(house):
    for text, line, said in WRONG:
        path = plans_file(house, text)
        told = house.run("plan", "apply", path, status=65)
        assert f"{path}:{line}:" in told and said in told, (text, told)
    assert sorted(plan["slug"] for plan in house.json("plan", "list")) == STARTERS


def test_a_file_that_is_not_there_is_named(house):
    assert "nowhere.yaml" in house.run("plan", "apply", "nowhere.yaml", status=1)
