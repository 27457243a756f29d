"""The Debian package and what belongs to it: completions, manual pages, maintainer scripts."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

import debian
import gatehouse
from debian import ROOT, Package, run
from gatehouse import run_command

CONFIGURATION = ROOT / "config/gatehouse.yaml"
SHELLS = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "--no-execute"]}


# Completions


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_understands_its_completion_script(tmp_path, shell):
    result = run_command("completion", shell, cwd=tmp_path)
    assert result.returncode == 0
    script = tmp_path / "script"
    script.write_text(result.stdout)
    run(*SHELLS[shell], str(script))


def test_bash_completes_a_command_and_its_options(tmp_path):
    script = tmp_path / "script"
    script.write_text(run_command("completion", "bash", cwd=tmp_path).stdout)
    ask = (
        'source "$1"; COMP_WORDS=(gatehouse "${@:2}"); COMP_CWORD=$(($# - 1)); '
        'COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9; '
        '_gatehouse gatehouse "${!#}" ""; printf "%s\\n" "${COMPREPLY[@]}"'
    )

    def completions(*words):
        return run("bash", "-c", ask, "bash", str(script), *words).stdout.split()

    assert completions("inspe") == ["inspect"]
    assert "--encrypt-to-key" in completions("backup", "--e")


@pytest.mark.parametrize("words", [["tcsh"], [], ["bash", "zsh"]])
def test_a_completion_for_no_shell_we_know_is_wrong_usage(tmp_path, words):
    result = run_command("completion", *words, cwd=tmp_path)
    assert result.returncode == 64
    assert result.stderr and not result.stdout


# Manual pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """The source of each page, by its name."""
    folder = tmp_path_factory.mktemp("manual")
    ways = {
        "gatehouse.1": ["commands", gatehouse.binary()],
        "gatehouse.yaml.5": ["configuration"],
    }
    for name, words in ways.items():
        (folder / name).write_text(run(str(ROOT / "tools/manual"), *words).stdout)
    return {name: folder / name for name in ways}


def text_of(page: Path) -> str:
    """As a reader sees it; mandoc prints a bold letter twice and an underlined one over _."""
    return re.sub(".\b", "", run("mandoc", "-T", "ascii", "-O", "width=200", str(page)).stdout)


@pytest.mark.parametrize("name", ["gatehouse.1", "gatehouse.yaml.5"])
def test_a_manual_page_renders_without_a_warning(pages, name):
    run("mandoc", "-T", "lint", "-W", "warning", str(pages[name]))
    formatted = subprocess.run(
        ["man", "--warnings", "--local-file", pages[name]],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert formatted.returncode == 0 and formatted.stderr == ""
    assert not re.search("@[A-Z]+@", text_of(pages[name])), "a part was not filled in"


def leaves(command: dict, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], dict]]:
    inner = [one for one in command.get("subcommands", []) if one["commandName"] != "help"]
    if not inner:
        return [(path, command)]
    return [leaf for one in inner for leaf in leaves(one, (*path, one["commandName"]))]


def test_the_manual_has_every_command_and_every_option(pages):
    text = text_of(pages["gatehouse.1"])
    tree = json.loads(run(gatehouse.binary(), "--experimental-dump-help").stdout)["command"]
    found = leaves(tree)
    assert len(found) > 5
    for path, command in found:
        assert f"\n     {' '.join(path)}" in text, path
        for argument in command["arguments"]:
            if argument["kind"] != "positional" and argument["shouldDisplay"]:
                assert f"--{argument['preferredName']['name']}" in text, (path, argument)


def keys(section: dict, path: str = "") -> list[str]:
    return [
        key
        for name, value in section.items()
        for key in (keys(value, f"{path}{name}.") if isinstance(value, dict) else [path + name])
    ]


def test_the_manual_has_every_key_of_the_configuration(pages):
    text = text_of(pages["gatehouse.yaml.5"])
    wanted = keys(yaml.safe_load(CONFIGURATION.read_text()))
    assert len(wanted) > 20
    assert [key for key in wanted if f"\n     {key} (default: " not in text] == []


# The package


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Package:
    return debian.pack(tmp_path_factory.mktemp("package"))


def test_the_package_has_these_files_and_no_others(package):
    files = package.files()
    installed = {f"/lib/systemd/system/{unit.name}" for unit in debian.units()}
    examples = {name for name in files if name.startswith("/usr/share/doc/gatehouse/examples/")}
    assert examples and installed <= files
    assert files - installed - examples == {
        "/etc/gatehouse/gatehouse.yaml",
        "/usr/bin/gatehouse",
        "/usr/share/bash-completion/completions/gatehouse",
        "/usr/share/doc/gatehouse/NOTICE.gz",
        "/usr/share/doc/gatehouse/changelog.gz",
        "/usr/share/doc/gatehouse/copyright",
        "/usr/share/doc/gatehouse/operations.md.gz",
        "/usr/share/fish/vendor_completions.d/gatehouse.fish",
        "/usr/share/lintian/overrides/gatehouse",
        "/usr/share/man/man1/gatehouse.1.gz",
        "/usr/share/man/man5/gatehouse.yaml.5.gz",
        "/usr/share/zsh/vendor-completions/_gatehouse",
    }


def test_the_package_belongs_to_root_and_keeps_its_configuration_to_itself(package):
    members = package.members()
    assert {(one.uid, one.gid) for one in members.values()} == {(0, 0)}
    assert members["./etc/gatehouse/gatehouse.yaml"].mode == 0o640
    assert not [one.name for one in members.values() if one.mode & 0o022 and not one.issym()]


def test_the_package_says_what_it_is_and_what_it_needs(package, tmp_path):
    version = json.loads(run_command("version", "--json", cwd=tmp_path).stdout)["version"]
    assert package.field("Package") == "gatehouse"
    assert package.field("Version") == version
    needs = {one.split()[0] for one in package.field("Depends").split(", ")}
    assert {"adduser", "libc6", "libsqlite3-0", "libargon2-1", "libyaml-0-2"} <= needs
    conffiles = (package.control(tmp_path / "control") / "conffiles").read_text().split()
    assert conffiles == ["/etc/gatehouse/gatehouse.yaml"]


def test_the_maintainer_scripts_are_good_shell(package, tmp_path):
    control = package.control(tmp_path / "control")
    for name in ("postinst", "prerm", "postrm"):
        run("dash", "-n", str(control / name))
        run("shellcheck", "--shell=sh", str(ROOT / f"debian/gatehouse.{name}"))
    run("shellcheck", str(ROOT / "tools/package-deb"))


def test_an_installation_starts_the_units_that_are_enabled_and_no_others(package, tmp_path):
    script = (package.control(tmp_path / "control") / "postinst").read_text()
    # try-restart, as of a timer, leaves alone what does not run.
    starts = [
        line
        for line in script.splitlines()
        if "deb-systemd-invoke" in line and "try-restart" not in line
    ]
    for unit in debian.units():
        started = [line for line in starts if f"'{unit.name}'" in line]
        assert bool(started) == debian.is_enabled_at_install(unit), unit.name
        if unit.suffix == ".socket":
            # Started if it is not there; never restarted, since that would refuse connections.
            assert all("deb-systemd-invoke start " in line for line in started)


@pytest.mark.parametrize(
    ("words", "status"),
    [([], 64), (["--frobnicate"], 64), (["--version"], 64), (["/nowhere"], 1)],
)
def test_the_packing_tool_refuses_what_it_cannot_do(tmp_path, words, status):
    refused(tmp_path, status, *words)


def test_the_packing_tool_refuses_a_version_that_dpkg_would_not_take(tmp_path):
    refused(tmp_path, 64, "--version", "1 2", gatehouse.binary())


def refused(folder: Path, status: int, *words: str) -> None:
    into = folder / "dist"
    result = subprocess.run(
        [ROOT / "tools/package-deb", "--into", into, *words], capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert result.returncode == status and result.stderr.startswith("package-deb: ")
    assert not list(into.glob("*"))


# The workflow of a forge


def test_the_workflow_runs_the_readmes_test_command():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yaml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert "\n```\nmake test\n```\n" in (ROOT / "README.md").read_text()
    assert "make test" in [step.get("run") for step in steps]
    for step in steps:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step.get("uses", "a/b@" + "0" * 40))
