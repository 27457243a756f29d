"""The files for several nodes, without an engine: what must agree with what (test_deploy.py)."""

from __future__ import annotations

import re
import textwrap

import kubernetes_validate
import pytest
import yaml

from certificates import Authority
from gatehouse import run_command
from proxies import DEPLOY
from test_deploy import KUBERNETES, ROOT, SCHEMAS, compose, manifests, manual, seconds, settings_of

SCALED = KUBERNETES.with_name("kubernetes-scaled")
NODES = ["gatehouse-1", "gatehouse-2"]


# Compose


def services():
    return {
        name: service
        for name, service in compose()["services"].items()
        if service.get("profiles") == ["scaled"]
    }


def test_the_profile_has_every_part_and_leaves_the_single_node_as_it_is():
    assert set(services()) == {
        *NODES, "sealing-key", "postgres", "redis", "nginx", "prometheus", "grafana",
    }  # fmt: skip
    assert set(compose()["services"]) - set(services()) == {"gatehouse"}
    for service in services().values():
        [name, tag] = service["image"].split(":")
        assert name == "gatehouse" or re.search(r"\d+\.\d+", tag), "an exact version"


def test_the_nodes_differ_in_their_data_alone():
    first, second = (dict(services()[name]) for name in NODES)
    data = [node.pop("volumes")[0] for node in (first, second)]
    assert data == ["data-1:/var/lib/gatehouse", "data-2:/var/lib/gatehouse"]
    for node in (first, second):
        node.pop("depends_on")
        assert node["read_only"] is True and node["cap_drop"] == ["ALL"]
        assert seconds(node["stop_grace_period"]) > seconds(manual()["server"]["drain_timeout"])
        assert node["ulimits"]["nofile"] > manual()["server"]["connections_max"]
    assert first == second


def test_they_have_one_sealing_key_that_is_made_once():
    maker = services()["sealing-key"]
    assert maker["volumes"] == ["sealing:/var/lib/gatehouse"]  # whose owner the image has set
    [command] = maker["command"]
    assert command.startswith("test -e sealing-keys.json || ")
    for name in NODES:
        assert services()[name]["volumes"][1] == "sealing:/etc/gatehouse/sealing:ro"
        settings = settings_of(services()[name])
        assert settings["auth_sealing_keys_file"] == "/etc/gatehouse/sealing/sealing-keys.json"
    assert services()[NODES[0]]["depends_on"]["sealing-key"] == {
        "condition": "service_completed_successfully"
    }


def test_what_compose_sets_is_a_configuration_of_a_node(tmp_path):
    settings = settings_of(services()[NODES[0]])
    settings["redis_url"] = settings["redis_url"].replace("://:@", "://:secret@")
    settings |= {"store_url": "postgres://gatehouse@127.0.0.1:1/gatehouse"}
    done = run_command("check", cwd=tmp_path, **settings)
    assert "PostgreSQL at 127.0.0.1:1/gatehouse cannot be used" in done.stdout, done.stderr


def test_nobody_reaches_a_part_but_through_nginx_and_grafana():
    published = {name: s["ports"] for name, s in services().items() if "ports" in s}
    assert published == {"nginx": ["127.0.0.1:8080:8080"], "prometheus": ["127.0.0.1:3000:3000"]}
    assert services()["grafana"]["network_mode"] == "service:prometheus"


