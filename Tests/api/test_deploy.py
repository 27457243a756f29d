"""The files for containers, without an engine: linters and schemas, and what must agree with what.

Nothing here builds an image or asks a cluster; docs/operations.md says so.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from gatehouse import binary, run_command
from proxies import DEPLOY, program

ROOT = DEPLOY.parent
KUBERNETES = DEPLOY / "kubernetes"
UID = 10001
SCHEMAS = ["1.29", "1.34", "1.37"]  # the oldest with ReadWriteOncePod as stable, and newer ones


def manual():
    return yaml.safe_load((ROOT / "config/gatehouse.yaml").read_text())


def port():
    return int(manual()["server"]["listen"].rsplit(":", 1)[1])


def seconds(text):
    return int(text.removesuffix("s"))


def drain_seconds():
    return seconds(manual()["server"]["drain_timeout"])


def run(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# The image


def instructions():
    """The Dockerfile's instructions: (word, the rest on one line)."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.M)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def last_stage():
    found = instructions()
    begin = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    return dict(found[begin:]), found[begin:]


def test_hadolint_finds_nothing_in_the_dockerfile():
    run(str(Path(sys.executable).with_name("hadolint")), "deploy/Dockerfile")


def test_every_base_image_has_an_exact_tag():
    arguments = dict(rest.split("=") for word, rest in instructions() if word == "ARG")
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert len(bases) == 2
    for base in bases:
        _, tag = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], base).split(":")
        assert re.search(r"\d+\.\d+\.\d+|\d{8}", tag), tag


def test_the_image_runs_as_a_fixed_user_who_is_not_root():
    stage, _ = last_stage()
    assert stage["USER"] == f"{UID}:{UID}"
    assert f"--uid {UID}" in stage["RUN"] and f"--owner={UID}" in stage["RUN"]


def test_the_image_listens_where_the_defaults_do_and_keeps_its_data_in_the_volume():
    stage, _ = last_stage()
    environment = dict(pair.split("=") for pair in shlex.split(stage["ENV"]))
    assert environment["GATEHOUSE_SERVER_LISTEN"] == f"0.0.0.0:{port()}"
    assert stage["EXPOSE"] == str(port())
    assert stage["VOLUME"] == stage["WORKDIR"] == environment["TMPDIR"] == "/var/lib/gatehouse"
    assert (stage["STOPSIGNAL"], stage["ENTRYPOINT"]) == ("SIGTERM", '["gatehouse"]')


def test_the_images_health_is_a_command_that_there_is(tmp_path):
    stage, _ = last_stage()
    command = yaml.safe_load(stage["HEALTHCHECK"].split("CMD ")[1])
    assert command[0] == "gatehouse"
    done = run_command(*command[1:], cwd=tmp_path, server_listen="127.0.0.1:1")
    assert done.returncode == 1 and "no answer" in done.stderr


def test_what_the_dockerfile_copies_is_there_and_not_kept_out():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    def is_sent(path):
        sent = True
        for rule in rules:  # the last one that fits counts
            bare = rule.lstrip("!")
            if bare == "*" or path == bare or path.startswith(bare + "/"):
                sent = rule.startswith("!")
        return sent

    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY"]
    local = [path for paths in copied if not paths[0].startswith("--") for path in paths]
    assert set(local) == {
        "tools/system-packages", "tools/web-assets", "tools/web-assets.txt", "web",
        "Package.swift", "Sources", "Sources/CAssets", "Tests",
    }  # fmt: skip
    for path in local:
        assert (ROOT / path).exists() and is_sent(path)
    for path in ("data/gatehouse.db", ".git/config", "backup.key", ".build/x", "Tests/api/x.py"):
        assert not is_sent(path)


def libraries_of(path):
    """The packages of the libraries that a program itself asks for; apt brings what those need."""
    asked_for = set(re.findall(r"NEEDED\s+(\S+)", run("objdump", "-p", path)))
    found = re.findall(r"(\S+) => (/\S+)", run("ldd", path))
    system = [at for name, at in found if name in asked_for and not at.startswith("/opt/")]
    names = set()
    for library in system:
        # Debian merged /lib into /usr/lib; dpkg knows a file by the one or the other.
        real = os.path.realpath(library)
        for path in (real, real.removeprefix("/usr")):
            asked = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True)
            if asked.returncode == 0:
                names.add(asked.stdout.split(":")[0])
                break
    return names


@pytest.mark.skipif(not shutil.which("dpkg"), reason="Debian's package names")
def test_the_image_has_every_library_that_the_binary_needs():
    stage, _ = last_stage()
    installed = set(re.findall(r"\b(lib[\w.+-]+)\b", stage["RUN"].split("&&")[1]))
    needed = libraries_of(binary())
    needed -= {"libc6", "libgcc-s1"}  # the base image has these
    # A debug binary loads Swift's own libraries, and what those need.
    assert installed >= needed - {"libstdc++6", "libuuid1", "zlib1g"}
    assert installed <= needed | {"libstdc++6"}, "it installs what nothing needs"


# Compose


def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_compose_reads_its_file():
    for profile in ([], ["--profile", "scaled"]):
        words = ["--file", "deploy/compose.yaml", *profile, "config", "--quiet"]
        run(program("docker-compose"), *words)


