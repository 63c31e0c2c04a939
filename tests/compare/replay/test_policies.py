"""What each policy counts for traces of a few rows, worked out by hand; functions are hot after 50 calls."""

import re

import pytest
from building import Building
from replaying import policies, replay

from depwatch.compare.counts import COUNTS
from depwatch.compare.policies import POLICIES
from support import ROOT

WARM = {"cold_calls": 50}


def hot(building: Building, *dependencies: dict[str, object], points: int = 3) -> int:
    function = building.function(points=points)
    building.calls(function, 9)
    building.resolved(function, dependencies)
    building.calls(function, 41)
    return function


def test_an_unrelated_change_drops_under_no_policy_that_knows_facets() -> None:
    building = Building()
    module = building.object()
    function = hot(building, {"facet": building.facet(module)})
    building.change(module)
    building.calls(function, 10)
    building.end()
    dropped = {"dropped": 1, "needlessly": 1, "undone": 1, "unrelated_drops": 1, "cold_calls": 60}
    assert policies(building) == {
        "bulk_by_object": dropped,
        "bulk_by_object_capped": dropped,
        "cpython": dropped,
        "revalidation": WARM | {"revalidations": 1},
        "bulk_by_facet": WARM,
        "jettison": WARM,
        "bulk_by_facet_capped": WARM,
        "healing": WARM,
        "granular": WARM | {"guards": 10},
        "granular_capped": WARM | {"guards": 10},
    }


def test_jettison_overwrites_the_invalidation_points_of_what_it_drops() -> None:
    building = Building()
    module = building.object()
    rate = building.facet(module)
    hot(building, {"facet": rate}, points=5)
    hot(building, {"facet": rate}, points=2)
    building.change(module, [(rate, 1)])
    building.end()
    found = policies(building)
    assert found["jettison"] == found["bulk_by_facet"] | {"patches": 7}
    assert found["bulk_by_facet"] == {"dropped": 2, "cold_calls": 100}


def test_a_place_that_cannot_be_patched_leaves_the_code_until_its_value_is_back() -> None:
    building = Building()
    module = building.object()
    helper = building.facet(module, "helper")
    function = hot(building, {"facet": helper, "patchable": False})
    building.change(module, [(helper, 1)])
    building.calls(function, 10)
    building.change(module, [(helper, 2)])
    building.calls(function, 5)
    building.change(module, [(helper, 0)])
    building.calls(function, 100)
    building.end()
    found = policies(building)
    assert found["granular"] == found["granular_capped"] == WARM | {"deopts": 1, "deopt_calls": 15}
    assert found["healing"] == {"cold_calls": 65}  # no drain saw it


def test_a_break_that_no_drain_has_seen_does_not_count() -> None:
    building = Building()
    module = building.object()
    rate = building.facet(module)
    function = hot(building, {"facet": rate})
    for _ in range(10):
        building.change(module, [(rate, 1)])
        building.change(module, [(rate, 0)])
        building.drain()
        building.calls(function, 1)
    building.end()
    assert policies(building)["healing"] == WARM


def test_a_break_that_a_drain_saw_and_that_is_undone_is_a_handle_resumed() -> None:
    building = Building()
    module = building.object()
    rate = building.facet(module)
    function = hot(building, {"facet": rate})
    building.change(module, [(rate, 1)])
    building.drain()
    building.calls(function, 3)
    building.change(module, [(rate, 0)])
    building.drain()
    building.calls(function, 100)
    building.end()
    assert policies(building)["healing"] == {"dropped": 1, "undone": 1, "resumed": 1, "cold_calls": 53}


def test_only_a_modification_is_trusted_before_the_drain_has_looked() -> None:
    building = Building()
    module = building.object()
    rate = building.facet(module)
    function = hot(building, {"facet": rate})
    building.change(module, [(rate, -1)], type="deleted")
    building.drain()
    building.change(module, [(rate, 0)], type="added")
    building.calls(function, 4)
    building.drain()
    building.calls(function, 100)
    building.end()
    assert policies(building)["healing"] == {"dropped": 1, "undone": 1, "resumed": 1, "cold_calls": 54}


