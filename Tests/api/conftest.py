"""The servers that tests share or own, and what a failed test shows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import gatehouse
from gatehouse import Server
from postgres import new_database

# Modules whose shared server is tried on both engines: what each of the store's nouns does for the
# API. A server of a test's own is on SQLite.
ON_BOTH_ENGINES = {
    "test_accounts", "test_events", "test_idempotency", "test_items", "test_keys", "test_leases",
    "test_reservations", "test_sessions", "test_usage",
}  # fmt: skip


def pytest_generate_tests(metafunc):
    both = metafunc.module.__name__ in ON_BOTH_ENGINES
    if both and "server" in metafunc.fixturenames and "start" not in metafunc.fixturenames:
        metafunc.parametrize("engine", ["sqlite", "postgres"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def engine(request) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture(scope="module")
def start_for_module(tmp_path_factory) -> Iterator[Callable[..., Server]]:
    yield from _starter(tmp_path_factory)


@pytest.fixture
def start(tmp_path_factory) -> Iterator[Callable[..., Server]]:
    """Starts a server of the test's own; its keywords are configuration keys."""
    yield from _starter(tmp_path_factory)


@pytest.fixture
def make(tmp_path_factory) -> Iterator[Callable[..., Server]]:
    """A server that the test starts itself; its keywords are configuration keys."""
    made: list[Server] = []

    def make(**settings: str) -> Server:
        made.append(Server(tmp_path_factory.mktemp("gatehouse"), **settings))
        return made[-1]

    yield make
    for server in made:
        server.close()


def _starter(tmp_path_factory) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(listen: str = "127.0.0.1:0", **settings: str) -> Server:
        server = Server(tmp_path_factory.mktemp("gatehouse"), listen, **settings)
        started.append(server)
        return server.start()

    yield start
    failures = []
    for server in started:
        try:
            server.close()
        except AssertionError as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


@pytest.fixture(scope="module")
def server(start_for_module, engine) -> Server:
    """The server that a module's tests share: defaults, without throttling of sign-in."""
    return start_for_module(**({"store_url": new_database()} if engine == "postgres" else {}))


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: long; `make soak` runs it and `make test` does not")
    config.addinivalue_line("markers", "deb: of the release's package; `make test-deb` runs it")


def pytest_runtestloop(session):
    """Without a binary there is nothing to test: say so once."""
    if not session.config.option.collectonly:
        try:
            gatehouse.binary()
        except AssertionError as failure:
            pytest.exit(str(failure), returncode=2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for server in gatehouse.live:
            report.sections.append((f"last lines of {server.address}", server.output()))
