"""What is drawn, in numbers."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from depwatch.compare.replay.result import Replay
from depwatch.compare.report.contents import Contents
from depwatch.compare.report.plots import EXTENT, chart, strip
from depwatch.compare.report.sweeps import Sweep
from pages.made import PRICES, replay


def sweep(*curve: tuple[float, float, float], break_even: float | None = None, **more: Any) -> Sweep:
    named = {"a": "bulk_by_facet", "b": "granular", "price": "recompile", "others": "numba"} | more
    return Sweep(**named, break_even=break_even, curve=list(curve))


def test_a_strip_has_a_bar_for_each_run_of_equal_bins_and_shows_the_least_of_them() -> None:
    made = strip("breaks", [0, 1000, 1000, 1, 0, 500])
    assert (made.total, made.peak, made.bins) == (2501, 1000, 6)
    assert made.path == "M1 100v-100h2v100zM3 100v-4h1v4zM5 100v-50h1v50z"


def test_strips_can_share_a_scale() -> None:
    assert strip("dropped", [5, 10], peak=20).path == "M0 100v-25h1v25zM1 100v-50h1v50z"


def test_strips_of_nothing_are_empty() -> None:
    assert [strip("breaks", bins).path for bins in ([], [0], [0, 0])] == ["", "", ""]


def test_a_chart_is_logarithmic_and_marks_the_break_even_and_the_price_in_the_list() -> None:
    made = chart(sweep((1, 1, 100), (100, 100, 100), break_even=10), listed=1000)
    assert made is not None
    margin = round(EXTENT * 0.04 / 1.08)
    assert made.a == f"{margin},{EXTENT - margin} {EXTENT - margin},{margin}"
    assert made.b == f"{margin},{margin} {EXTENT - margin},{margin}"
    assert (made.break_even, made.listed) == (50, None)


def test_ticks_are_powers_of_ten_that_do_not_touch() -> None:
    for end in (1e2, 1e5, 1e9, 1e20):
        made = chart(sweep((1, 1, 1), (end, end, end)), None)
        assert made is not None
        places = [tick.at for tick in made.x_ticks]
        assert 2 <= len(places) <= 5
        assert all(b - a > 20 for a, b in pairwise(places)), made.x_ticks
    narrow = chart(sweep((2, 3, 3), (4, 3, 3)), None)
    assert narrow is not None and len(narrow.x_ticks) == len(narrow.y_ticks) == 2


@pytest.mark.parametrize("curve", [[], [(1, 1, 1)], [(0, 1, 1), (1, 1, 1)], [(1, 0, 0), (2, 0, 0)]])
def test_what_has_no_logarithm_is_not_drawn(curve: list[tuple[float, float, float]]) -> None:
    assert chart(sweep(*curve), None) is None


def test_which_policy_is_cheaper_is_read_off_the_curve() -> None:
    contents = Contents(msgspec.convert(replay(1), Replay), [])
    cases = {
        ((1.0, 5.0, 9.0), (20.0, 100.0, 9.0)): ("bulk by facet", "granular (A)"),
        ((1.0, 9.0, 5.0), (20.0, 9.0, 100.0)): ("granular (A)", "bulk by facet"),
        ((1.0, 5.0, 9.0),): ("bulk by facet", "granular (A)"),
        ((20.0, 5.0, 9.0),): ("granular (A)", "bulk by facet"),
        ((1.0, 5.0, 5.0),): ("–", "–"),
        (): ("–", "–"),
    }
    for curve, titles in cases.items():
        assert contents.cheaper(sweep(*curve, break_even=10)) == titles, curve


def test_the_dispute_is_drawn_first_and_whether_or_not_it_is_settled() -> None:
    contents = Contents(msgspec.convert(replay(1), Replay), [])
    assert [({drawn.sweep.a, drawn.sweep.b}, drawn.sweep.others) for drawn in contents.charts] == [
        ({one, "granular"}, prices) for one in ("healing", "bulk_by_object") for prices in PRICES
    ]
    assert {drawn.sweep.price for drawn in contents.charts} == {"recompile"}


def lives(*lifetimes: tuple[list[float], list[int], list[int]]) -> Any:
    data = replay(len(lifetimes), variants=False)
    for trace, (edges, broken, held) in zip(data["traces"], lifetimes, strict=True):
        trace["lifetimes"] = {"edges": edges, "broken": broken, "still_held": held}
    return Contents(msgspec.convert(data, Replay), []).lives


def test_lifetimes_of_several_programs_are_added_where_their_bins_fit() -> None:
    nothing = ([77.0, 78.0], [0], [0])
    added = lives(([1.0, 2.0, 4.0], [1, 2], [0, 5]), ([2.0, 4.0, 8.0], [3, 0], [0, 7]), nothing)
    assert [(each.total, each.peak, each.bins) for each in added.strips] == [(6, 5, 3), (12, 7, 3)]
    assert (added.broken, added.dependencies, added.median) == (6, 18, "4\u00a0s")
    assert [tick.text for tick in added.ticks] == ["1\u00a0s", "2\u00a0s", "4\u00a0s", "8\u00a0s"]
    assert lives(([1.0, 4.0], [1], [0]), ([2.0, 4.0, 8.0], [3, 0], [0, 7])) is None
    assert lives(nothing).dependencies == 0


def test_all_that_is_drawn_is_small() -> None:
    text = json.dumps([strip("changes", [number % 7 for number in range(100)]).path])
    assert len(text) < 2500
