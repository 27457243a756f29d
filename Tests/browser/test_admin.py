"""What admins do to others."""

from __future__ import annotations

import csv
import io
import re

from playwright.sync_api import Page, expect

from checks import ok
from gatehouse import Server, new_email, new_password
from test_jobs import add_job, store_of


def choose(page: Page, label: str, value: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).select_option(value)


def agree(page: Page, title: str, button: str) -> None:
    """The question that names the thing, and a yes."""
    page.get_by_role("dialog", name=title).get_by_role("button", name=button, exact=True).click()


def saved(page: Page, button: str = "CSV") -> list[dict]:
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    assert download.value.suggested_filename.startswith("gatehouse-")
    text = download.value.path().read_text()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_an_admin_finds_somebody_changes_the_plan_signs_them_out_and_sees_it_all(visit, server):
    person = server.person("carol")
    theirs = visit()
    theirs.signed_in(person)
    visitor = visit()
    page = visitor.signed_in(server.admin(), at="/admin/users")

    page.get_by_role("searchbox", name="Search by address or name").fill(person.email[:14])
    expect(page.get_by_role("row")).to_have_count(2)  # the head, and that one
    page.get_by_role("link", name=person.email).click()
    expect(page.get_by_role("heading", name=person.email)).to_be_visible()

    page.get_by_role("button", name="Change", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Plan of {person.email}")
    dialog.get_by_label("Plan", exact=True).select_option("pro")
    dialog.get_by_role("button", name="+ 1 month").click()
    dialog.get_by_role("button", name="Save").click()
    visitor.toast(f"{person.email} is on pro.")
    assert server.plan_of(person) == "pro"
    [active] = ok(server.get(f"/admin/subscriptions?user_id={person.id}", server.admin()))["items"]
    # All of the last day in the admin's zone, which is seven hours ahead.
    assert active["expires_at"].endswith("T16:59:59.999Z")

    page.get_by_role("button", name="Sign out everywhere").click()
    agree(page, f"Sign {person.email} out everywhere?", "Sign out everywhere")
    visitor.toast(f"{person.email} is signed out everywhere.")
    expect(page.get_by_text("Signed in nowhere")).to_be_visible()
    theirs.page.get_by_role("navigation").get_by_role("link", name="API keys").click()
    expect(theirs.page.get_by_role("heading", name="Sign in")).to_be_visible()
    theirs.forgive(401)

    # The newest events stand on the page, and the log has them with who did it.
    events = page.get_by_role("table", name="Latest events")
    expect(events.get_by_role("row").filter(has_text="session.ended_all")).to_be_visible()
    page.get_by_role("link", name="Audit log").last.click()
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    page.get_by_role("combobox", name="Action").fill("subscription.changed")
    expect(page).to_have_url(re.compile("action=subscription.changed"))
    row = page.get_by_role("row").filter(has_text="subscription.changed")
    expect(row).to_contain_text("free → pro")
    expect(row.get_by_role("link").first).to_have_text(server.admin().email)
    rows = saved(page)
    assert [(r["action"], r["target"]) for r in rows] == [
        ("subscription.changed", f"user:{person.id}")
    ]


def test_the_list_of_users_goes_out_as_it_is_filtered(visitor, server):
    mark = new_email("ledger").split("@")[0]
    for name in ("=SUM(A1)", "Bo"):
        server.register(f"{name.lower()[-1:]}x-{mark}@example.org".replace(")", "p"), name=name)
    page = visitor.signed_in(server.admin(), at=f"/admin/users?q={mark}&sort=email")
    expect(page.get_by_role("row")).to_have_count(3)
    rows = saved(page)
    assert [row["name"] for row in rows] == ["Bo", "'=SUM(A1)"]
    choose(page, "Role", "support")
    expect(page.get_by_text("No users found")).to_be_visible()
    assert "role=support" in page.url
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_an_invited_user_sets_a_password_by_the_mailed_link(visit, server):
    visitor = visit()
    page = visitor.signed_in(server.admin(), at="/admin/users")
    page.get_by_role("button", name="New user").click()
    dialog = page.get_by_role("dialog", name="New user")
    dialog.get_by_label("E-mail address").fill("nobody")
    dialog.get_by_role("button", name="Send the invitation").click()
    expect(dialog.get_by_label("E-mail address")).to_have_attribute("aria-invalid", "true")
    visitor.forgive(422)
    email = new_email("dora")
    dialog.get_by_label("E-mail address").fill(email)
    dialog.get_by_role("button", name="Send the invitation").click()
    visitor.toast(f"An invitation to {email} is on its way.")
    expect(page.get_by_role("heading", name=email)).to_be_visible()

    theirs = visit()
    theirs.open_mailed(email, "reset-password")
    password = new_password()
    theirs.page.get_by_label("New password").fill(password)
    theirs.page.get_by_role("button", name="Set password").click()
    expect(theirs.page.get_by_role("heading", name="Password set")).to_be_visible()
    assert server.login(email, password)["user"]["email_verified"]


def test_a_role_is_changed_an_account_locked_and_the_last_admin_stays(visitor, server):
    person = server.person("erin")
    page = visitor.signed_in(server.admin(), at=f"/admin/users/{person.id}")
    page.get_by_role("button", name="Edit", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Edit {person.email}")
    ends = dialog.get_by_text("They are signed out everywhere")
    expect(ends).to_have_count(0)
    dialog.get_by_label("Role").select_option("support")
    expect(ends).to_be_visible()
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("Support", exact=True)).to_be_visible()

    page.get_by_role("button", name="Deactivate").click()
    agree(page, f"Deactivate {person.email}?", "Deactivate")
    visitor.toast(f"{person.email} is deactivated.")
    expect(page.get_by_text("Deactivated", exact=True)).to_be_visible()
    refused = {"email": person.email, "password": person.password}
    assert server.post("/auth/login", json=refused).status_code == 401

    visitor.open(f"/admin/users/{server.admin().id}")
    page.get_by_role("button", name="Deactivate").click()
    agree(page, f"Deactivate {server.admin().email}?", "Deactivate")
    visitor.toast("The last active admin has to stay.")
    visitor.forgive(409)


def test_a_sign_in_that_is_too_old_is_asked_for_again_and_the_step_goes_on(visit, tmp_path):
    server = Server(tmp_path, auth_recent_sign_in="1s").start()
    try:
        person = server.person("frank")
        visitor = visit(server)
        page = visitor.signed_in(server.admin(), at=f"/admin/users/{person.id}")
        page.wait_for_timeout(1_100)  # what makes a sign-in old is time
        page.get_by_role("button", name="Deactivate").click()
        agree(page, f"Deactivate {person.email}?", "Deactivate")
        again = page.get_by_role("dialog", name="Is it still you?")
        again.get_by_label("Password").fill(server.admin().password)
        again.get_by_role("button", name="Continue").click()
        visitor.toast(f"{person.email} is deactivated.")
        visitor.forgive(403)
    finally:
        server.close()


def test_a_wrong_limit_is_shown_at_its_field_and_a_right_one_holds(visitor, server):
    plan = server.make_plan({"requests_per_month": 100})
    person = server.person()
    ok(server.post("/subscribe", person, json={"plan": plan["slug"]}))
    page = visitor.signed_in(server.admin(), at="/admin/plans")
    card = page.get_by_role("region", name=plan["name"])
    card.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog", name=f"Edit {plan['name']}")
    dialog.get_by_role("button", name="Add a limit").click()
    name, value = (dialog.get_by_label(f"{what} of limit 2") for what in ("Name", "Value"))
    name.press_sequentially("requests_per_fortnight")
    expect(name).not_to_have_attribute("aria-invalid", "true")
    value.fill("some")
    expect(name).to_have_attribute("aria-invalid", "true")
    note = page.locator(f"#{name.get_attribute('aria-describedby')}")
    expect(note).to_contain_text("“requests_per_fortnight” is no limit.")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("A limit is not right yet")
    expect(dialog).to_be_visible()

    name.fill("requests_burst")
    expect(note).to_contain_text("A burst needs requests_per_second")
    name.fill("requests_per_day")
    expect(value).to_have_attribute("aria-invalid", "true")
    value.fill("3")
    expect(note).to_have_text("3 requests a day")
    dialog.get_by_role("button", name="Save").click()
    visitor.toast(f"“{plan['name']}” is saved.")
    expect(card).to_contain_text("3 requests a day")
    report = ok(server.get("/usage", person))
    assert [m["limit"] for m in report["metrics"] if m["period"] == "day"] == [3]


def test_what_the_server_says_of_a_limit_stands_at_it_too(visitor, server):
    """The console's own check is switched off by the server's answer being made up."""
    page = visitor.signed_in(server.admin(), at="/admin/plans?new=1")
    problem = (
        '{"status":422,"code":"validation_failed","detail":"No.","errors":[{"field":'
        '"limits.requests_per_month","code":"out_of_range","message":"Too many for here."}]}'
    )
    page.route(
        "**/api/v1/admin/plans",
        lambda route: route.fulfill(
            status=422, content_type="application/problem+json", body=problem
        ),
    )
    dialog = page.get_by_role("dialog", name="New plan")
    dialog.get_by_label("Name", exact=True).fill("Gold")
    dialog.get_by_label("Slug").fill("gold")
    dialog.get_by_role("button", name="Save").click()
    name = dialog.get_by_label("Name of limit 1")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(page.locator(f"#{name.get_attribute('aria-describedby')}")).to_have_text(
        "Too many for here."
    )
    visitor.forgive(422)


def test_a_plan_is_made_given_and_archived(visitor, server):
    person = server.person("gina")
    page = visitor.signed_in(server.admin(), at="/admin/plans")
    page.get_by_role("button", name="New plan").click()
    dialog = page.get_by_role("dialog", name="New plan")
    slug = new_email("gold").split("@")[0]
    dialog.get_by_label("Name", exact=True).fill(slug)
    dialog.get_by_label("Slug").fill("Not A Slug")
    dialog.get_by_label("Value of limit 1").fill("500")
    dialog.get_by_label("Count what is over it").check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_label("Slug")).to_have_attribute("aria-invalid", "true")
    visitor.forgive(422)
    dialog.get_by_label("Slug").fill(slug)
    dialog.get_by_role("button", name="Save").click()
    visitor.toast(f"“{slug}” is saved.")

    visitor.open("/admin/subscriptions")
    page.get_by_role("button", name="Give a plan").click()
    dialog = page.get_by_role("dialog", name="Give a plan")
    dialog.get_by_label("E-mail address").fill("nobody@example.net")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog.get_by_text("Nobody here has the address nobody@example.net.")).to_be_visible()
    dialog.get_by_label("E-mail address").fill(person.email)
    dialog.get_by_role("button", name="Continue").click()
    dialog = page.get_by_role("dialog", name=f"Plan of {person.email}")
    dialog.get_by_label("Plan", exact=True).select_option(slug)
    dialog.get_by_role("button", name="Save").click()
    visitor.toast(f"{person.email} is on {slug}.")
    [quota] = ok(server.get("/usage", person))["metrics"]
    assert (quota["limit"], server.plan_of(person)) == (500, slug)

    choose(page, "Plan", slug)
    row = page.get_by_role("row").filter(has_text=person.email)
    assert [r["user_id"] for r in saved(page)] == [person.id]
    row.get_by_role("button", name="Cancel plan").click()
    agree(page, f"Cancel {slug} of {person.email}?", "Cancel plan")
    visitor.toast(f"{slug} of {person.email} is canceled.")
    expect(row).to_contain_text("Canceled")

    visitor.open("/admin/plans")
    card = page.get_by_role("region", name=slug)
    card.get_by_role("button", name="Archive").click()
    agree(page, f"Archive “{slug}”?", "Archive")
    visitor.toast(f"“{slug}” is archived.")
    expect(card.get_by_role("button")).to_have_count(0)


