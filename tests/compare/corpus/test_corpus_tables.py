"""The tables of docs/verdict.md, from results that are made here."""

from typing import Any

import pytest

from corpus.entries import CorpusError
from corpus.lifecycle import lifecycle
from corpus.memory import keeps, memory
from corpus.tables import chosen, costs, executed, explained, filters, paid, policies, programs, units
from corpus.verdict import filled
from depwatch.compare.policies import POLICIES

COUNTS = ("dropped", "needlessly", "resumed", "recompiled", "patches", "unguarded")
PRICE = 2_000_000_000  # ns: what each drop costs


def run(dropped: int) -> dict[str, Any]:
    none = dict.fromkeys(COUNTS, 0) | {"cost": {"own": 0}}
    some = none | {"dropped": dropped, "recompiled": dropped, "cost": {"own": PRICE * dropped}}
    return {
        "hot_functions": 10,
        "broken": 1,
        "held": 99,
        "policies": {name: some if "bulk" in name else none for name in POLICIES},
    }


def program(title: str, how: str, *dropped: int) -> dict[str, Any]:
    return {"title": title, "chosen": how, "kind": "quiet", "runs": [run(number) for number in dropped]}


RESULTS = {
    "prices": {"own": {}},
    "traces": [
        program("steady", "hand", 10, 10, 10),
        program("wild", "rank", 1000, 3000, 2000),
        program("small", "rank", 4),
        program("none", "pyperformance", 0),
    ],
}


def row(table: str, name: str) -> list[str]:
    (found,) = (line for line in table.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in found.strip("|").split("|")][1:]


def test_a_sum_comes_with_the_program_in_the_middle_and_the_three_largest() -> None:
    assert row(policies(RESULTS), "bulk by facet") == ["2,014 · 7 · 100%", "0", "0", "2,014 · 7 · 100%", "0", "0"]
    assert row(policies(RESULTS), "healing (depwatch)") == ["0"] * 6
    assert row(costs(RESULTS), "bulk by facet") == ["4,028.00 s · 14.00 s · 100%"]


def test_programs_are_told_apart_by_how_they_were_chosen() -> None:
    assert [line.split(" | ")[:2] for line in chosen(RESULTS).splitlines()[2:]] == [
        ["| hand", "1"],
        ["| pyperformance", "1"],
        ["| rank", "2"],
    ]
    assert row(chosen(RESULTS), "rank")[1] == "2,004 · 1,002 · 100%"


def test_runs_that_differ_have_a_range_and_other_versions_a_column_each() -> None:
    table = programs(RESULTS, {"3.14.1": {"traces": [program("wild", "rank", 7)]}})
    assert table.splitlines()[0].endswith("| by object, 3.14.1 |")
    assert row(table, "wild")[4:] == ["1", "2,000 (1,000–3,000)", "2,000 (1,000–3,000)", "0", "7"]
    assert row(table, "steady")[4:] == ["1", "10", "10", "0", "–"]


COUNTED = {
    "made": 9,
    "dropped": 2,
    "dropped otherwise": 1,
    "dropped at the end": 6,
    "dependencies": [1, 2, 3, 4, 5],
    "dropped by mistake": 0.25,
}
WHY = {
    "executors": {"first, in a hot function": 4, "first, elsewhere": 1, "at an exit": 3, "again": 1},
    "hot functions in which none begins": {"rarely": 14, "often": 2},
}
EXECUTORS = {
    "programs": {
        "go": {
            "chosen": "hand",
            "predicted": {
                "made": 25,
                "dropped": 5,
                "hot functions": 20,
                "dependencies": [1, 1, 6, 7, 8],
                "as hot as for the JIT": {"made": 7, "dropped": 0},
            },
            "counted": COUNTED,
            "explained": WHY,
        }
    }
}


def test_units_without_results_have_no_row_and_those_of_the_jit_have_theirs() -> None:
    assert len(units(RESULTS, None).splitlines()) == 2
    assert row(units(RESULTS, EXECUTORS), "a trace of CPython 3.15's JIT")[3] == "3, at most 5"


def test_what_was_predicted_of_executors_stands_beside_what_was_counted() -> None:
    assert row(executed(EXECUTORS), "go") == ["hand", "25", "7", "9", "5", "0", "2", "1", "6", "6", "3", "0.2"]
    assert row(explained(EXECUTORS), "go") == ["hand", "20", "14", "2", "4", "1", "3", "1"]


