"""What is kept of a program's runs: prices are applied when results are written, and runs do not depend on them."""

from dataclasses import replace
from typing import Any

from corpus.entries import load
from corpus.measured import fingerprint, priced
from depwatch.compare.replay.prices import PRICES, Prices, load_prices
from depwatch.compare.replay.run import Options
from support import ROOT

NONE = dict.fromkeys(("patches", "deopts", "deopt_calls", "guards", "revalidations", "cold_calls"), 0)
RUN: dict[str, Any] = {
    "title": "one",
    "policies": [{"policy": "healing", "whole": NONE | {"recompiled": 3, "guards": 7}, "cost": {"old": 1}}],
}
OWN = {"own": Prices(**dict.fromkeys(PRICES, 0.0) | {"recompile": 1000.0, "guard": 0.5})}


def test_a_run_that_is_kept_costs_what_it_costs_at_the_prices_of_now() -> None:
    found = priced(RUN, OWN)
    assert found["policies"][0]["cost"] == {"own": 3004}  # 3 * 1000 + 7 * 0.5, whole ns: to even
    assert found["title"] == "one" and RUN["policies"][0]["cost"] == {"old": 1}


def test_runs_are_kept_when_prices_change_and_not_when_what_is_replayed_does() -> None:
    corpus = load(ROOT / "benchmarks" / "corpus.toml")
    entry, usual = corpus.entries[0], Options()
    assert load_prices() != OWN
    assert fingerprint(corpus, entry, replace(usual, prices=OWN)) == fingerprint(corpus, entry, usual)
    assert fingerprint(corpus, entry, replace(usual, hot_after=(7,))) != fingerprint(corpus, entry, usual)
