"""What each facet did to which functions: all that was dropped by facet and compiled again belongs to one."""

from building import Building, hot_function
from hypothesis import given, settings
from replaying import replay
from test_engine import traces


@settings(max_examples=50, deadline=None)
@given(traces())
def test_what_was_compiled_again_is_told_of_facets_once(building: Building) -> None:
    building.end()
    found = replay(building, hot_after=(10,))
    (by_facet,) = (entry["whole"] for entry in found["policies"] if entry["policy"] == "bulk_by_facet")
    assert sum(facet["recompiled"] for facet in found["facets"]) == by_facet["recompiled"]
    assert sum(facet["dropped"] for facet in found["facets"]) == by_facet["dropped"]


def test_code_that_is_never_called_again_loses_no_time() -> None:
    building, module, rate, function = hot_function()
    building.change(module, [(rate, 1)])
    building.drain()
    building.calls(function, 60)
    building.change(module, [(rate, 2)])
    building.end()
    (facet,) = replay(building)["facets"]
    assert (facet["dropped"], facet["recompiled"]) == (2, 1)


def test_functions_are_told_in_the_order_of_what_was_dropped_of_them() -> None:
    building = Building()
    module = building.object()
    rate = building.facet(module)
    seldom, often = building.function("a_seldom"), building.function("often")
    for function in (seldom, often):
        building.calls(function, 9)
        building.resolved(function, [{"facet": rate}])
        building.calls(function, 91)
    for number in (1, 2, 3):
        building.change(module, [(rate, number)])
        building.drain()
        building.calls(often, 60)
    building.end()
    (facet,) = replay(building)["facets"]
    assert facet["functions"] == ["often", "a_seldom"]


def test_how_a_facet_changed_is_told_by_values_returns_types_and_deeds() -> None:
    building, module, rate, _ = hot_function()
    for value, deed in ((1, "modified"), (0, "modified"), (1, "modified"), (-1, "deleted"), (2, "added")):
        building.change(module, [(rate, value)], type=deed)
        building.drain()
    building.end()
    (facet,) = replay(building)["facets"]
    assert (facet["changes"], facet["values"], facet["returns"]) == (5, 4, 2)
    assert (facet["types"], facet["deeds"]) == (["int"], ["modified", "added", "deleted"])
