"""Every page of the built site: what it asks for, where it leads, and whether everybody can read it."""

import posixpath
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from conftest import DESKTOP, PHONE, SITE, weights
from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html") if "_static" not in path.parts)
assert "index.html" in PAGES, f"There is no site in {SITE}: make site"
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
KINDS = ["index", "notebooks/01_the_broken_loop", "mistakes/over_one", "playground", "api", "glossary"]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
NAME, TAG = REPOSITORY.removeprefix("https://github.com/"), f"v{PROJECT['version']}"
BINDER, COLAB = "https://mybinder.org/", "https://colab.research.google.com/"

# What axe calls experimental is off unless it is named; these rules, too, are about WCAG.
EXPERIMENTAL = ["css-orientation-lock", "label-content-name-mismatch", "p-as-heading", "table-fake-caption"]
EXPERIMENTAL += ["td-has-header"]
AXE = {
    "preload": False,
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "rules": {rule: {"enabled": True} for rule in EXPERIMENTAL},
}


def violations(page: Page) -> str:
    """What of WCAG 2.2, A and AA, the page breaks, as far as a program can tell."""
    found = Axe().run(page, options=AXE).response["violations"]
    nodes = [(each["id"], node) for each in found for node in each["nodes"]]
    return "\n".join(f"{rule}: {node['html'][:300]} {node['failureSummary']}" for rule, node in nodes)


def broken_images(page: Page) -> list[str]:
    return page.evaluate(
        """async () => {
            const images = [...document.images];
            images.forEach(image => image.loading = "eager");
            await Promise.all(images.map(image => image.decode().catch(() => null)));
            return images.filter(image => image.naturalWidth === 0).map(image => image.outerHTML);
        }"""
    )


def sticks_out(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@cache
def soup(path: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / path).read_text("utf-8"), "html.parser")


@cache
def anchors(path: str) -> frozenset[str]:
    return frozenset(str(tag["id"]) for tag in soup(path).select("[id]"))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_a_browser(path: str, page: Page, site_url: str) -> None:
    page.goto(site_url + path)
    assert broken_images(page) == []
    weights[path] = page.evaluate(
        """() => {
            const all = ["navigation", "resource"].flatMap(kind => performance.getEntriesByType(kind));
            return [all.length, all.reduce((sum, entry) => sum + entry.encodedBodySize, 0)];
        }"""
    )
    found = violations(page)
    assert not found, found
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert sticks_out(page) <= 0


