"""What the documents show is so."""

import doctest
import sys

import pytest

import depwatch
from depwatch.compare.counts import COUNTS
from support import NO_JAX, NO_NUMBA, ROOT

WITH_EXAMPLES = [path for path in sorted((ROOT / "docs").glob("*.md")) if ">>>" in path.read_text()]


@pytest.mark.parametrize("document", WITH_EXAMPLES, ids=lambda path: path.name)
def test_the_examples_run_as_shown(document):
    if document.name == "numba.md" and sys.version_info >= NO_NUMBA:
        pytest.skip("numba has no release for this CPython")
    if document.name == "jax.md" and sys.version_info >= NO_JAX:
        pytest.skip("JAX has no release for this CPython")
    failed, run = doctest.testfile(str(document), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8")
    assert (failed, run > 0) == (0, True)


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
