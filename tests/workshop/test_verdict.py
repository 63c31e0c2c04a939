"""docs/verdict.md says what the committed results of the corpus say."""

import json
import re

import pytest

from corpus.verdict import POLICIES, sentences, table, total, unrelated
from support import ROOT

PAGE = (ROOT / "docs/verdict.md").read_text(encoding="utf-8")
RESULTS = json.loads((ROOT / "benchmarks/results/corpus-3.13.0.json").read_text(encoding="utf-8"))


def test_the_table_is_that_of_the_results():
    assert table(RESULTS) in PAGE


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
