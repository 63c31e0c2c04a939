"""docs/verdict.md says what the committed results of the corpus say."""

import json
import re

import pytest

from corpus.verdict import POLICIES, filled, sentences, tables, total, unrelated
from depwatch.compare.replay.saved import read_replay
from support import ROOT

PAGE = (ROOT / "docs/verdict.md").read_text(encoding="utf-8")
RESULTS = json.loads((ROOT / "benchmarks/results/corpus-3.13.0.json").read_text(encoding="utf-8"))


def test_the_tables_of_the_page_are_those_of_the_results():
    assert filled(PAGE, tables(ROOT / "benchmarks/results")) == PAGE
    assert PAGE.count("<!-- table: ") == PAGE.count("<!-- end of table -->") >= 2


@pytest.mark.parametrize("what", [what for what in sentences(RESULTS) if "mutating" not in what])
def test_the_text_has_the_numbers_of_the_results(what):
    text = re.sub(r"\s+", " ", PAGE)
    assert sentences(RESULTS)[what] in text


def test_changes_that_concern_nobody_drop_nothing_under_granular_and_bulk_by_facet():
    finer = [name for name in POLICIES if not name.startswith(("bulk_by_object", "cpython"))]
    assert {name: unrelated(RESULTS, name) for name in finer} == dict.fromkeys(finer, 0)
    assert unrelated(RESULTS, "bulk_by_object") > 0


def test_the_corpus_is_whole_and_each_policy_was_replayed_on_each_program():
    assert RESULTS["corpus"]["missing"] == [] and RESULTS["corpus"]["failed"] == {}
    assert len(RESULTS["traces"]) >= 30
    assert all(total([trace], name, "cold_calls") >= 0 for trace in RESULTS["traces"] for name in POLICIES)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "benchmarks/results").glob("corpus-*.json")), ids=lambda path: path.stem
)
def test_the_report_can_be_made_of_the_results_of_each_version(path):
    assert len(read_replay(str(path)).traces) >= 58