def test_redis_throws_nothing_out():
    command = services()["redis"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


def test_nginx_and_prometheus_ask_the_nodes_that_there_are():
    sample = (DEPLOY / "nginx/nodes.conf").read_text()
    assert re.findall(r"^    server (\S+) ", sample, re.M) == [f"{name}:8080" for name in NODES]
    [job] = yaml.safe_load((DEPLOY / "prometheus/nodes.yml").read_text())["scrape_configs"]
    [targets] = job["static_configs"]
    port = settings_of(services()[NODES[0]])["metrics_listen"].rpartition(":")[2]
    assert targets == {"targets": [f"{name}:{port}" for name in NODES]}
    assert settings_of(services()[NODES[0]])["server_allowed_hosts"] == ",".join(NODES)


def test_what_is_mounted_is_there():
    for service in services().values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
            else:
                assert source in compose()["volumes"]


# Kubernetes


def merged(base, patch):
    """kustomize's strategic merge, as far as the patches here use it: no list is merged."""
    if not (isinstance(base, dict) and isinstance(patch, dict)):
        return patch
    return base | {
        name: merged(base[name], value) if name in base else value
        for name, value in patch.items()
    }


def scaled():
    found = manifests()
    kustomization = yaml.safe_load((SCALED / "kustomization.yaml").read_text())
    assert kustomization["resources"] == ["../kubernetes"]
    for entry in kustomization["patches"]:
        [patch] = yaml.safe_load_all((SCALED / entry["path"]).read_text())
        base = found[entry["path"]]
        same = ("apiVersion", "kind")
        assert [base[name] for name in same] == [patch[name] for name in same]
        assert base["metadata"]["name"] == patch["metadata"]["name"]
        found[entry["path"]] = merged(base, patch)
    return found


def test_every_patch_is_named():
    kustomization = yaml.safe_load((SCALED / "kustomization.yaml").read_text())
    files = {path.name for path in SCALED.glob("*.yaml")} - {"kustomization.yaml"}
    assert {entry["path"] for entry in kustomization["patches"]} == files


@pytest.mark.parametrize("version", SCHEMAS)
@pytest.mark.parametrize("path", sorted(SCALED.glob("[!k]*.yaml")), ids=lambda path: path.stem)
def test_kubernetes_own_schema_takes_what_the_patches_make(path, version):
    kubernetes_validate.validate(scaled()[path.name], version, strict=True)


def test_several_pods_have_a_volume_each_and_one_may_go():
    statefulset = scaled()["statefulset.yaml"]["spec"]
    assert statefulset["replicas"] == 3
    [claim] = statefulset["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert scaled()["poddisruptionbudget.yaml"]["spec"]["maxUnavailable"] == 1
    [spread] = statefulset["template"]["spec"]["topologySpreadConstraints"]
    labels = statefulset["template"]["metadata"]["labels"]
    assert spread["labelSelector"]["matchLabels"].items() <= labels.items()


def test_the_config_map_is_a_configuration_and_its_files_are_in_the_secret(tmp_path):
    text = scaled()["configmap.yaml"]["data"]["gatehouse.yaml"]
    head = (SCALED / "kustomization.yaml").read_text()
    secret = set(re.findall(r"--from-file (\S+)", head))
    assert set(re.findall(r"/etc/gatehouse/secrets/(\S+)", text)) == secret
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name in secret:
        (folder / name).write_bytes(Authority().ca.cert_pem.bytes())
    text = text.replace("/etc/gatehouse/secrets", str(folder))
    (tmp_path / "gatehouse.yaml").write_text(text.replace("postgres.example.com", "127.0.0.1:1"))
    done = run_command("check", "--config", str(tmp_path / "gatehouse.yaml"), cwd=tmp_path)
    assert "PostgreSQL at 127.0.0.1:1/gatehouse cannot be used" in done.stdout, done.stderr


def test_the_configuration_in_the_manual_is_one(tmp_path):
    text = (ROOT / "docs/operations.md").read_text()
    text = text[text.index("### Set them up") :]
    [block] = re.findall(r"^ +```yaml\n(.*?)^ +```$", text, re.M | re.S)[:1]
    for name in set(re.findall(r"/etc/gatehouse/([\w.-]+)", block)):
        (tmp_path / name).write_bytes(Authority().ca.cert_pem.bytes())
    block = block.replace("/etc/gatehouse", str(tmp_path)).replace("db.example.net", "127.0.0.1:1")
    (tmp_path / "gatehouse.yaml").write_text(textwrap.dedent(block))
    done = run_command("check", "--config", str(tmp_path / "gatehouse.yaml"), cwd=tmp_path)
    assert "PostgreSQL at 127.0.0.1:1/gatehouse cannot be used" in done.stdout, done.stderr


def test_a_node_may_reach_its_parts():
    ports = [
        entry["port"]
        for rule in scaled()["networkpolicy.yaml"]["spec"]["egress"]
        for entry in rule["ports"]
    ]
    assert {53, 5432, 6379} == set(ports)