def test_a_key_of_anybody_is_found_and_revoked(visitor, server):
    person = server.person("hugo")
    made = server.make_key(person, name="Stolen laptop")
    page = visitor.signed_in(server.admin(), at="/admin/api-keys")
    page.get_by_role("textbox", name="Customer").fill(person.email)
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)
    [row] = saved(page)
    assert (row["user_id"], row["prefix"]) == (person.id, made["prefix"])
    page.get_by_role("button", name="Revoke").click()
    agree(page, "Revoke “Stolen laptop”?", "Revoke")
    visitor.toast("“Stolen laptop” is revoked.")
    expect(page.get_by_text("Revoked", exact=True)).to_be_visible()
    assert server.get("/gate", made["key"]).status_code == 401


def test_usage_is_told_by_metric_period_and_customer(visitor, server):
    most, least = (server.person("ivo") for _ in range(2))
    metric = "pages_" + new_email("x").split("-")[2].split("@")[0]
    for person, value in ((most, 30), (least, 10)):
        event = {"id": new_email("event"), "metric": metric, "value": value, "user_id": person.id}
        assert server.post("/usage/events", person, json=event).status_code < 300
    page = visitor.signed_in(server.admin(), at="/admin/usage")
    page.get_by_role("combobox", name="Metric").fill(metric)
    expect(page.get_by_role("row")).to_have_count(3)
    expect(page.get_by_role("row").nth(1)).to_contain_text(most.email)
    expect(page.get_by_role("row").nth(1)).to_contain_text("75%")
    page.get_by_text("Hour", exact=True).click()
    expect(page.get_by_role("row").nth(2)).to_contain_text("25%")
    assert {row["email"]: row["value"] for row in saved(page)} == {
        most.email: "30", least.email: "10",
    }  # fmt: skip
    visitor.open(f"/admin/usage?user_id={least.id}")
    expect(page.get_by_role("row").filter(has_text=metric.replace("_", " "))).to_contain_text("10")


