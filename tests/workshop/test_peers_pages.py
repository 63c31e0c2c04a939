"""docs/prices.md and docs/executors.md have the tables of the committed results."""

import pytest

from corpus.verdict import filled, peers
from support import ROOT


@pytest.mark.parametrize(("name", "places"), [("prices", 1), ("executors", 2)])
def test_the_tables_of_the_page_are_those_of_the_results(name, places):
    page = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
    assert filled(page, peers(ROOT / "benchmarks/results")) == page
    assert page.count("<!-- table: ") == page.count("<!-- end of table -->") == places