def test_recording_another_value_retires_the_handles_that_wait_for_the_old_one() -> None:
    building = Building()
    module = building.object()
    rate = building.facet(module)
    often = hot(building, {"facet": rate})
    seldom = hot(building, {"facet": rate})
    building.change(module, [(rate, 1)])
    building.drain()
    building.calls(often, 50)
    building.calls(seldom, 1)
    building.change(module, [(rate, 0)])  # for the handle of seldom, this comes too late
    building.drain()
    building.calls(seldom, 10)
    building.end()
    assert policies(building)["healing"] == {"dropped": 3, "recompiled": 1, "cold_calls": 100 + 50 + 11}


def test_what_was_given_up_leaves_dependencies_without_a_guard() -> None:
    building = Building()
    module = building.object()
    rate, area = building.facet(module, "rate"), building.facet(module, "area")
    through = building.facet(building.object(), "pi")
    function = hot(building, {"facet": rate, "patchable": False}, {"facet": through, "via": rate}, {"facet": area})
    for value in (1, 2):
        building.change(module, [(rate, value)])
        building.drain()
        building.calls(function, 60)
    building.end()
    found = policies(building, give_up_after=(2,))
    assert found["bulk_by_facet_capped"]["unguarded"] == (2, 1)
    assert found["healing"]["unguarded"] == (2, 1)
    assert found["granular_capped"]["unguarded"] == (2, 1)
    assert found["bulk_by_object_capped"]["unguarded"] == (3, 1)  # the whole dict
    assert "unguarded" not in found["bulk_by_facet"]


def test_builtins_are_given_up_sooner_by_cpython_and_classes_never() -> None:
    building = Building()
    for type in ("builtins", "module", "type"):
        home = building.object(type)
        function = hot(building, {"facet": building.facet(home)})
        for _ in range(8):
            building.change(home)
            building.calls(function, 60)
    building.end()
    found = policies(building, policies=("cpython", "bulk_by_object_capped"))
    assert found["cpython"]["dropped"] == 3 + 6 + 8
    assert found["bulk_by_object_capped"]["dropped"] == 6 + 6 + 8
    assert found["cpython"]["unguarded"] == (2, 2)


def test_a_dict_is_given_up_by_the_changes_while_it_is_watched() -> None:
    """Each round: a compilation watches it, forty changes count one, the first of which drops."""
    building = Building()
    module = building.object()
    function = hot(building, {"facet": building.facet(module)})
    for _ in range(10):
        for _ in range(40):
            building.change(module)
        building.calls(function, 60)
    building.end()
    found = policies(building, policies=("bulk_by_object", "bulk_by_object_capped", "cpython"))
    assert [found[name]["dropped"] for name in found] == [10, 6, 6]


def test_a_dict_stays_watched_when_another_object_drops_the_code() -> None:
    building = Building()
    module, home = building.object(), building.object("type")
    function = hot(building, {"facet": building.facet(module)}, {"facet": building.facet(home)})
    for _ in range(8):
        building.change(home)
        building.change(module)  # drops nothing, and counts: the sixth one gives the module up
        building.calls(function, 60)
    building.change(module)
    building.end()
    found = policies(building, policies=("bulk_by_object", "bulk_by_object_capped", "bulk_by_facet_capped"))
    assert found["bulk_by_object"]["dropped"] == 9
    assert found["bulk_by_object_capped"]["dropped"] == 8
    assert found["bulk_by_object_capped"]["unguarded"] == (1, 1)


@pytest.mark.parametrize("kind", ["function", "type"])
def test_nothing_is_dropped_when_an_object_dies(kind: str) -> None:
    building = Building()
    helper = building.object(kind)
    function = hot(building, {"facet": building.facet(helper, "code", "function")})
    building.gone(object=helper)
    building.resolved(function, [])
    building.calls(function, 10)
    building.end()
    found = policies(building)
    assert all(counts["cold_calls"] == 50 and "dropped" not in counts for counts in found.values())


