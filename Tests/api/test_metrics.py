"""`/metrics`: where it answers and where not, what it says, and what Prometheus makes of it."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from checks import eventually, ok, problem
from gatehouse import Server, run_command
from scraper import FOLDER, prometheus

ROOT = Path(__file__).parents[2]
OPEN_METRICS = "application/openmetrics-text"


def address(server: Server) -> str:
    def told() -> list[str]:
        return [e["address"] for e in server.events() if e["message"] == "listening for metrics"]

    return eventually(told, what="a listener for metrics")[-1]


def scrape(server: Server, **headers: str) -> httpx.Response:
    return httpx.get(address(server) + "/metrics", headers=headers)


def value(text: str, series: str) -> float:
    [found] = re.findall(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found)


def promtool(*words: str, input: str | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["promtool", *words], input=input, capture_output=True, text=True, timeout=60
    )


def test_they_are_on_their_own_listener_and_nothing_else_is(server):
    at = address(server)
    assert at != server.address
    problem(server.get("//metrics"), 404, "not_found")
    for path in ("/", "/healthz", "/api/v1/me", "/metrics/more"):
        problem(httpx.get(at + path), 404, "not_found")
    problem(httpx.post(at + "/metrics"), 405, "method_not_allowed")
    head = httpx.head(at + "/metrics")
    assert head.status_code == 200 and head.content == b""
    assert head.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_a_name_that_somebody_pointed_here_is_refused(server):
    for host in ("evil.example", "evil.example:9464", "id.example.com"):
        assert scrape(server, Host=host).status_code == 421
    for host in ("localhost", "10.1.2.3:9464", "[::1]:9464"):
        assert scrape(server, Host=host).status_code == 200


def test_a_name_of_allowed_hosts_is_none_of_those(start):
    server = start(server_allowed_hosts="gatehouse.internal")
    assert scrape(server, Host="gatehouse.internal:9464").status_code == 200


def test_requests_are_counted_by_route_and_never_by_path(server):
    person = server.person()
    name = 'http_requests_total{method="GET",route="/api/v1/items/{id}",status="404"}'
    for _ in range(3):
        problem(server.get(f"/items/{person.id}", person), 404, "not_found")
    problem(server.get("/no/such/path"), 404, "not_found")
    text = scrape(server).text
    assert value(text, f"gatehouse_{name}") == 3
    assert 'route="unrouted",status="404"' in text
    assert person.id not in text and person.email not in text and "/no/such" not in text
    count = 'duration_seconds_count{method="GET",route="/api/v1/items/{id}"}'
    assert value(text, f"gatehouse_http_request_{count}") == 3


def test_the_gate_is_counted_by_outcome_whoever_answers_it(start):
    server = start(limits_checkpoint_interval="10ms")
    person = server.customer({"requests_per_month": 10})
    key = server.make_key(person)["key"]
    answers = [server.get("/gate", key).status_code for _ in range(14)]
    assert answers == [200] * 10 + [429] * 4
    problem(server.get("/gate"), 401, "unauthorized")
    text, plan = scrape(server).text, server.plan_of(person)

    def decisions(outcome: str, limit: str = "", plan: str = plan) -> float:
        labels = f'outcome="{outcome}",limit="{limit}",plan="{plan}"'
        return value(text, f"gatehouse_gate_decisions_total{{{labels}}}")

    assert decisions("allowed") == 10
    assert decisions("quota_exceeded", "requests_per_month") == 4
    assert decisions("unauthorized", plan="") == 1


def test_sign_ins_are_counted_by_outcome(start):
    server = start()
    person = server.person()
    wrong = {"email": person.email, "password": "wrong one"}
    problem(server.post("/auth/login", json=wrong), 401, "invalid_credentials")
    text = scrape(server).text
    assert value(text, 'gatehouse_sign_ins_total{outcome="signed_in"}') == 1
    assert value(text, 'gatehouse_sign_ins_total{outcome="invalid_credentials"}') == 1


def test_who_is_active_and_what_a_plan_uses_is_looked_up(start):
    server = start(limits_checkpoint_interval="10ms")
    person = server.customer({"requests_per_month": 10})
    server.person()
    for _ in range(3):
        ok(server.get("/items", person))
    eventually(lambda: server.used(person) == 3, what="counts")
    ok(server.get("/admin/stats", server.admin()))  # after it the counts are in the store
    usage = f'gatehouse_usage_this_month{{plan="{server.plan_of(person)}",metric="requests"}} 3\n'
    text = eventually(lambda: (t := scrape(server).text) and usage in t and t, what="the usage")
    assert value(text, 'gatehouse_active_users{window="1d"}') == 1
    assert value(text, 'gatehouse_active_users{window="30d"}') == 1


def test_the_console_reads_the_same_figures(start):
    server = start(limits_checkpoint_interval="10ms")
    person = server.customer({"requests_per_month": 2})
    for _ in range(3):
        server.get("/items", person)
    wrong = {"email": person.email, "password": "wrong one"}
    problem(server.post("/auth/login", json=wrong), 401, "invalid_credentials")
    totals = ok(server.get("/admin/stats", server.admin()))["totals"]
    text, plan = scrape(server).text, server.plan_of(person)
    decisions = "gatehouse_gate_decisions_total"
    allowed = value(text, f'{decisions}{{outcome="allowed",limit="",plan="{plan}"}}')
    limit = f'limit="requests_per_month",plan="{plan}"'
    refused = value(text, f'{decisions}{{outcome="quota_exceeded",{limit}}}')
    assert totals["requests_allowed_today"] == allowed == 2
    assert totals["requests_refused_today"] == refused == 1
    sign_ins = "gatehouse_sign_ins_total"
    assert totals["sign_ins_today"] == value(text, sign_ins + '{outcome="signed_in"}')
    failed = value(text, sign_ins + '{outcome="invalid_credentials"}')
    assert totals["sign_ins_failed_today"] == failed == 1
    for state in ("active", "inactive"):
        users = value(text, f'gatehouse_users{{state="{state}"}}')
        shown = totals["users_active"]
        assert users == (shown if state == "active" else totals["users"] - shown)
    assert totals["store_bytes"] == value(text, "gatehouse_store_bytes")


def test_what_is_in_memory_is_a_hit_and_what_is_not_a_miss(start):
    server = start()
    key = server.make_key(server.person())["key"]
    for _ in range(10):
        ok(server.get("/gate", key))
    text = scrape(server).text
    looks = "gatehouse_cache_lookups_total"
    for cache in ("keys", "customers"):
        assert value(text, f'{looks}{{cache="{cache}",result="hit"}}') >= 9
        assert 1 <= value(text, f'{looks}{{cache="{cache}",result="miss"}}') <= 4


def test_what_the_store_and_the_process_are_at_is_there(start):
    server = start()
    server.person()
    text = scrape(server).text
    assert value(text, "gatehouse_store_up") == 1
    assert value(text, 'gatehouse_users{state="active"}') == 1
    assert value(text, "gatehouse_store_commits_total") >= 1
    assert value(text, "gatehouse_store_writes_waiting") == 0
    assert value(text, "gatehouse_store_commit_duration_seconds_count") >= 1
    sync = value(text, "gatehouse_store_sync_duration_seconds_sum")
    assert 0 < sync <= value(text, "gatehouse_store_commit_duration_seconds_sum")
    assert value(text, "process_open_fds") < value(text, "process_max_fds")
    assert value(text, "process_resident_memory_bytes") > 1e6


def test_a_backup_is_seen(start):
    server = start()
    made = server.command("backup")
    assert made.returncode == 0, made.stderr
    text = scrape(server).text
    assert value(text, "gatehouse_backups") == 1
    began = value(text, "process_start_time_seconds")
    assert value(text, "gatehouse_backup_last_success_timestamp_seconds") > began - 1


@pytest.mark.parametrize("word", ["off", ""])
def test_they_can_be_turned_off(start, word):
    server = start(metrics_listen=word)
    ok(server.get("//healthz"))
    assert not [e for e in server.events() if e["message"] == "listening for metrics"]


def test_a_port_that_is_taken_is_refused_with_the_key_to_change(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        words = "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")
        refused = run_command(*words, cwd=tmp_path, metrics_listen=at)
    assert refused.returncode == 69
    [line] = refused.stderr.splitlines()  # and nobody was told that it serves
    assert f"Cannot listen on {at} (metrics.listen)" in line
    assert '"listening"' not in refused.stdout


@pytest.mark.parametrize("word", ["9464", "127.0.0.1", "127.0.0.1:99999", "on"])
def test_a_wrong_address_stops_the_start(tmp_path, word):
    words = "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")
    refused = run_command(*words, cwd=tmp_path, metrics_listen=word)
    assert refused.returncode == 78
    assert "metrics.listen" in refused.stderr and "HOST:PORT, or off" in refused.stderr


def test_promtool_has_nothing_to_complain_of(server):
    server.person()
    text = scrape(server, Accept="text/plain").text
    checked = promtool("check", "metrics", input=text)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_openmetrics_is_for_who_asks_for_it(server):
    answer = scrape(server, Accept=OPEN_METRICS)
    assert answer.headers["Content-Type"].startswith(OPEN_METRICS + "; version=1.0.0")
    assert answer.text.endswith("\n# EOF\n")
    assert "# UNIT process_cpu_seconds seconds\n" in answer.text


def test_a_real_prometheus_scrapes_it(server, tmp_path):
    server.person()
    target = address(server).removeprefix("http://")
    with prometheus(target, tmp_path) as running:
        [up] = running.query('up{job="gatehouse"}')
        assert up["metric"]["instance"] == target
        [users] = running.query('gatehouse_users{state="active"}')
        assert int(users["value"][1]) >= 1
        assert running.query("gatehouse_http_request_duration_seconds_bucket")


def test_the_samples_are_right(tmp_path):
    for words in (
        ("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ):  # fmt: skip
        checked = promtool(*words[:2], str(FOLDER / words[2]))
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_metric_of_the_alerts_is_one_of_ours():
    manual = (ROOT / "docs" / "operations.md").read_text()  # a Swift test holds it to the code
    known = set(re.findall(r"^\| `((?:gatehouse|process)_\w+)` \|", manual, re.MULTILINE))
    rules = (FOLDER / "alerts.yml").read_text()
    named = set(re.findall(r"\b(?:gatehouse|process)_\w+", rules))
    named = {re.sub(r"(?<=_seconds)_(bucket|count|sum)$", "", name) for name in named}
    assert len(named) > 10 and named <= known, named - known
