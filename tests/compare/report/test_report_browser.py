"""The page in Chromium: on a phone and a desk, dark and light, on paper, by keyboard.

Without Chromium these tests are skipped; with DEPWATCH_REQUIRE_BROWSER=1, which .ci/run sets, they fail.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from test_report_page import SECTIONS, everywhere

from pages.browser import REMEDY, NoChromium, chromium, executable
from pages.made import replay

if executable() is None and os.environ.get("DEPWATCH_REQUIRE_BROWSER") != "1":
    pytest.skip(REMEDY, allow_module_level=True)  # in one sentence, for all of them

from playwright.sync_api import Browser, Page  # takes time

pytestmark = pytest.mark.slow

WIDTHS = (320, 768, 1280)
A4 = 703  # CSS pixels between its margins
OPEN_ALL = "document.querySelectorAll('details').forEach(details => { details.open = true })"
# Elements that stick out of the page, but for what lies in a box that scrolls.
STICKING_OUT = """() => [...document.body.querySelectorAll('*')]
    .filter(element => !element.parentElement.closest('.scroll, svg') && element.getClientRects().length)
    .filter(element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .filter(element => !element.matches('.skip'))
    .map(element => element.outerHTML.slice(0, 80))"""
# Texts whose contrast with what is behind them is below 4.5 (WCAG AA), as "ratio text".
FAINT = """() => {
    const rgb = colour => colour.match(/[\\d.]+/g).map(Number)
    const light = colour => {
        const [r, g, b] = rgb(colour).map(x => x / 255).map(x => x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4)
        return .2126 * r + .7152 * g + .0722 * b
    }
    const behind = element => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor
            if ((rgb(colour)[3] ?? 1) > 0) return colour
        }
    }
    const found = new Set()
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walk.nextNode()) {
        const element = walk.currentNode.parentElement
        if (!walk.currentNode.data.trim() || !element.getClientRects().length) continue
        const style = getComputedStyle(element)
        const [a, b] = [light(element.closest('svg') ? style.fill : style.color), light(behind(element))]
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
        if (ratio < 4.5 || style.opacity !== '1') found.add(`${ratio.toFixed(2)} ${walk.currentNode.data.slice(0, 40)}`)
    }
    return [...found]
}"""


def test_a_machine_without_chromium_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoChromium, match=r"^no chromium on PATH: apt-get install -y chromium [^\n]*$"), chromium():
        pass


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with ExitStack() as stack:
        try:
            running = stack.enter_context(chromium())
        except NoChromium as error:
            remedy = str(error)
        else:
            yield running
            return
    pytest.fail(remedy, pytrace=False)


@pytest.fixture
def show(browser: Browser, reports: Any) -> Iterator[Any]:
    """Opens the report of a replay; at the end, nothing was complained of and nothing but the file was asked for."""
    complaints: list[str] = []
    requests: list[str] = []
    contexts = []

    def show(data: dict[str, Any], width: int = 1280, scheme: str = "light", fragment: str = "") -> Page:
        reports.of(data)
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{reports.output.as_uri()}{fragment}")
        return page

    yield show
    for context in contexts:
        context.close()
    assert complaints == []
    assert set(requests) <= {reports.output.as_uri()}


@pytest.mark.parametrize("programs", [1, 3])
def test_it_opens_with_all_sections_and_without_complaints(show: Any, programs: int) -> None:
    page = show(replay(programs))
    for section in SECTIONS:
        assert page.locator(f"section#{section} h2").is_visible(), section
    assert page.locator(".findings li").count() == 3
    assert page.locator(".plot").count() >= 1
    assert page.evaluate("document.contentType + ' ' + document.compatMode") == "text/html CSS1Compat"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("programs", [1, 3])
def test_nothing_sticks_out_of_the_page(show: Any, width: int, programs: int) -> None:
    data = replay(programs)
    data["traces"][0]["title"] = "a_very_long_name_without_any_place_to_break_it" * 3
    page = show(data, width)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(STICKING_OUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    wider = "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth).length"
    assert width > WIDTHS[0] or page.evaluate(wider) > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_told_from_what_is_behind_it(show: Any, scheme: str) -> None:
    page = show(replay(2), scheme=scheme)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(FAINT) == []
    behind = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (behind == "rgb(255, 255, 255)") == (scheme == "light")


def test_it_prints_on_a4_with_everything_open(show: Any) -> None:
    page = show(replay(2))
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF-")
    boxes = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf))
    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {(595, 842)}
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4, "height": 1000})
    assert page.locator("details[open]").count() == 0
    hidden = "[...document.querySelectorAll('details table')].filter(table => !table.checkVisibility()).length"
    assert page.locator("details table").count() > 10 and page.evaluate(hidden) == 0
    wide = f"[...document.querySelectorAll('table')].filter(t => t.getBoundingClientRect().right > {A4}.5)"
    assert page.evaluate(f"{wide}.map(table => table.caption.textContent)") == []
    assert page.evaluate("document.documentElement.scrollWidth") == A4
    breaking = "[...document.querySelectorAll('tr')].filter(r => getComputedStyle(r).breakInside !== 'avoid').length"
    assert page.evaluate(breaking) == 0


def test_names_with_html_in_them_are_shown_as_text(show: Any, data: dict[str, Any]) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    page = show(everywhere(data, hostile))
    assert page.locator("script, img").count() == 0
    assert page.locator(".matrix a").first.text_content() == hostile
    assert page.locator("#each h3").first.text_content() == hostile


def test_a_link_to_a_program_opens_it(show: Any) -> None:
    page = show(replay(3), 320)
    assert page.locator("details.program[open]").count() == 0
    page.locator(".matrix a").nth(1).click()
    assert page.locator("details.program[open] h3").all_text_contents() == [replay(3)["traces"][1]["title"]]
    assert page.locator("#program-2 table").first.is_visible()
    assert show(replay(3), fragment="#program-3").locator("#program-3 table").first.is_visible()


def test_keys_reach_the_verdict_and_scroll_the_tables(show: Any) -> None:
    page = show(replay(1), 320)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the verdict"
    page.keyboard.press("Enter")
    assert page.url.endswith("#verdict")
    box = page.locator(".scroll").first
    box.focus()
    page.keyboard.press("ArrowRight")
    # Not wait_for_function: it makes a function of a string in the page, which the page's own policy forbids.
    for _ in range(100):
        if page.evaluate("document.activeElement.scrollLeft") > 0:
            break
        page.wait_for_timeout(20)
    assert box.evaluate("box => box.scrollLeft") > 0


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("programs", [1, 3])
def test_axe_finds_nothing_that_keeps_anybody_from_reading_it(show: Any, programs: int, width: int) -> None:
    axe = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
    page = show(replay(programs), width)
    page.evaluate(OPEN_ALL)
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    assert [(each["id"], each["nodes"][0]["html"][:100]) for each in found["violations"]] == []
    assert len(found["passes"]) > 20


def test_a_term_leads_to_its_meaning_and_opens_what_it_is_folded_in(show: Any) -> None:
    page = show(replay(1))
    assert not page.locator("#term-dropped").is_visible()
    page.locator("#policy-counts ~ thead a.term[href='#term-dropped']").click()
    assert page.locator("#term-dropped").is_visible()