def test_undone_and_needless_in_the_moment_are_two_counts() -> None:
    """A reload: another name is written first, then RATE, which comes back before f is compiled again; and SIZE, which
    does not."""
    building = Building()
    module = building.object()
    rate, size = building.facet(module, "RATE"), building.facet(module, "SIZE")
    back = hot(building, {"facet": rate})
    other = hot(building, {"facet": size})
    building.change(module)
    building.change(module, [(rate, 1)])
    building.change(module, [(size, 1)])
    building.calls(back, 10)
    building.change(module, [(rate, 0)])
    building.calls(back, 60)
    building.calls(other, 60)
    building.end()
    found = policies(building)
    drops = {
        name: tuple(counts.get(count, 0) for count in ("dropped", "needlessly", "undone"))
        for name, counts in found.items()
    }
    assert drops["bulk_by_object"] == (2, 2, 1)
    assert drops["bulk_by_facet"] == (2, 0, 1)


def test_what_is_not_compiled_again_is_undone_if_its_values_are_there_in_the_end() -> None:
    building = Building()
    module = building.object()
    rate = building.facet(module)
    hot(building, {"facet": rate})
    dies = hot(building, {"facet": rate})
    building.change(module, [(rate, 1)])
    building.gone(function=dies)
    building.change(module, [(rate, 0)])
    building.end()
    found = policies(building, policies=("bulk_by_facet",))["bulk_by_facet"]
    assert (found["dropped"], found["undone"]) == (2, 1)


def test_moments_of_a_window_are_what_drops_and_not_its_changes() -> None:
    """Forty moments of ten changes, in each of three of which RATE changed; a hundred calls between two moments."""
    building = Building()
    module = building.object()
    rate = building.facet(module, "RATE")
    hot(building, {"facet": rate})
    function = hot(building, {"facet": building.facet(module, "SIZE")})
    building.calls(function, 39 * 100, module, 400)
    building.change(module, [(rate, 5)], count=400, moments=40, counts=[30], moments_of=[3])
    building.calls(function, 100)
    building.end()
    found = policies(building)
    assert found["bulk_by_object"]["dropped"] == 40 + 1
    assert found["bulk_by_facet"]["dropped"] == 1
    assert found["granular"]["patches"] == 30


def test_a_function_called_after_one_moment_of_a_window_looks_at_its_values_once() -> None:
    """In the middle of the window it finds another value, and after fifty calls it is made again."""
    building = Building()
    module = building.object()
    rate = building.facet(module, "RATE")
    function = hot(building, {"facet": rate})
    building.calls(function, 200, module, 40, moments=1)
    building.change(module, [(rate, 5)], count=40, moments=40, counts=[20], moments_of=[20])
    building.end()
    found = policies(building, policies=("revalidation",))["revalidation"]
    assert (found["dropped"], found["revalidations"], found["cold_calls"]) == (1, 2, 100)


def test_an_object_is_given_up_by_changes_between_those_that_drop_the_code() -> None:
    """One window of a class and a module, each at its own pace: the module's changes count while it is watched."""
    building = Building()
    module, home = building.object(), building.object("type")
    function = hot(building, {"facet": building.facet(module)}, {"facet": building.facet(home)})
    building.calls(function, 600, home, 12)
    building.change(home, count=12, moments=12)
    building.change(module, count=11, moments=11)
    building.end()
    found = policies(building, policies=("bulk_by_object", "bulk_by_object_capped"))
    assert found["bulk_by_object"]["dropped"] == 12
    assert found["bulk_by_object_capped"]["unguarded"] == (1, 1)


def test_a_filter_with_many_dependencies_takes_other_objects_for_them() -> None:
    building = Building()
    others = [building.object("type", f"other{i}") for i in range(200)]
    objects = [building.object("type", f"object{i}") for i in range(100)]
    hot(building, *({"facet": building.facet(each)} for each in objects))
    watchers = [hot(building, {"facet": building.facet(each)}) for each in others]
    for other in others:
        building.change(other)
    building.end()
    found = policies(building, policies=("bulk_by_object", "cpython"))
    assert found["bulk_by_object"]["dropped"] == len(watchers)
    assert found["cpython"]["false_drops"] >= 1
    assert found["cpython"]["dropped"] <= len(watchers) + 1  # the one with many; others at most in place of their own


