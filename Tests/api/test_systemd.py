"""The daemon under a service manager: news, sockets, drains, reloads, credentials, the journal."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from base64 import urlsafe_b64decode

import pytest

from checks import connect, eventually, ok, read_response, together
from gatehouse import BASE, parsed
from load import request_bytes
from supervisor import Caller, Supervisor, journal, pass_socket, until

# News


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_hears_of_ready_and_of_stopping(make, tmp_path, abstract):
    supervisor, server = Supervisor(tmp_path, abstract), make(server_drain_timeout="7s")
    server.variables = supervisor.variables
    server.start()
    assert supervisor.wait_for("READY") == {"READY": "1", "STATUS": f"Serving on {server.address}"}
    server.stop()
    stopping = supervisor.wait_for("STOPPING")
    assert stopping["EXTEND_TIMEOUT_USEC"] == "37000000"
    assert [news for news in supervisor.news if "WATCHDOG" in news] == []


def test_a_living_daemon_says_so_twice_a_period(make, tmp_path):
    supervisor, server = Supervisor(tmp_path), make()
    server.variables = supervisor.variables | {"WATCHDOG_USEC": "400000"}
    server.start()
    supervisor.wait_for("WATCHDOG", 1)
    began = time.monotonic()
    supervisor.wait_for("WATCHDOG", 6)
    assert time.monotonic() - began >= 0.8  # five halves of the period, less one late first


def test_a_watchdog_that_was_set_for_another_process_is_not_ours(make, tmp_path):
    supervisor, server = Supervisor(tmp_path), make()
    other = {"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}
    server.variables = supervisor.variables | other
    server.start()
    supervisor.wait_for("READY")
    server.stop()
    assert [news for news in supervisor.news if "WATCHDOG" in news] == []


# Sockets


def test_restarts_under_load_refuse_nobody_and_answer_everybody(make):
    server = make(limits_checkpoint_interval="100ms")
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        pass_socket(server, listening)
        server.start()
        assert server.address.endswith(f":{listening.getsockname()[1]}")
        who = [server.customer({}) for _ in range(3)]
        callers = [Caller(server.address, who[0], keeps=False) for _ in range(3)]
        callers += [Caller(server.address, who[1], keeps=True) for _ in range(3)]
        callers += [Caller(server.address, who[2], keeps=True, pause=0.1) for _ in range(3)]
        for caller in callers:
            caller.start()
        try:
            for _ in range(4):
                each_is_answered(callers)
                server.restart()
            each_is_answered(callers)
        finally:
            for caller in callers:
                caller.end()
        assert [failure for caller in callers for failure in caller.failures] == []
        told = [sum(caller.answered for caller in callers[n : n + 3]) for n in (0, 3, 6)]
        assert [server.used(person) for person in who] == told
        assert all(caller.connections >= 5 for caller in callers)  # one for each daemon


def each_is_answered(callers):
    before = [caller.answered for caller in callers]
    until(lambda: all(c.answered > b + 3 for c, b in zip(callers, before)))


def test_a_connection_made_while_no_daemon_runs_is_served_by_the_next(make):
    server = make()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pass_socket(server, listening)
        server.start()
        request = request_bytes(server, "GET", "/plans", None)
        server.stop()
        with connect(server.address) as connection:
            connection.sendall(request)
            server.start()
            assert read_response(connection).status_code == 200


def test_what_is_passed_but_is_no_listening_socket_is_refused(make, tmp_path):
    server = make()
    with socket.socket() as other:
        pass_socket(server, other)
        with pytest.raises(AssertionError, match="78"):
            server.start()
    assert "descriptor 3 is no listening stream socket" in server.output()


# Drains


def test_a_kept_connection_gets_its_answer_and_is_told_that_it_was_the_last(start):
    server = start()
    request = request_bytes(server, "GET", "/plans", None)
    with connect(server.address) as connection:
        connection.sendall(request)
        assert "connection" not in read_response(connection).headers
        server.process.terminate()
        for _ in range(10_000):
            connection.sendall(request)
            answer = read_response(connection)
            assert answer.status_code == 200
            if answer.headers.get("connection") == "close":
                break
        assert connection.recv(1) == b""
    assert server.wait() == 0


def test_silent_connections_do_not_hold_a_stop_up(start):
    server = start(server_drain_timeout="5m")
    used, unused = connect(server.address), connect(server.address)
    with used, unused:
        used.sendall(request_bytes(server, "GET", "/plans", None))
        assert read_response(used).status_code == 200
        server.process.terminate()
        assert server.wait() == 0  # within STOP_SECONDS
        assert used.recv(1) == unused.recv(1) == b""


def test_requests_that_came_together_are_all_answered_before_the_end(start):
    server = start()
    request = request_bytes(server, "GET", "/plans", None)
    with connect(server.address) as connection:
        connection.sendall(request)
        assert read_response(connection).status_code == 200
        server.process.terminate()
        connection.sendall(request * 5)
        stream = connection.makefile("rb").read()
    assert server.wait() == 0
    assert stream.count(b"HTTP/1.1 200 OK") == 5
    assert stream.lower().count(b"connection: close") <= 1


def test_a_load_balancer_sees_not_ready_before_the_listener_closes(start):
    server = start(server_drain_delay="3s")
    with connect(server.address) as connection:
        server.process.terminate()
        answer = eventually(lambda: not_ready(server), what="not ready")
        assert answer.json()["reasons"] == ["draining"]
        assert answer.headers["connection"] == "close"
        connection.sendall(request_bytes(server, "GET", "/plans", None))
        kept = read_response(connection)
        assert (kept.status_code, kept.headers["connection"]) == (200, "close")
    assert server.wait() == 0


def test_who_connects_while_the_port_closes_is_answered_or_refused_and_never_cut_off(start):
    """Each request on a connection of its own, as a proxy makes them when answers close theirs."""
    server = start()
    request = request_bytes(server, "GET", "/plans", None)
    answered = [0] * 16

    def ask(number):
        while True:
            try:
                connection = connect(server.address)
            except ConnectionRefusedError:
                return
            with connection:  # a reset from here on fails the test
                connection.sendall(request)
                assert read_response(connection).status_code == 200
            answered[number] += 1

    def end(_):
        eventually(lambda: sum(answered) > 200, what="some answers")
        server.process.terminate()

    together(17, lambda number: (end if number == 16 else ask)(number))
    assert server.wait() == 0


def not_ready(server):
    answer = server.get("//readyz")
    return answer if answer.status_code == 503 else None


# Reloads


def configure(server, text):
    path = server.root / "config" / "gatehouse.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def reload(server):
    """SIGHUP, and the event that says how it went."""
    first = len(server.stdout)
    server.process.send_signal(signal.SIGHUP)
    words = ("configuration reloaded", "reload refused; nothing has changed")
    return eventually(
        lambda: next(
            (e for e in map(parsed, server.stdout[first:]) if e.get("message") in words), None
        )
    )


def events(server, message):
    return [event for event in server.events() if event.get("message") == message]


def test_a_reload_takes_over_what_it_can_and_says_what_waits(make, tmp_path):
    supervisor, server = Supervisor(tmp_path), make()
    server.variables = supervisor.variables
    server.start()
    other = {"Host": "other.example"}
    assert server.get("/plans", headers=other).status_code == 421
    configure(
        server,
        "server:\n  allowed_hosts: [other.example]\n  trusted_proxies: [127.0.0.0/8]\n"
        "store:\n  readers: 3\nlog:\n  requests: all\n",
    )
    told = reload(server)
    assert told["changed"] == "server.allowed_hosts, server.trusted_proxies, log.requests"
    [waits] = events(server, "some changes wait for a restart")
    assert waits["keys"] == "store.readers"
    supervisor.wait_for("RELOADING")
    supervisor.wait_for("READY", 2)
    assert [news for news in supervisor.news if "RELOADING" in news][0]["MONOTONIC_USEC"].isdigit()
    ok(server.get("/plans", headers=other))
    person = server.person()
    ok(server.get("/gate", person))
    eventually(lambda: [e for e in events(server, "request") if e["route"] == BASE + "/gate"])
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    again = server.again(person, headers=forwarded)
    sessions = ok(server.get("/me/sessions", again))["items"]
    assert "203.0.113.9" in [session["ip"] for session in sessions]


def test_the_level_of_the_log_follows_a_reload(make):
    server = make()
    server.settings["log_requests"] = "all"
    server.start()
    ok(server.get("/plans"))
    eventually(lambda: events(server, "request"))
    configure(server, "log:\n  level: warning\n")
    server.process.send_signal(signal.SIGHUP)
    # Its own line is a notice, which is no longer written: that none comes is the sign.
    eventually(lambda: count_of_new_requests(server) == 0)
    configure(server, "")
    assert reload(server)["changed"] == "log.level"


def count_of_new_requests(server):
    before = len(events(server, "request"))
    for _ in range(20):
        ok(server.get("/plans"))
    return len(events(server, "request")) - before


def test_a_bad_file_changes_nothing_and_is_named_with_its_line(make, tmp_path):
    supervisor, server = Supervisor(tmp_path), make()
    server.variables = supervisor.variables
    server.start()
    configure(server, "server:\n  allowed_hosts: [other.example]\nlog:\n  level: loud\n")
    told = reload(server)
    assert "gatehouse.yaml:4: log.level: expected one of trace, debug" in told["cause"]
    assert told["level"] == "error"
    assert server.get("/plans", headers={"Host": "other.example"}).status_code == 421
    assert "gatehouse.yaml:4" in supervisor.wait_for("READY", 2)["STATUS"]
    configure(server, "server:\n  allowed_hosts: [other.example]\n")
    assert reload(server)["changed"] == "server.allowed_hosts"
    ok(server.get("/plans", headers={"Host": "other.example"}))


# Credentials


def test_a_credential_wins_over_the_file_and_the_environment_over_both(make, tmp_path):
    (tmp_path / "auth.audience").write_text("from-credential\n")
    (tmp_path / "backup-key").write_text("not a key of the configuration")
    server = make()
    configure(server, "auth:\n  audience: from-file\n")
    server.variables = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    server.start()
    assert audience(server) == "from-credential"
    server.restart(auth_audience="from-environment")
    assert audience(server) == "from-environment"


def audience(server):
    payload = server.person().access_token.split(".")[1]
    return json.loads(urlsafe_b64decode(payload + "=="))["aud"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("auth.audiense", "x", "unknown key auth.audiense"),
        ("log.level", "loud", "log.level: expected one of"),
    ],
)
def test_a_credential_that_is_wrong_stops_the_start(make, tmp_path, name, value, said):
    (tmp_path / name).write_text(value)
    server = make()
    server.variables = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    with pytest.raises(AssertionError, match="78"):
        server.start()
    assert f"{tmp_path}/{name}" in server.output() and said in server.output()


# The journal


def test_journald_gets_priorities_before_the_json_and_no_setup_link(make):
    server = make()
    journal(server)
    server.start()
    assert server.stderr == []
    lines = [line for line in server.stdout if line.startswith("<")]
    assert lines and all(re.match(r"<[0-7]>\{", line) for line in lines)
    priorities = {parsed(line)["level"]: line[1] for line in lines}
    assert priorities["info"] == "6" and priorities["notice"] == "5"
    said = "\n".join(server.stdout)
    assert server.setup_token() not in said
    assert f"/setup#token=$(sudo cat {server.data_dir}/setup-token)" in said


def test_output_that_goes_elsewhere_has_no_priorities(make):
    server = make()
    server.variables = {"JOURNAL_STREAM": "8:1"}
    server.start()
    assert all(json.loads(line) for line in server.stdout)
    eventually(lambda: any(server.setup_token() in line for line in server.stderr))
