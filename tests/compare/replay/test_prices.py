"""Prices: the lists that come with depwatch, one's own, and where two policies break even."""

from pathlib import Path

import pytest

from depwatch.compare.replay.prices import PRICES, PriceError, Prices, load_prices
from depwatch.compare.replay.sweep import break_even, sweep

LIST = Prices(recompile=1000.0, patch=10.0, deopt=5.0, guard=0.5, revalidation=2.0, cold_call=20.0)
NOTHING = dict.fromkeys(("recompiled", "patches", "deopts", "deopt_calls", "guards", "revalidations", "cold_calls"), 0)
BULK = NOTHING | {"recompiled": 3, "cold_calls": 150}
GRANULAR = NOTHING | {"patches": 4, "deopts": 1, "deopt_calls": 7, "guards": 1000}


def test_a_policy_costs_what_it_counted_times_the_prices() -> None:
    assert LIST.cost(BULK) == 3 * 1000 + 150 * 20
    assert LIST.cost(GRANULAR) == 5 * 10 + 7 * 5 + 1000 * 0.5
    assert LIST.cost(NOTHING | {"revalidations": 6}) == 12


def test_the_lists_that_come_with_depwatch_are_whole() -> None:
    lists = load_prices()
    assert list(lists) == ["numba", "cinderx", "cpython"]
    assert all(getattr(prices, price) > 0 for prices in lists.values() for price in PRICES)
    assert all(prices.source for prices in lists.values())


def test_at_the_break_even_both_cost_the_same() -> None:
    for price in ("recompile", "patch", "guard"):
        even = break_even(BULK, GRANULAR, price, LIST)
        if even is not None:
            assert LIST.but(price, even).cost(BULK) == pytest.approx(LIST.but(price, even).cost(GRANULAR))
    assert break_even(BULK, GRANULAR, "patch", LIST) == pytest.approx((6000 - 535) / 5)
    assert break_even(BULK, GRANULAR, "recompile", LIST) is None  # granular is cheaper even if that cost nothing
    assert break_even(BULK, GRANULAR, "revalidation", LIST) is None  # both never do it


def test_a_sweep_has_a_line_for_each_pair_and_price_that_tells_them_apart() -> None:
    entries = sweep({"bulk": BULK, "granular": GRANULAR, "same": GRANULAR}, {"mine": LIST})
    assert [(entry["a"], entry["b"], entry["price"]) for entry in entries] == [
        ("bulk", other, price)
        for other in ("granular", "same")
        for price in ("recompile", "patch", "deopt", "guard", "cold_call")
    ]
    (entry,) = (entry for entry in entries if (entry["b"], entry["price"]) == ("granular", "guard"))
    assert (entry["others"], entry["break_even"]) == ("mine", 5.915)
    assert entry["curve"] == sorted(entry["curve"])
    assert [5.915, 6000, 6000] in entry["curve"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no list of prices: write [NAME] and recompile, patch, deopt, guard, revalidation, cold_call = ns"),
        ("mine = 1", "[mine] is 1, not a list of prices"),
        ("[mine]\nrecompile = 1", "[mine] has no patch: give it in ns, 0 if it costs nothing"),
        ("[mine]\nrecompil = 1", "[mine] has a price 'recompil'; there are: recompile, patch,"),
        ("[mine]\nrecompile = -1", "[mine] recompile is -1: it must be a number of ns, 0 or more"),
        ("[mine]\nrecompile = inf", "[mine] recompile is inf: it must be a number of ns, 0 or more"),
        ("[mine]\nrecompile = true", "[mine] recompile is True: it must be a number of ns, 0 or more"),
        ("[mine", "no prices can be read: "),
    ],
)
def test_a_file_of_prices_that_is_wrong_is_refused_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PriceError) as caught:
        load_prices(str(path))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert problem in message
    assert "\n" not in message


def test_a_missing_file_of_prices_is_named(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="no prices can be read: "):
        load_prices(str(tmp_path / "missing.toml"))
