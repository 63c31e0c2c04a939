"""What the documents show is so."""

import collections
import doctest
import json
import re
import sys

import pytest

import depwatch
from depwatch.compare.counts import COUNTS
from support import NO_JAX, NO_NUMBA, ROOT, path_of_tests, python

WITH_EXAMPLES = [path for path in sorted((ROOT / "docs").glob("*.md")) if ">>>" in path.read_text()]


@pytest.mark.parametrize("document", WITH_EXAMPLES, ids=lambda path: path.name)
def test_the_examples_run_as_shown(document):
    if document.name == "numba.md" and sys.version_info >= NO_NUMBA:
        pytest.skip("numba has no release for this CPython")
    if document.name == "jax.md" and sys.version_info >= NO_JAX:
        pytest.skip("JAX has no release for this CPython")
    if document.name == "observability.md":  # other tests have used up the names that stats() counts apart
        assert python(f"import test_docs; print(test_docs.run({str(document)!r}))", PYTHONPATH=path_of_tests()) == "0\n"
    else:
        assert run(str(document)) == 0


def run(path):
    """Run the examples of a document; how many fail."""
    failed, count = doctest.testfile(path, module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8")
    assert count > 0
    return failed


def test_the_counts_of_a_replay_are_in_the_document_as_they_are_in_the_report():
    rows = [line for line in (ROOT / "docs" / "replay.md").read_text().splitlines() if line.startswith("| `")]
    assert rows[-len(COUNTS) :] == [f"| `{name}` | {counted.explained} |" for name, counted in COUNTS.items()]


def test_every_reason_for_which_a_handle_is_retired_is_in_the_document():
    text = (ROOT / "docs" / "host-contract.md").read_text()
    words = {
        "changed": "changed in place", "died": "its object died", "superseded": "another value was recorded",
        "unstable": "broke too often", "lost": "the program no longer has the old value", "unwatchable": "then refused",
        "ambiguous": "may equal any name", "class": "`module.__class__ = ...`",
        "bases": "has an `mro()` of its own | retires", "saturated": "255 of its assumptions are broken",
    }  # fmt: skip
    assert set(words) == set(depwatch._core.CAUSES)
    assert [cause for cause, phrase in words.items() if phrase not in text] == []


def test_the_names_that_keep_breaking_are_counted_as_in_the_corpus():
    programs, changes = collections.defaultdict(set), collections.Counter()
    for trace in json.loads((ROOT / "benchmarks" / "results" / "corpus-3.13.0.json").read_text())["traces"]:
        for facet in trace["facets"]:
            if facet["breaks"]:
                programs[facet["facet"]].add(trace["title"])
                changes[facet["facet"]] += facet["changes"]
    rows = re.findall(
        r"^\| `([\w.]+)` \| (\d+) \| ([\d,]+) \|", (ROOT / "docs" / "patterns.md").read_text(), re.MULTILINE
    )
    assert len(rows) > 10
    assert rows == [(name, str(len(programs[name])), f"{changes[name]:,}") for name, _, _ in rows]


def test_the_page_of_the_python_api_has_every_public_name_once():
    named = re.findall(
        r"^\.\. (?:auto|py:)\w+:: depwatch\.(\w+)$", (ROOT / "docs" / "python-api.md").read_text(), re.MULTILINE
    )
    assert sorted(named) == sorted(depwatch.__all__)


ENTRY_VERSIONS = ("3.12", "3.13", "3.14", "3.15")
ENTRY = {
    "a plain call f(1) of a Python function, specialised by CPython": "plain call",
    "through an entry, to a Python function": "through an entry, to a Python function that does the same",
    "through an entry, to a built-in": "through an entry, to a built-in",
    "entry whose handle is not valid": "through an entry whose handle is not valid",
    "after remove()": "after `remove()`",
    "method o.m(1) through an entry": "a method, through an entry",
}


def table_of_entries():
    """docs/install.md, "What it costs", from the results of ./dev bench entry."""
    paths = [(ROOT / "benchmarks" / "results").glob(f"entry-{version}.*.json") for version in ENTRY_VERSIONS]
    results = [json.loads(next(found).read_text()) for found in paths]
    ns = [{row["case"]: row["value"]["median"] for row in result["rows"]} for result in results]
    lines = [" | ".join(["", *ENTRY_VERSIONS]), "|".join(["---"] * (1 + len(ns)))]
    for case, words in ENTRY.items():
        plain = [each[next(iter(ENTRY))] for each in ns]
        cells = [
            f"{each[case]:.0f}" + ("" if words == "plain call" else f", {each[case] / base:.1f} ×")
            for each, base in zip(ns, plain, strict=True)
        ]
        lines.append(" | ".join([words, *cells]))
    installs = [next(n for case, n in each.items() if case.startswith("install(), ")) for each in ns]
    lines.append(" | ".join(["`install()`, µs", *(f"{n:.0f}" for n in installs)]))
    return "\n".join(f"| {line} |".replace("|  |", "| |") for line in lines)


def test_the_costs_of_an_entry_are_those_of_the_results():
    assert table_of_entries() in (ROOT / "docs" / "install.md").read_text()


def test_every_page_is_in_the_table_of_contents_of_the_site():
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    contents = re.findall(
        r"^```\{toctree\}\n(.*?)^```", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE | re.DOTALL
    )
    listed = [line for each in contents for line in each.splitlines() if line and not line.startswith(":")]
    assert len(listed) == len(set(listed))
    assert pages - set(listed) == {"index"}


def test_the_table_of_libraries_under_patch_is_that_of_the_benchmark():
    results = json.loads((ROOT / "benchmarks" / "results" / "numba_libraries-3.13.0.json").read_text())
    costs = {row["case"]: row["ratio"]["median"] for row in results["rows"] if row["ratio"]}
    measured = [
        (*name.rsplit("-", 1), f"{found['functions'] - sum(found['refused'].values())}", f"{found['functions']}")
        for name, found in results["libraries"].items()
    ]
    page = (ROOT / "docs" / "numba.md").read_text()
    told = re.findall(r"^\| (\w+) ([\d.]+) \|[^|]*\| (\d+) of (\d+) \|[^|]*\| ([\d.]+) \|$", page, re.MULTILINE)
    assert [row[:4] for row in told] == measured
    assert [row[4] for row in told] == [f"{cost:.2f}" for cost in costs.values()]
