"""The built site behind a server of its own, and a browser that tells of everything that goes wrong on a page."""

import functools
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tools.test_site import find_browser

SITE = Path(__file__).resolve().parents[2] / "build" / "site"
DESKTOP, PHONE = (1280, 900), (390, 844)

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
FLAGS += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # what asks for another host gets no answer


weights: dict[str, tuple[int, int]] = {}
"""Requests and bytes of each page that was opened: to print them at the end."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if weights:
        terminalreporter.section("requests, kB (not compressed) and name of each page")
    for path, (requests, size) in sorted(weights.items()):
        terminalreporter.write_line(f"{requests:4d} {size / 1000:6.0f}  {path}")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def site_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the site is served, with a slash at the end: below a folder, as on GitHub Pages."""
    root = tmp_path_factory.mktemp("served")
    (root / "below-random").symlink_to(SITE)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/below-random/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=find_browser(), args=FLAGS) as browser,
    ):
        yield browser


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What went wrong on the pages of this test, whenever it did: it fails the test."""
    found: list[str] = []
    yield found
    assert not found, "\n".join(found)


@pytest.fixture
def new_page(browser: Browser, site_url: str, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """new_page(size=DESKTOP, scheme="light"): an empty page, and an eye on it."""
    contexts = []

    def new_page(size: tuple[int, int] = DESKTOP, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            service_workers="block",
            reduced_motion="reduce",  # or a colour may be measured half way to another
        )
        contexts.append(context)

        def outside(url: str) -> None:
            if not url.startswith((site_url, "data:", "blob:", "about:")):
                complaints.append(f"asks for {url}")

        context.on("request", lambda request: outside(request.url))
        context.on("response", lambda answer: answer.status < 400 or complaints.append(f"{answer.status} {answer.url}"))
        context.on("weberror", lambda error: complaints.append(f"error in a script: {error.error}"))
        context.on("console", lambda said: said.type == "error" and complaints.append(f"console: {said.text}"))
        page = context.new_page()
        page.on("websocket", lambda socket: outside(socket.url))
        return page

    yield new_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()