@pytest.mark.parametrize("size, scheme", [(DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_of_each_kind_on_a_phone_and_in_the_dark(
    kind: str, size: tuple[int, int], scheme: str, new_page: Callable[..., Page], site_url: str
) -> None:
    page = new_page(size, scheme)
    page.goto(f"{site_url}{kind}.html")
    assert page.locator("html").get_attribute("data-theme") == scheme
    found = violations(page)
    assert not found, found
    assert sticks_out(page) <= 0


def test_the_checks_see_what_is_wrong(page: Page, site_url: str, complaints: list[str]) -> None:
    page.goto(site_url + "index.html")
    page.evaluate(
        """() => {
            document.querySelector("article").innerHTML += `<img src="missing.png"><p style="color: #bbb">pale</p>
                <button style="padding: 0; border: 0; width: 9px">1</button><button style="width: 9px">2</button>
                <button aria-label="other">word</button><pre style="width: 3000px">wide</pre>`;
            fetch("https://example.org/").catch(() => null);
            console.error("said");
            setTimeout(() => { throw new Error("thrown"); });
        }"""
    )
    assert len(broken_images(page)) == 1
    found = violations(page)
    for rule in ["image-alt", "color-contrast", "target-size", "label-content-name-mismatch"]:
        assert f"{rule}: " in found
    assert sticks_out(page) > 0
    for what in ["asks for https://example.org/", "404 ", "console: said", "error in a script: thrown"]:
        assert any(each.startswith(what) for each in complaints), what
    complaints.clear()


@pytest.mark.parametrize("path", PAGES)
def test_every_link_leads_somewhere(path: str) -> None:
    assert soup(path).html["lang"] == "en" and soup(path).title.text.strip()
    lost = []
    for tag in soup(path).select("[href], [src], [action]"):
        link = str(tag.get("href") or tag.get("src") or tag.get("action") or "")
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            # A browser may open a connection for any other tag as soon as it reads it.
            if not (tag.name == "a" and parts.scheme in {"https", "mailto"}) and parts.scheme != "data":
                lost.append(f"outside: {tag}")
            continue
        target = (
            posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(parts.path))) if parts.path else path
        )
        if target.startswith(("/", "..")) or not (SITE / target).is_file():
            lost.append(f"no file: {link}")
        elif parts.fragment and target.endswith(".html") and unquote(parts.fragment) not in anchors(target):
            lost.append(f"no such place on the page: {link}")
    assert lost == []


@pytest.mark.parametrize("number, name", list(enumerate(NOTEBOOKS)))
def test_a_notebook_is_launched_downloaded_and_leafed_through(number: int, name: str) -> None:
    page = soup(f"notebooks/{name}.html")
    buttons = {str(tag["href"]) for tag in page.select("a.dropdown-item")}
    download = f"../_sources/notebooks/{name}.ipynb"
    assert buttons == {
        f"{BINDER}v2/gh/{NAME}/{TAG}?urlpath=lab/tree/notebooks/{name}.ipynb",
        f"{COLAB}github/{NAME}/blob/{TAG}/notebooks/{name}.ipynb",
        download,
    }
    assert (SITE / "notebooks" / download).read_bytes() == (ROOT / "notebooks" / f"{name}.ipynb").read_bytes()
    for side, neighbour in [("left-prev", number - 1), ("right-next", number + 1)]:
        if 0 <= neighbour < len(NOTEBOOKS):
            assert page.select_one(f"a.{side}")["href"] == f"{NOTEBOOKS[neighbour]}.html"


@pytest.mark.parametrize("path", PAGES)
def test_a_launch_link_opens_a_notebook_that_there_is(path: str) -> None:
    for tag in soup(path).select(f'a[href^="{BINDER}"], a[href^="{COLAB}"]'):
        found = re.search(rf"/{NAME}/.*notebooks/(\w+)\.ipynb$", str(tag["href"]))
        assert found and found[1] in NOTEBOOKS, tag
        assert not path.startswith("notebooks/") or path == f"notebooks/{found[1]}.html", tag


# By keyboard alone


def tab_to(page: Page, selector: str, limit: int = 300) -> None:
    """Press Tab until what is wanted has the focus, and can be seen to."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"Tab does not reach {selector}")


def test_tab_first_skips_to_the_text(page: Page, site_url: str) -> None:
    page.goto(site_url + "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector(location.hash).tagName") == "MAIN"


@pytest.mark.parametrize("words", ["over 100 %", "my accuracy is over 100 %"])
def test_search_leads_from_the_symptom_to_its_page(words: str, page: Page, site_url: str) -> None:
    page.goto(site_url + "index.html")
    tab_to(page, "button.search-button-field")
    page.keyboard.press("Enter")
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=*")
    page.wait_for_selector("#search-results li p.context")
    assert not page.locator("#search-results p.context", has_text=re.compile(r"\.md\b|Contents")).count()
    tab_to(page, "#search-results a[href*='mistakes/over_one.html']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mistakes/over_one.html*")


@pytest.mark.parametrize("side, link", [("primary", "03_leakage.html"), ("secondary", "#the-law")])
def test_the_menus_of_a_phone(side: str, link: str, new_page: Callable[..., Page], site_url: str) -> None:
    page = new_page(PHONE)
    page.goto(site_url + "notebooks/01_the_broken_loop.html")
    menu = page.locator(f"#pst-{side}-sidebar-modal")
    tab_to(page, f"button.{side}-toggle")
    page.keyboard.press("Enter")
    menu.wait_for(state="visible")
    page.keyboard.press("Escape")
    menu.wait_for(state="hidden")
    page.keyboard.press("Shift+Tab")  # back to the button, or before it
    tab_to(page, f"button.{side}-toggle")
    page.keyboard.press("Enter")
    tab_to(page, f"#pst-{side}-sidebar-modal a[href='{link}']")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{link}")


def test_a_solution_opens(page: Page, site_url: str) -> None:
    page.goto(site_url + "notebooks/01_the_broken_loop.html")
    tab_to(page, "article summary")
    solution = page.locator("article details").first
    assert solution.get_attribute("open") is None
    page.keyboard.press("Enter")
    assert solution.get_attribute("open") is not None


def test_the_launch_buttons(page: Page, site_url: str) -> None:
    page.goto(site_url + "notebooks/01_the_broken_loop.html")
    tab_to(page, ".dropdown-launch-buttons button")
    page.keyboard.press("Enter")
    tab_to(page, f"a.dropdown-item[href^='{BINDER}']", limit=2)
