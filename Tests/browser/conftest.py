"""A real browser before a real server: what they share, and what no test may leave behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from gatehouse import Server
from visitor import Visitor


def pytest_configure(config: pytest.Config) -> None:
    # Of the API tests, whose tools for a stopped server's store are used here too.
    config.addinivalue_line("markers", "soak: long; none of these is")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "there is no chromium; tools/system-packages test installs it"
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox to go into.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def _started(tmp_path_factory, **settings: str) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("console"), **settings)
    yield server.start()
    server.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """The server that all tests share: each has people of its own."""
    yield from _started(tmp_path_factory)


@pytest.fixture
def strict_server(tmp_path_factory) -> Iterator[Server]:
    """One that wants addresses verified before anybody signs in."""
    yield from _started(tmp_path_factory, auth_require_verified_email="true")


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Callable[..., Visitor]]:
    """Somebody with a browser of their own; its keywords are those of a browser context. At the
    end nobody's browser may have complained of anything."""
    visitors: list[Visitor] = []

    def visit(at: Server = server, **settings) -> Visitor:
        settings = {"locale": "en-GB", "timezone_id": "Asia/Ho_Chi_Minh"} | settings
        visitors.append(Visitor(browser.new_context(**settings), at))
        return visitors[-1]

    yield visit
    complaints = [line for visitor in visitors for line in visitor.complaints]
    for visitor in visitors:
        visitor.context.close()
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    return visit()