def test_the_one_node_is_shut_in_and_has_time_to_stop():
    service = compose()["services"]["gatehouse"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ports"] == [f"127.0.0.1:{port()}:{port()}"]
    assert service["volumes"] == ["data:/var/lib/gatehouse"] and "data" in compose()["volumes"]
    assert seconds(service["stop_grace_period"]) > drain_seconds()
    assert service["ulimits"]["nofile"] > manual()["server"]["connections_max"]
    build = service["build"]
    context = (DEPLOY / build["context"]).resolve()
    assert context == ROOT and (context / build["dockerfile"]).exists()


def settings_of(service):
    return {
        name.removeprefix("GATEHOUSE_").lower(): re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)
        for name, value in service["environment"].items()
        if name.startswith("GATEHOUSE_")
    }


def test_what_compose_sets_is_a_configuration(tmp_path):
    done = run_command("check", cwd=tmp_path, **settings_of(compose()["services"]["gatehouse"]))
    assert done.stdout.startswith("There is no store"), done.stderr


# Kubernetes


def manifests():
    found = {}
    for path in sorted(KUBERNETES.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            [found[path.name]] = yaml.safe_load_all(path.read_text())
    return found


def pod():
    return manifests()["statefulset.yaml"]["spec"]["template"]["spec"]


def container():
    [one] = pod()["containers"]
    return one


@pytest.mark.parametrize("version", SCHEMAS)
@pytest.mark.parametrize("name", manifests())
def test_kubernetes_own_schema_takes_each_manifest(name, version):
    kubernetes_validate.validate(manifests()[name], version, strict=True)


def test_kustomize_names_every_manifest_but_the_example():
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    assert set(kustomization["resources"]) == set(manifests()) - {"secret.example.yaml"}
    for manifest in manifests().values():
        if manifest["kind"] != "Namespace":
            assert manifest["metadata"]["namespace"] == kustomization["namespace"]


def test_one_pod_has_the_store_and_may_be_moved():
    statefulset = manifests()["statefulset.yaml"]["spec"]
    assert statefulset["replicas"] == 1
    [claim] = statefulset["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert manifests()["poddisruptionbudget.yaml"]["spec"]["maxUnavailable"] == 1


def test_the_pod_is_shut_in():
    assert pod()["automountServiceAccountToken"] is False
    context = pod()["securityContext"]
    assert context["runAsNonRoot"] and context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {context[name] for name in ("runAsUser", "runAsGroup", "fsGroup")} == {UID}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    resources = container()["resources"]
    assert {"cpu", "memory"} <= resources["requests"].keys() and "memory" in resources["limits"]


def test_the_pod_has_time_to_stop():
    [word, wait] = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert word == "sleep"
    assert pod()["terminationGracePeriodSeconds"] >= int(wait) + drain_seconds() + 10


def test_ports_labels_and_names_agree():
    found = manifests()
    [declared] = container()["ports"]
    assert declared["containerPort"] == port()
    probes = [container()[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness")]
    assert [probe["path"] for probe in probes] == ["/healthz"] * 2
    assert container()["readinessProbe"]["httpGet"]["path"] == "/readyz"
    [served] = found["service.yaml"]["spec"]["ports"]
    [rule] = found["networkpolicy.yaml"]["spec"]["ingress"]
    assert {declared["name"], served["targetPort"], rule["ports"][0]["port"]} == {"http"}
    labels = found["statefulset.yaml"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        found["service.yaml"]["spec"]["selector"],
        found["statefulset.yaml"]["spec"]["selector"]["matchLabels"],
        found["poddisruptionbudget.yaml"]["spec"]["selector"]["matchLabels"],
        found["networkpolicy.yaml"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert container()["image"] == compose()["services"]["gatehouse"]["image"]


def test_every_mount_has_its_volume_and_every_path_its_mount():
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    volumes |= {
        claim["metadata"]["name"]: claim
        for claim in manifests()["statefulset.yaml"]["spec"]["volumeClaimTemplates"]
    }
    mounts = {mount["mountPath"]: mount for mount in container()["volumeMounts"]}
    assert {mount["name"] for mount in mounts.values()} == set(volumes)
    stage, _ = last_stage()
    assert stage["VOLUME"] in mounts
    key = configuration()["backup"]["key_file"]
    folder, name = key.rsplit("/", 1)
    assert mounts[folder]["name"] == "secrets"
    secret = manifests()["secret.example.yaml"]
    assert secret["metadata"]["name"] == volumes["secrets"]["secret"]["secretName"]
    assert len(base64.b64decode(secret["data"][name])) == 32


def configuration():
    return yaml.safe_load(manifests()["configmap.yaml"]["data"]["gatehouse.yaml"])


def test_the_config_map_is_a_configuration(tmp_path):
    file = tmp_path / "gatehouse.yaml"
    text = manifests()["configmap.yaml"]["data"]["gatehouse.yaml"]
    file.write_text(text)
    done = run_command("check", "--config", str(file), cwd=tmp_path)
    assert done.stdout.startswith("There is no store"), done.stderr
    # And with the lines for TLS taken in.
    lines = text.splitlines()
    begin = lines.index("  # tls:")
    taken = [line.replace("# ", "", 1) for line in lines[begin : begin + 3]]
    file.write_text("\n".join(lines[:begin] + taken + lines[begin + 3 :]))
    done = run_command("check", "--config", str(file), cwd=tmp_path)
    assert "TLS cannot be served" in done.stdout, done.stderr
