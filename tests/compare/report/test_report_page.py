"""The page as a file: needs nothing else, is well-formed, and shows what programs call things as text."""

import copy
import re
import tomllib
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import depwatch.compare.report
from depwatch.compare.report import figures
from pages.made import replay
from support import ROOT

SECTIONS = ["verdict", "policies", "giving-up", "break-even", "timeline", "facets", "causes", "lifetimes", "method"]
VOID = {"meta", "link"}


class Page(HTMLParser):
    """Its elements as (tag, attributes, the tags that it is in), its text, and whether all tags close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert len(dict(attributes)) == len(attributes)
        self.elements.append((tag, dict(attributes), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes), tuple(self.open)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(text)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes, _ in self.elements if tag in tags]


@pytest.fixture(params=[1, 3])
def page(request: pytest.FixtureRequest, reports: Any) -> Page:
    return Page(reports.of(replay(request.param)))


def test_all_sections_are_there_and_the_contents_name_them(page: Page) -> None:
    sections = [attributes["id"] for attributes in page.all("section")]
    linked = [a["href"] for tag, a, inside in page.elements if tag == "a" and "nav" in inside]
    assert linked == [f"#{section}" for section in sections]
    assert [section for section in sections if section not in ("programs", "each")] == SECTIONS
    assert [section in sections for section in ("programs", "each")] == [len(page.all("h3")) > 0] * 2


def test_ids_are_unique_and_every_reference_leads_somewhere(page: Page) -> None:
    ids = Counter(attributes["id"] for _, attributes, _ in page.elements if "id" in attributes)
    assert [name for name, times in ids.items() if times > 1] == []
    references = [a["aria-labelledby"] for _, a, _ in page.elements if "aria-labelledby" in a]
    references += [(a["href"] or "").removeprefix("#") for a in page.all("a")]
    assert set(references) <= set(ids)


def test_headings_descend_by_one_and_there_is_one_title(page: Page) -> None:
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= level + 1 for level, below in pairwise(levels))


def test_every_table_has_a_caption_and_scopes_and_a_box_that_keys_can_scroll(page: Page) -> None:
    assert len(page.all("table")) == len(page.all("caption")) >= 8
    assert {attributes.get("scope") for attributes in page.all("th")} == {"col", "row", "rowgroup"}
    boxes = [a for _, a, _ in page.elements if a.get("class") == "scroll"]
    assert len(boxes) == len(page.all("table"))
    assert all(box["tabindex"] == "0" and box["role"] == "region" for box in boxes)


def test_every_row_of_a_table_is_as_wide_as_its_head(reports: Any) -> None:
    text = reports.of(replay(3))
    for table in re.findall(r"<table.*?</table>", text, re.DOTALL):
        widths = {
            sum(int((re.search(r'colspan="(\d+)"', cell) or [0, 1])[1]) for cell in re.findall(r"<t[hd][^>]*>", row))
            for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        }
        assert len(widths) == 1, re.findall(r"<caption.*?</caption>", table)


def test_it_needs_no_network_and_runs_no_script(reports: Any) -> None:
    text = reports.of(replay(3))
    assert re.findall(r"https?:|url\(|@import|<script|\son\w+=|javascript:|<iframe|<img", text) == []
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text


def test_the_same_replay_gives_the_same_bytes(reports: Any, data: dict[str, Any]) -> None:
    assert reports.of(data) == reports.of(copy.deepcopy(data))


@pytest.mark.slow
def test_forty_programs_stay_below_five_megabytes(reports: Any) -> None:
    assert len(reports.of(replay(40)).encode()) < 5_000_000


def test_what_looks_like_markup_is_text(reports: Any, data: dict[str, Any]) -> None:
    hostile = """<script>alert("x")</script><img src=x onerror='y'>&amp;{{ 7 * 1911 }}"""
    page = Page(reports.of(everywhere(data, hostile)))
    assert page.all("script", "img") == []
    assert hostile in page.text and "13377" not in page.text
    assert {name for _, attributes, _ in page.elements for name in attributes if name.startswith("on")} == set()


def test_what_cannot_be_seen_or_written_is_shown_as_what_it_is(reports: Any, data: dict[str, Any]) -> None:
    data["traces"][0]["title"] = "a\x00b\x1bc\u202ed\ud800e"
    assert r"a\u0000b\u001bc\u202ed\ud800e" in reports.of(data)


@pytest.mark.parametrize(
    ("complete", "status", "said"),
    [
        (True, 0, "exit status 0"),
        (True, 3, "exit status 3"),
        (True, -9, "killed by signal 9"),
        (False, None, "the trace was cut: recorded up to there"),
    ],
)
def test_how_a_program_ended_is_said(reports: Any, complete: bool, status: int | None, said: str) -> None:
    data = replay(1, variants=False)
    data["traces"][0] |= {"complete": complete, "exit": status}
    assert said in reports.of(data)


def test_counts_that_rest_on_changes_spread_evenly_are_marked(reports: Any) -> None:
    data = replay(1, variants=False)
    for policy in data["traces"][0]["policies"]:
        policy["spread"] = []
    marks = re.compile(r'<abbr title="rests in part[^>]*>≈</abbr>([\d,]+)')
    assert marks.findall(reports.of(data)) == []
    whole = data["traces"][0]["policies"][0]
    whole["spread"] = ["dropped"]
    assert marks.findall(reports.of(data)) == [f"{whole[phase]['dropped']:,}" for phase in ("whole", "startup", "rest")]


def test_a_policy_that_the_page_does_not_know_is_called_as_the_replay_calls_it(reports: Any) -> None:
    data = replay(1, variants=False)
    data["traces"][0]["policies"][0] |= {"policy": "new", "title": "  a new {way}"}
    assert '<th scope="row">a new {way}</th>' in reports.of(data)


def test_facets_that_break_in_several_programs_are_one_row(reports: Any, data: dict[str, Any]) -> None:
    for trace, breaks in zip(data["traces"], (5, 7), strict=True):
        counts = {"dropped": 4, "breaks": breaks, "restores": 1, "handles_hit": 2, "changes": 9, "recompiled": 3}
        trace["facets"] = [trace["facets"][0] | counts]
    section = reports.of(data).split('<section id="facets"')[1].split("</section>")[0]
    table = section.split('<caption id="facets-table"')[1]
    cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", table)]
    place = ["&lt;stdlib&gt;/warnings.py:517", "the standard library"]
    assert cells == ["8", "12", "2", "4", "18", *place, "2\u00a0programs"]
    assert "dropped code 8 times; compiled again: 6" in Page(section).text.replace("\u00a0", " ")


def test_causes_are_ranked_by_code_dropped_and_by_time_lost(reports: Any) -> None:
    data = replay(1, variants=False)
    usual = data["traces"][0]["facets"][0] | {"functions": ["cost", "price"], "more_functions": 3}
    data["traces"][0]["facets"] = [
        usual | {"facet": name, "dropped": dropped, "recompiled": recompiled}
        for name, dropped, recompiled in (("app.A", 9, 0), ("app.B", 7, 2), ("app.C", 5, 4))
    ]
    text = reports.of(data)
    listed = text.split('<ol class="blame"')[1].split("</ol>")[0]
    assert re.findall(r'class="cause"><code>([^<]*)', listed) == ["app.A", "app.B", "app.C"]
    assert listed.count("Hit: <code>cost</code>, <code>price</code> and 3 more.") == 3
    assert listed.count("<b>Instead:</b> ") == 3
    table = text.split('<caption id="blame-time">')[1].split("</table>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table.split("<tr>")[2:]]
    price = data["prices"]["numba"]
    lost = [figures.duration(n * (price["recompile"] + 50 * price["cold_call"])) for n in (4, 2)]
    assert [row[:3] for row in rows] == [
        ["<code>app.C</code>", "4", lost[0]],
        ["<code>app.B</code>", "2", lost[1]],
    ]


def test_a_replay_of_an_older_depwatch_is_ranked_by_code_dropped_only(reports: Any) -> None:
    data = replay(1, variants=False)
    for facet in data["traces"][0]["facets"]:
        del facet["recompiled"]
    text = reports.of(data)
    assert '<ol class="blame"' in text and "compiled again:" not in text and "blame-time" not in text


def test_objects_are_ranked_and_what_was_followed_is_said(reports: Any, data: dict[str, Any]) -> None:
    place = {"file": "<program>/a.py", "line": 3, "cause": "the program"}
    data["traces"][0]["objects"] = [
        {"object": name, "kind": "module", "changes": 9, "dropped": dropped, "needlessly": 2, **place}
        for name, dropped in (("a", 3), ("b", 40))
    ]
    data["traces"][0]["lookups"] = {"global": {"sites": 10, "followed": 9, "calls": 1000, "followed_calls": 995}}
    page = reports.of(data)
    table = page.split('<caption id="objects-table">')[1].split("</table>")[0]
    assert re.findall(r"<code>(\w+)</code> <small>module</small></th><td>([\d,]+)", table) == [("b", "40"), ("a", "3")]
    said = (
        "Of what CPython specialised hot code for, followed: 9 of 10 globals (99.5% by calls); not known of 1 programs."
    )
    assert said in page


def test_who_causes_breaks_is_said_with_all_libraries_as_one(reports: Any, data: dict[str, Any]) -> None:
    for trace in data["traces"]:
        trace["causes"] = {
            name: {"changes": 9, "breaks": breaks, "handles_hit": 1}
            for name, breaks in (("the program", 1), ("library a", 2), ("library b", 4), ("the test harness", 1))
        }
    said = "Of all breaks, so many were caused by libraries: 75 %; the program: 12.5 %; the test harness: 12.5 %."
    assert said in reports.of(data).replace("\u00a0", " ")


def test_what_a_corpus_adds_is_shown(reports: Any, data: dict[str, Any]) -> None:
    quiet, mutating = data["traces"]
    assert [quiet["kind"], mutating["kind"]] == ["quiet", "mutating"]
    quiet |= {"ratio": 1.25, "packages": ["go==1.0"], "why": "of no concern"}
    data["corpus"] = {"programs": 32, "missing": ["flask"], "failed": {}}
    text = Page(reports.of(data)).text.replace("\u00a0", " ")
    assert "recorded, it took 1.25 times as long; with go==1.0." in text
    assert "Of the 32 programs of the corpus, these are missing here: flask." in text
    assert all(head in text for head in ("dropped in 1 quiet", "calls run cold in mutating"))
    data["corpus"]["missing"] = []
    assert "All 32 programs of the corpus are here." in reports.of(data).replace("\u00a0", " ")


def test_every_table_of_several_programs_says_how_they_were_chosen(reports: Any, data: dict[str, Any]) -> None:
    for trace, way in zip(data["traces"], ("hand", "rank"), strict=True):
        trace["chosen"] = way
    page = reports.of(data).replace("\u00a0", " ")
    captions = re.findall(r'<caption id="([^"]+)">(.*?)</caption>', page)
    assert len(captions) > 10
    silent = {name for name, text in captions if "(chosen: " not in text}
    assert silent == {"prices-table"}  # which is of no program
    assert "2 programs (chosen: 1 hand, 1 rank)" in dict(captions)["policy-counts"]
    assert all(head in page for head in ("dropped in 1 hand", "calls run cold in rank", ">chosen</th>"))
    del data["traces"][0]["chosen"], data["traces"][1]["chosen"]
    assert "chosen" not in Page(reports.of(data)).text


def test_the_templates_are_installed() -> None:
    folder = Path(depwatch.compare.report.__file__).parent
    with open(ROOT / "pyproject.toml", "rb") as file:
        patterns = tomllib.load(file)["tool"]["setuptools"]["package-data"]["depwatch.compare.report"]
    installed = {path for pattern in patterns for path in folder.glob(pattern)}
    assert installed == {path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}


def everywhere(data: Any, text: str) -> Any:
    """With that in every string and every name that a program or a replay can choose."""
    for trace in data["traces"]:
        for key in ("trace", "title", "python", "kind", "chosen"):
            trace[key] = text
        trace["program"] = [text, text]
        for policy in trace["policies"]:
            policy["title"] = text
            policy["policy"] = text + policy["policy"]
            policy["cost"] = {text + name: cost for name, cost in policy["cost"].items()}
        for facet in trace["facets"]:
            facet |= dict.fromkeys(("facet", "kind", "file", "cause"), text)
        trace["causes"] = {text + name: cause for name, cause in trace["causes"].items()}
        trace["timeline"]["dropped"] = {text + name: bins for name, bins in trace["timeline"]["dropped"].items()}
    data["prices"] = {text + name: prices | {"source": text} for name, prices in data["prices"].items()}
    return data | {"depwatch": text}
