"""The release's package, in a Debian of its own: `make test-deb`, as root."""

from __future__ import annotations

import subprocess

import httpx
import pytest

import debian
from debian import Package, System, run
from gatehouse import BASE, new_email, new_password

pytestmark = [pytest.mark.soak, pytest.mark.deb]

LATER = "99.0.0"
CONFIGURATION = "/etc/gatehouse/gatehouse.yaml"
DATA = "/var/lib/gatehouse"
# adduser keeps what was there before it; the user itself stays, see debian/gatehouse.postrm.
LEFT_BY_ADDUSER = {f"/etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow", "subuid",
                                                "subgid")}  # fmt: skip


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Package:
    return debian.pack(tmp_path_factory.mktemp("package"), quickly=False)


@pytest.fixture(scope="module")
def later(tmp_path_factory) -> Package:
    """A higher version with another default configuration."""
    made = debian.pack(tmp_path_factory.mktemp("later"), "--version", LATER)
    return made.repacked(tmp_path_factory.mktemp("repacked"), "# A line of the later version.\n")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, package) -> System:
    """With what the package depends on, so that what is compared later is the package's own."""
    system = debian.system(tmp_path_factory.mktemp("system") / "root")
    system.run("apt-get", "update", "--quiet", seconds=300)
    system.run("apt-get", "satisfy", "--quiet", "--yes", "--no-install-recommends",
               package.field("Depends"), seconds=300)  # fmt: skip
    return system


@pytest.fixture
def system(tmp_path, prepared) -> System:
    return prepared.copy(tmp_path / "root")


def create_admin(system: System) -> tuple[str, str]:
    address, password = new_email(), new_password()
    system.run("gatehouse", "admin", "create", "--email", address, "--password-stdin",
               input=password + "\n")  # fmt: skip
    return address, password


