"""What the prices of a compiler are reported to be, and that depwatch's own list of prices says the same."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

import prices as bench
from corpus.entries import Chosen, load
from corpus.peers import Found, Peer, in_turn
from depwatch.compare.replay.prices import PRICES, load_prices
from support import ROOT

RESULTS = ROOT / "benchmarks" / "results"


class Fake(Peer):
    name = "fake"
    has_none = {"patch": "nothing is rewritten"}


FOUND: dict[str, Found] = {
    "a": {"recompile": [("f", 10.0), ("g", 20.0), ("g", 40.0)], "guards of a function": [("f", 3)]},
    "b": {"recompile": [("f", 30.0), ("h", 50.0)]},
}


def test_prices_are_quartiles_of_pieces_and_functions_are_counted_once_a_program(tmp_path: Path) -> None:
    report = bench.reported(Fake(tmp_path), FOUND, {"c": "failed"})
    recompile = report["prices"]["recompile"]
    assert recompile == {"pieces": 5, "functions": 4, "ns": [10.0, 20.0, 30.0, 40.0, 50.0]}
    assert report["prices"]["guards of a function"]["number"] == [3.0] * 5
    assert report["prices"]["patch"] == {"none": "nothing is rewritten"}
    assert report["programs"] == {"a": {"recompile": 3, "guards of a function": 1}, "b": {"recompile": 2}}


def test_there_are_enough_when_each_price_that_there_is_has_a_hundred_functions() -> None:
    none: dict[str, Any] = {"patch": {"none": "why"}}
    assert bench.enough(none | {"guard": {"functions": 100}})
    assert not bench.enough(none | {"guard": {"functions": 99}, "recompile": {"functions": 500}})


def test_programs_are_taken_in_turn_of_how_they_were_chosen() -> None:
    entries = load(ROOT / "benchmarks" / "corpus.toml").entries
    order = in_turn(entries)
    assert [entry.chosen for entry in order[:6]] == [*Chosen, *Chosen]
    assert sorted(entry.name for entry in order) == sorted(entry.name for entry in entries)


@pytest.mark.parametrize("peer", ["numba", "cinderx", "cpython"])
def test_the_list_of_prices_has_the_medians_that_were_measured(peer: str) -> None:
    measured = json.loads((RESULTS / f"prices-{peer}.json").read_text(encoding="utf-8"))["prices"]
    ours = load_prices()[peer]
    for price in PRICES:
        found = measured.get(price, {})
        if "ns" in found:
            assert math.isclose(getattr(ours, price), found["ns"][2], rel_tol=0.01), price
            assert price not in ours.assumed
        elif "none" in found:
            assert price in ours.assumed, f"{peer} has no {price}, so what the list has is assumed"


@pytest.mark.parametrize("peer", ["numba", "cinderx", "cpython"])
def test_each_price_was_measured_on_a_hundred_functions(peer: str) -> None:
    report = json.loads((RESULTS / f"prices-{peer}.json").read_text(encoding="utf-8"))
    measured = {name: report["prices"].get(name, {}) for name in (*PRICES, "invalidation")}
    functions = {name: price["functions"] for name, price in measured.items() if "functions" in price}
    assert len(functions) >= 4
    assert {name: number for name, number in functions.items() if number < 100} == {}