def test_the_death_of_an_object_has_the_handle_made_anew_at_the_next_call() -> None:
    building = Building()
    first, second = building.object("type"), building.object("type")
    function = hot(building, {"facet": building.facet(first)})
    building.gone(object=first)
    building.change(first, type="cleared")
    area = building.facet(second)
    building.resolved(function, [{"facet": area}])
    building.calls(function, 10)
    building.change(second, [(area, 1)])
    building.calls(function, 10)
    building.drain()
    building.end()
    found = policies(building)
    assert found["bulk_by_object"] == found["bulk_by_facet"] == {"dropped": 1, "cold_calls": 60}
    assert found["healing"] == {"dropped": 1, "cold_calls": 60}


@pytest.mark.parametrize(("is_lost", "unguarded"), [(True, (0, 0)), (False, (2, 2))])
def test_breaks_count_while_a_handle_waits_and_not_once_what_it_waits_for_is_lost(
    is_lost: bool, unguarded: tuple[int, int]
) -> None:
    building = Building()
    module = building.object()
    rate, size = building.facet(module, "RATE"), building.facet(module, "SIZE")
    hot(building, {"facet": rate}, {"facet": size})
    building.change(module, [(rate, 1)])
    if is_lost:
        building.lost(rate, 0)
    building.drain()
    building.change(module, [(size, 1)])
    building.drain()
    hot(building, {"facet": size, "value": 1})
    building.change(module, [(size, 2)])
    building.drain()
    building.end()
    found = policies(building, policies=("healing",), give_up_after=(2,))["healing"]
    assert found["dropped"] == 2
    assert found.get("unguarded", (0, 0)) == unguarded


def test_keyword_defaults_that_change_inside_retire_the_handle_and_are_given_up() -> None:
    building = Building()
    helper = building.object("function")
    keywords = building.facet(helper, "kwdefaults", "function")
    function = hot(building, {"facet": keywords})
    for _ in range(3):
        building.change(helper, [(keywords, -2)])
        building.drain()
        building.calls(function, 50)
    building.end()
    found = policies(building, policies=("healing",), give_up_after=(2,))["healing"]
    assert found == {"dropped": 2, "recompiled": 2, "cold_calls": 150, "unguarded": (1, 1)}


def test_a_window_counts_as_many_changes_as_it_stands_for() -> None:
    """A million changes and a million calls: 50 cold calls, made, dropped by the next change."""
    building = Building()
    module = building.object()
    count = building.facet(module, "COUNT")
    function = hot(building, {"facet": count})
    building.calls(function, 1_000_000, module, 1_000_000)
    building.change(module, [(count, -2)], count=1_000_000)
    building.drain()
    building.end()
    found = policies(building)
    spread = ["dropped", "recompiled", "cold_calls"]
    bulk = {"dropped": 20_000, "recompiled": 19_999, "cold_calls": 50 + 999_999, "spread": spread}
    assert found["bulk_by_object"] == found["bulk_by_facet"] == bulk
    assert found["healing"]["dropped"] == found["bulk_by_facet_capped"]["dropped"] == 6
    assert found["granular"]["patches"] == 1_000_000
    assert found["granular_capped"]["patches"] == 6


def test_variants_are_replayed_in_the_order_in_which_they_were_asked_for() -> None:
    building = Building()
    module = building.object()
    function = hot(building, {"facet": building.facet(module)})
    building.change(module)
    building.calls(function, 500)
    building.end()
    options = {"policies": ("healing", "granular"), "hot_after": (500, 10), "give_up_after": (1, 100)}
    entries = replay(building, **options)["policies"]
    variants = [(entry["policy"], entry["hot_after"], entry["give_up_after"]) for entry in entries]
    assert variants == [
        ("healing", 500, 1),
        ("healing", 500, 100),
        ("healing", 10, 1),
        ("healing", 10, 100),
        ("granular", 500, None),
        ("granular", 10, None),
    ]
    assert [entry["whole"]["cold_calls"] for entry in entries] == [500, 500, 10, 10, 500, 10]


def test_the_page_on_replays_has_policies_and_counts_in_the_order_of_the_tables() -> None:
    page = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [*POLICIES, *COUNTS]