def sign_in(address: str, email: str, password: str) -> None:
    answer = httpx.post(f"{address}{BASE}/auth/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text


def test_lintian_finds_no_error_and_no_warning(package):
    for path in sorted(package.path.parent.glob("*.deb")):
        run("lintian", "--allow-root", "--profile", "debian", "--fail-on", "error,warning",
            str(path), seconds=300)  # fmt: skip


def test_the_same_binary_and_commit_give_the_same_bytes(package, tmp_path):
    again = debian.pack(tmp_path, quickly=False)
    for path in package.path.parent.glob("*.deb"):
        assert path.read_bytes() == (again.path.parent / path.name).read_bytes(), path.name


def test_an_installed_daemon_serves_as_its_own_user(system, package):
    system.install(package)
    assert system.run("gatehouse", "version").stdout.startswith("gatehouse ")
    assert system.owner(CONFIGURATION) == ("640", "root", "gatehouse")
    assert system.owner(DATA) == ("700", "gatehouse", "gatehouse")
    with system.serving() as address:
        assert httpx.get(f"{address}/healthz").status_code == 200
        create_admin(system)
    assert "Nothing to mend" in system.run("gatehouse", "check").stdout
    for path in system.path(DATA).rglob("*"):
        inside = "/" + str(path.relative_to(system.root))
        assert system.owner(inside)[1:] == ("gatehouse", "gatehouse"), inside


def test_a_second_installation_of_the_same_version_changes_nothing(system, package):
    system.install(package)
    before = system.names()
    system.install(package)
    assert system.names() == before


def test_units_are_enabled_where_systemd_does_not_run(system, package):
    system.install(package)
    enabled = {link.name for link in system.path("/etc/systemd/system").glob("*.wants/*")}
    ours = {unit.name for unit in debian.units()}
    wanted = {unit.name for unit in debian.units() if debian.is_enabled_at_install(unit)}
    assert enabled & ours == wanted


def orders_to_systemd(system: System) -> list[list[str]]:
    """What systemctl was told to do since the last look, without the questions."""
    log = system.path("/var/log/systemctl")
    told = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    log.unlink(missing_ok=True)
    orders = [[word for word in words if not word.startswith("--")] for words in told]
    return [words for words in orders if words[0] in {"start", "stop", "restart", "try-restart"}]


@pytest.mark.skipif(not debian.units(), reason="there are no units")
def test_systemd_is_told_to_keep_the_socket_open_over_an_upgrade(system, package, later):
    # A stand-in that writes down what it is told; no systemd runs in there, nor may one.
    system.path("/usr/sbin/policy-rc.d").unlink()
    system.path("/run/systemd/system").mkdir(parents=True)
    answer = 'echo "$@" >>/var/log/systemctl\ncase "$*" in *is-enabled*) echo enabled ;; esac\n'
    system.write("/usr/bin/systemctl", f"#!/bin/sh\n{answer}", mode=0o755)
    system.install(package)
    assert orders_to_systemd(system)[:2] == [
        ["start", "gatehouse.socket"], ["start", "gatehouse.service"],
    ]  # fmt: skip
    system.install(later, "--force-confnew")
    orders = orders_to_systemd(system)
    assert ["restart", "gatehouse.service"] in orders
    assert [words for words in orders if words[0] != "start" and "gatehouse.socket" in words] == []
    system.run("dpkg", "--remove", "gatehouse")
    orders = orders_to_systemd(system)
    assert orders[0] == ["stop", "gatehouse.socket"]
    assert ["stop", "gatehouse.service"] in orders


def test_an_upgrade_keeps_the_data_and_a_changed_configuration(system, package, later):
    system.install(package)
    admin = create_admin(system)
    file = system.path(CONFIGURATION)
    changed = file.read_text().replace("level: info", "level: warning")
    assert changed != file.read_text()
    file.write_text(changed)
    system.install(later, "--force-confdef", "--force-confold")
    version = system.run("dpkg-query", "--show", "--showformat=${Version}", "gatehouse").stdout
    assert version == LATER
    assert file.read_text() == changed
    assert system.owner(CONFIGURATION) == ("640", "root", "gatehouse")
    with system.serving() as address:
        sign_in(address, *admin)


def test_permissions_that_an_administrator_set_are_kept(system, package, later):
    system.install(package)
    system.run("dpkg-statoverride", "--update", "--add", "root", "root", "0600", CONFIGURATION)
    system.install(later, "--force-confnew")
    assert system.owner(CONFIGURATION) == ("600", "root", "root")


def test_removing_keeps_the_data_and_purging_leaves_nothing(system, package):
    before = system.names()
    system.install(package)
    create_admin(system)
    system.run("gatehouse", "backup")
    system.run("dpkg", "--remove", "gatehouse")
    kept = system.names() - before
    assert {CONFIGURATION, f"{DATA}/gatehouse.db"} <= kept
    assert not [name for name in kept if name.startswith(("/usr/", "/lib/"))]
    said = system.run("dpkg", "--purge", "gatehouse").stdout
    assert f"deleting {DATA}" in said
    assert system.names() - before - LEFT_BY_ADDUSER == set()


def test_a_purged_package_can_be_installed_again(system, package):
    system.install(package)
    system.run("dpkg", "--purge", "gatehouse")
    system.install(package)
    with system.serving() as address:
        assert httpx.get(f"{address}/healthz").status_code == 200


def test_a_disk_mounted_in_the_data_directory_is_left_alone_by_a_purge(system, package):
    system.install(package)
    script = (
        f"mkdir {DATA}/backups && mount -t tmpfs none {DATA}/backups && touch {DATA}/backups/kept "
        f"&& dpkg --purge gatehouse && ls {DATA}/backups"
    )
    said = system.run("sh", "-c", script).stdout
    assert "what is on it was left" in said and said.endswith("kept\n")


def test_the_package_is_refused_where_what_it_needs_is_missing(system, package):
    system.run("dpkg", "--purge", "--force-depends", "libsqlite3-0")
    system.path("/tmp/package.deb").write_bytes(package.path.read_bytes())
    result = subprocess.run(
        system.inside("dpkg", "--install", "/tmp/package.deb"), env=debian.QUIET,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode != 0 and "libsqlite3-0" in result.stderr