def test_the_chain_of_the_audit_log_is_checked_and_a_forged_row_found(visit, tmp_path):
    server = Server(tmp_path).start()
    try:
        visitor = visit(server)
        page = visitor.signed_in(server.admin(), at="/admin/audit")
        page.get_by_role("button", name="Check the chain").click()
        expect(page.get_by_text(re.compile(r"Intact: \d+ rows checked"))).to_be_visible()
        page.get_by_role("row").filter(has_text="admin.set_up").get_by_role("button").click()
        dialog = page.get_by_role("dialog", name="admin.set_up")
        expect(dialog.get_by_text("127.0.0.1")).to_be_visible()
        server.stop()
        with store_of(server) as store:
            store.execute("UPDATE audit_logs SET action = 'user.updated' WHERE sequence = 2")
        server.start()
        page = visitor.signed_in(server.admin(), at="/admin/audit")
        page.get_by_role("button", name="Check the chain").click()
        expect(page.get_by_role("alert")).to_contain_text("Broken at row 2")
    finally:
        server.close()


def test_the_audit_log_of_a_day_is_that_of_the_readers_zone(visitor, server):
    page = visitor.signed_in(server.admin(), at="/admin/audit")
    with page.expect_request(re.compile(r"/admin/audit-logs\?.*from=")) as asked:
        page.get_by_label("From").fill("2026-11-25")
    assert "from=2026-11-24T17%3A00%3A00.000Z" in asked.value.url
    assert "from=2026-11-25" in page.url


