"""The page in a headless browser: on a desktop, on a phone, in dark mode and in print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.report import page
from tests.pipeline.report import browser_kit, report_kit

PROGRAM = browser_kit.find()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason=f"no browser on PATH: {', '.join(browser_kit.NAMES)}"),
]
WIDTHS = (1280, 390)
# Elements that stick out of the window, but for those inside a table that scrolls within itself.
STICK_OUT = """
[...document.querySelectorAll('body *')].filter(e => !e.closest('svg, .wide') && e.getBoundingClientRect().width &&
  (e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 || e.getBoundingClientRect().left < -1))
  .map(e => e.tagName + '.' + e.className).slice(0, 5)
"""
UNSEEN = """
[...document.querySelectorAll('section')].filter(s => {
  const box = s.getBoundingClientRect(), style = getComputedStyle(s);
  return box.height < 60 || box.width < 300 || style.visibility !== 'visible' || !s.querySelector('h2').innerText.trim();
}).map(s => s.id)
"""
BROKEN = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
CONTRAST = """
(() => {
  const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
    .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const all = ['body', '.note', '.badge.good', '.wrong-text', 'a', 'thead th', 'code'].map(s => {
    const ink = light(getComputedStyle(document.querySelector(s)).color);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05); });
  return Math.min(...all);
})()
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """A page with everything, one with many classes, and one of an environment that has data only."""
    folder = tmp_path_factory.mktemp("pages")
    found = {
        "full": report_kit.inputs(10, evil=True, trials=24),
        "many": report_kit.inputs(133),
        "empty": report_kit.empty_inputs(),
    }
    for name, inputs in found.items():
        (folder / f"{name}.html").write_text(page.render(inputs), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in found}


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[browser_kit.Browser]:
    assert PROGRAM is not None
    with browser_kit.started(PROGRAM, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["full", "many", "empty"])
def test_the_page_fits_and_asks_for_nothing(browser, pages, name, width):
    browser.load(pages[name], width)
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate(STICK_OUT) == []
    assert browser.evaluate(UNSEEN) == []
    assert browser.evaluate(BROKEN) == 0
    assert browser.requests == []
    assert browser.complaints == []


def test_the_checks_detect_a_bad_page(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'><section id=s><h2></h2></section>"
        "<div style='width: 700px'>wide</div><img src='http://127.0.0.1:9/x.png'><script>console.error('bad')</script>",
        encoding="utf-8",
    )
    browser.load(bad, 390)
    assert browser.evaluate(STICK_OUT) == ["DIV."]
    assert browser.evaluate(UNSEEN) == ["s"]
    assert browser.evaluate(BROKEN) == 1
    assert browser.requests == ["http://127.0.0.1:9/x.png"]
    assert browser.complaints


def test_the_policy_of_the_page_blocks_requests_and_scripts(browser, pages, tmp_path):
    """Should an escape be missing one day, nothing leaves the page."""
    text = pages["empty"].read_text(encoding="utf-8")
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', text)
    assert policy
    attack = "<img src='http://127.0.0.1:9/x.png'><script>document.title = 'changed'</script><link rel=stylesheet href='http://127.0.0.1:9/x.css'>"
    (tmp_path / "attack.html").write_text(
        f"<!doctype html><title>kept</title>{policy[0]}{attack}", encoding="utf-8"
    )
    browser.load(tmp_path / "attack.html", 1280)
    assert browser.evaluate("document.title") == "kept"
    sent = {
        event["params"]["requestId"]
        for event in browser.events
        if event["method"] in ("Network.responseReceived", "Network.requestWillBeSentExtraInfo")
    }
    blocked = [event["params"] for event in browser.events if event["method"] == "Network.loadingFailed"]
    assert {event["blockedReason"] for event in blocked} == {"csp"}
    assert not sent & {event["requestId"] for event in blocked}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast(browser, pages, scheme):
    browser.load(pages["full"], 1280, scheme=scheme)
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is (scheme == "light")
    assert browser.evaluate(CONTRAST) >= 4.5  # WCAG 2, level AA


def test_the_page_prints_in_black_on_white_without_navigation(browser, pages):
    browser.load(pages["full"], 1280, scheme="dark", media="print")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    printed = browser.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
    assert len(printed["data"]) > 50_000


def test_anchors_lead_to_their_sections(browser, pages):
    browser.load(pages["full"], 390)
    browser.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    browser.evaluate("document.querySelector('nav a[href=\"#versions\"]').click()")
    top = browser.evaluate("document.getElementById('versions').getBoundingClientRect().top")
    assert -5 <= top <= 100