def test_a_price_has_its_quartiles_and_one_that_is_not_there_its_reason() -> None:
    prices = {
        "recompile": {"functions": 1200, "ns": [900.0, 1_000.0, 25_500.0, 3e6, 2e9]},
        "cold_call": {"functions": 7, "ns": [-1_500.0, -0.25, 0.0, 12.34, 999.6]},
        "guards of a function": {"functions": 3, "number": [1, 2, 3, 4, 5]},
        "patch": {"none": "nothing is rewritten"},
    }
    lines = [line.strip("| ").split(" | ") for line in paid([{"peer": "jit", "prices": prices}]).splitlines()[2:]]
    assert lines == [
        ["jit", "recompile", "1,200", "900 ns", "1 µs", "25.5 µs", "3 ms", "2 s"],
        ["jit", "cold call", "7", "-1.5 µs", "-0.25 ns", "0 ns", "12.3 ns", "1,000 ns"],
        ["jit", "guards of a function", "3", "1", "2", "3", "4", "5"],
        ["jit", "patch", "has none: nothing is rewritten", *"–––––"],
    ]


def test_a_filter_with_many_dependencies_answers_yes_to_nearly_all() -> None:
    calculated = [line.split(" | ")[1] for line in filters().splitlines()[2:]]
    assert calculated == ["0.00%", "22.09%", "98.54%"]


def test_a_page_gets_its_tables_where_it_says_so_and_nowhere_else() -> None:
    page = "a\n<!-- table: one -->\nold\n<!-- end of table -->\nb\n"
    new = "a\n<!-- table: one -->\n\nNEW\n\n<!-- end of table -->\nb\n"
    assert filled(page, {"one": "NEW"}) == new
    assert filled(new, {"one": "NEW"}) == new
    with pytest.raises(CorpusError, match="no table is called 'one'; there are two"):
        filled(page, {"two": ""})


def test_memory_is_that_of_units_dependencies_and_facets_as_measured() -> None:
    measured = {
        "a handle of commit_many(), its 3 dependencies included": 50.0,
        "a facet of 1,000 of one dict that one recorder has read: its record": 200.0,
        "a value cell, beside its handle and facet": 100.0,
    }
    index = {"depwatch itself: resident memory for a dependency": 5.0}
    found = keeps(results_of(measured), results_of(index))
    assert [(each.unit, each.dependency, each.facet) for each in found] == [
        *((32.0, 0, 0), (35.0, 5.0, 200.0), (35.0, 5.0, 200.0), (35.0, 105.0, 200.0))
    ]
    small, large = (
        {"hot_functions": functions, "dependencies": 10 * functions, "facets": 5 * functions} for functions in (10, 100)
    )
    made = memory({"traces": [{"totals": {"whole": each}} for each in (small, large, small)]}, found)
    assert made.splitlines()[3:] == [
        "| bulk by object, exact: at most as by facet | 35 B | 5 B | 200 B | 130 kB | 11 kB | 108 kB |",
        "| bulk by facet, healing: depwatch’s index | 35 B | 5 B | 200 B | 130 kB | 11 kB | 108 kB |",
        "| granular: the index, and a cell for each place | 35 B | 105 B | 200 B | 250 kB | 21 kB | 208 kB |",
    ]


def test_lifecycle_is_told_for_each_kind_of_function_and_each_that_hears() -> None:
    rows = [
        {"case": f"{kind} made and dropped, {who}", "base": {"median": 100.0}, "ratio": {"median": ratio}}
        for kind in ("function", "closure", "generator expression", "comprehension")
        for who, ratio in (("nobody hears", 1.0), ("a callback hears", 8.5))
    ]
    made = lifecycle({"rows": [{"case": "another row"}, *rows]}).splitlines()
    assert made[0] == "| made and dropped | no watcher | nobody hears | a callback hears |"
    assert made[2:] == [
        f"| {title} | 100 ns | 1.00 × | 8.50 × |"
        for title in (
            *("`def` in a loop", "a closure", "a generator expression, run"),
            "a list comprehension (no function since 3.12)",
        )
    ]


def results_of(medians: dict[str, float]) -> dict[str, Any]:
    return {"rows": [{"case": case, "value": {"median": median}} for case, median in medians.items()]}