def test_who_deleted_their_account_is_not_named_any_more(visitor, server):
    person = server.person("kim")
    body = {"current_password": person.password}
    ok(server.delete("/me", person, json=body), 204)
    page = visitor.signed_in(server.admin(), at=f"/admin/audit?target=user:{person.id}")
    gone = f"Deleted account …{person.id[-8:]}"
    expect(page.get_by_role("table").get_by_text(gone).first).to_be_visible()
    expect(page.get_by_text(person.email)).to_have_count(0)
    visitor.open(f"/admin/users/{person.id}")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    visitor.forgive(404)


def test_a_dead_job_is_tried_again(visit, tmp_path):
    server = Server(tmp_path).start()
    try:
        server.admin()
        server.stop()
        with store_of(server) as store:
            add_job(store, "clean_up", "dead", attempts=5)
        server.start()
        visitor = visit(server)
        page = visitor.signed_in(server.admin(), at="/admin")
        page.get_by_role("link", name="1 failed for good").click()
        row = page.get_by_role("row").filter(has_text="unavailable: No.")
        expect(row).to_contain_text("5 of 5")
        assert [r["last_error"] for r in saved(page)] == ["unavailable: No."]
        row.get_by_role("button", name="Try again").click()
        page.get_by_role("dialog").get_by_role("button", name="Try again").click()
        visitor.toast("“clean up” is on its way again.")
        expect(page.get_by_text("No jobs found")).to_be_visible()
        page.get_by_role("button", name="Clear filters").click()
        expect(page.get_by_role("row").filter(has_text="unavailable: No.")).to_contain_text("Done")
    finally:
        server.close()


def test_a_backup_is_made_and_downloaded(visitor, server):
    page = visitor.signed_in(server.admin(), at="/admin/backups")
    page.get_by_role("button", name="Back up now").first.click()
    agree(page, "Make a backup now?", "Back up now")
    visitor.toast("The backup is made.")
    row = page.get_by_role("row").filter(has_text=".ghb").first
    expect(row).to_contain_text("Read back")
    row.get_by_role("button", name="Download").click()
    [name, *_] = [made["name"] for made in server.everything("/admin/backups", server.admin())]
    with page.expect_download() as download:
        agree(page, f"Download {name}?", "Download")
    assert download.value.suggested_filename == name
    whole = (server.data_dir / "backups" / name).read_bytes()
    assert download.value.path().read_bytes() == whole
    assert saved(page)[0]["name"] == name
