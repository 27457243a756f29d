"""The units in systemd/: well-formed, closed as far as can be, and the daemon lives in them."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from checks import eventually, ok
from gatehouse import binary, environment

UNITS = Path(__file__).parents[2] / "systemd"


def units(tmp_path):
    """Copies that name the binary which is tested, as systemd-analyze wants it to be there."""
    copies = []
    for unit in sorted(UNITS.iterdir()):
        copies.append(tmp_path / unit.name)
        copies[-1].write_text(unit.read_text().replace("/usr/bin/gatehouse", binary()))
    return copies


def test_systemd_has_nothing_to_say_about_the_units(tmp_path):
    copies = units(tmp_path)
    assert [copy.name for copy in copies] == [
        "gatehouse-backup.service", "gatehouse-backup.timer", "gatehouse.service",
        "gatehouse.socket",
    ]  # fmt: skip
    command = ["systemd-analyze", "verify", "--man=no", *copies]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", ["gatehouse.service", "gatehouse-backup.service"])
def test_a_service_is_exposed_no_more_than_it_must_be(unit):
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", UNITS / unit]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def allowed_calls():
    """The system calls that the unit's SystemCallFilter= lines let through."""
    allowed: set[str] = set()
    for line in (UNITS / "gatehouse.service").read_text().splitlines():
        if line.startswith("SystemCallFilter="):
            words = line.removeprefix("SystemCallFilter=")
            takes_away = words.startswith("~")
            for word in words.removeprefix("~").split():
                named = calls_of(word)
                allowed = allowed - named if takes_away else allowed | named
    return allowed


def calls_of(word):
    if not word.startswith("@"):
        return {word}
    command = ["systemd-analyze", "syscall-filter", word]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: set[str] = set()
    for line in done.stdout.splitlines()[1:]:
        entry = line.strip()
        if entry and not entry.startswith("#"):
            found |= calls_of(entry)
    return found


def test_the_daemon_makes_no_call_that_the_unit_forbids(make, tmp_path):
    server, trace = make(), tmp_path / "trace"
    # -D: the traced process is the child, so that signals reach it.
    server.wrapper = ["strace", "-D", "-f", "-qq", "-o", str(trace), "-e", "signal=none"]
    server.start()
    person = server.person()  # hashes a password, on threads that step back
    ok(server.get("/gate", server.make_key(person)["key"]))
    done = server.command("backup")
    assert done.returncode == 0, done.stderr
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: "configuration reloaded" in [e.get("message") for e in server.events()])
    server.stop()
    made = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(errors="replace"), re.MULTILINE))
    assert {"accept4", "fdatasync", "setpriority"} <= made  # it did look
    # SQLite gives its files to the store's owner, but only where it runs as root, as here.
    assert made - allowed_calls() - {"fchown"} == set()


def test_the_daemon_needs_no_memory_that_is_written_and_run(make):
    server = make()
    # What MemoryDenyWriteExecute= does on newer kernels: PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN.
    refuse = (
        "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    server.wrapper = ["python3", "-c", refuse]
    server.start()
    ok(server.get("/me", server.person()))


def test_root_makes_a_backup_through_the_daemon_of_another_user(make):
    server = make()
    server.start()
    configuration = server.root / "gatehouse.yaml"
    configuration.write_text("backup:\n  directory: data/backups\n")
    command = [binary(), "backup", "--config", configuration, "--data-dir", server.data_dir]
    done = subprocess.run(
        command, cwd="/", env=environment(), capture_output=True, text=True, check=True
    )
    assert str(server.data_dir / "backups") in done.stdout


