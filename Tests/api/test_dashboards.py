"""The dashboards: each query is one that Prometheus understands, of metrics and labels of ours."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from certificates import Authority, Pair
from checks import eventually, ok
from receivers import Collector, Sentry
from scraper import free_port, prometheus
from test_metrics import ROOT, address, promtool, scrape

GRAFANA = ROOT / "deploy" / "grafana"
BOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
# What Prometheus adds to each series of a scrape.
ADDED = {"instance", "job", "le"}
NAME = r"\b(?:gatehouse|process)_\w+"


def queries(path: Path) -> list[str]:
    panels = json.loads(path.read_text())["panels"]
    found = [target["expr"] for panel in panels for target in panel["targets"]]
    return [q.replace("$__rate_interval", "5m").replace("$instance", ".*") for q in found]


def metrics() -> dict[str, set[str]]:
    """Each metric of the manual, which a Swift test holds to the code, with its labels."""
    manual = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `((?:gatehouse|process)_\w+)` \| \w+ \| ([^|]*) \|", manual, re.M)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def family(name: str) -> str:
    return re.sub(r"(?<=_seconds)_(bucket|count|sum)$", "", name)


def test_there_are_the_four_of_them():
    assert [b.stem for b in BOARDS] == ["customers", "gate", "overview", "store"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_prometheus_understands_each_query(board, tmp_path):
    rules = [{"record": f"q{n}", "expr": query} for n, query in enumerate(queries(board))]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": board.stem, "rules": rules}]}))
    checked = promtool("check", "rules", str(path))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_each_query_names_metrics_and_labels_that_there_are(board):
    known = metrics()
    for query in queries(board):
        names = {family(name) for name in re.findall(NAME, query)}
        assert names <= known.keys() and (names or "up{" in query), query
        allowed = set().union(ADDED, *(known[name] for name in names))
        for name, matchers in re.findall(rf"({NAME})\{{([^}}]*)\}}", query):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
            assert labels <= known[family(name)] | ADDED, (query, labels)
        for group in re.findall(r"\bby \(([^)]*)\)", query):
            assert {label.strip() for label in group.split(",")} <= allowed, (query, group)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_board_is_whole(board):
    told = json.loads(board.read_text())
    assert told["uid"] == f"gatehouse-{board.stem}" and told["title"] and told["description"]
    taken: set[tuple[int, int]] = set()
    for panel in told["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        own = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not own & taken, panel["title"]
        taken |= own
        assert {t["datasource"]["uid"] for t in panel["targets"]} == {"${datasource}"}
    ids = [panel["id"] for panel in told["panels"]]
    assert len(set(ids)) == len(ids)


def test_a_server_that_has_seen_it_all_tells_every_metric_of_them(start, tmp_path):
    """So none of them is a name that no scrape ever has."""
    authority, collector, sentry = Authority(), Collector(), Sentry()
    pair = Pair(tmp_path, authority.issue())
    server = start(
        trust=authority.client(), otlp_endpoint=f"http://127.0.0.1:{collector.port}",
        sentry_dsn=sentry.dsn, server_public_url="https://localhost", mail_transport="smtp",
        mail_from="id@example.com", mail_smtp_host="127.0.0.1", mail_smtp_security="none",
        mail_smtp_port=str(free_port()), **pair.settings,
    )  # fmt: skip
    person = server.customer({"requests_per_month": 100})
    ok(server.get("/gate", server.make_key(person)["key"]))
    made = server.command("backup")
    assert made.returncode == 0, made.stderr
    server.post("/auth/forgot-password", json={"email": person.email})  # its job has to wait
    named = {family(n) for board in BOARDS for q in queries(board) for n in re.findall(NAME, q)}

    def missing() -> set[str]:
        told = re.findall(r"^# TYPE (\S+)", scrape(server).text, re.MULTILINE)
        # A drill comes by night, the first checkpoint with the thousandth page of the log.
        later = {name for name in named if "_drill_" in name or "_checkpoint_age_" in name}
        return named - set(told) - later

    eventually(lambda: not missing(), what=f"the metrics {missing()}")
    with prometheus(address(server).removeprefix("http://"), tmp_path) as running:
        for query in {q for board in BOARDS for q in queries(board)}:
            running.query(query)
    server.stop()
    collector.close()
    sentry.close()


def test_provisioning_names_the_data_source_that_they_begin_with():
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    [source] = sources["datasources"]
    yaml.safe_load((GRAFANA / "provisioning/dashboards/gatehouse.yml").read_text())
    for board in BOARDS:
        variables = json.loads(board.read_text())["templating"]["list"]
        assert variables[0]["current"]["value"] == source["uid"]
