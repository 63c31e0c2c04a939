"""What a replay says of the program: totals, facets, causes, the timeline, lifetimes."""

from building import Building
from replaying import replay

from depwatch.compare.replay.findings import phases

SECOND = 1_000_000_000


def program() -> Building:
    """A test harness changes RATE twice and puts it back once; a library changes SIZE, on which nobody depends."""
    building = Building()
    building.metadata["command"] = ["-m", "pytest", "-q"]
    module = building.object(name="program", file="<program>/program.py")
    rate = building.facet(module, "RATE")
    function = building.function()
    building.calls(function, 9)
    building.resolved(function, [{"facet": rate}])
    building.passes(SECOND)
    building.calls(function, 91)
    building.tick(others=7)
    building.passes(2 * SECOND)
    building.change(module, [(rate, 1)], file="<stdlib>/unittest/mock.py", line=3)
    building.drain()
    building.passes(3 * SECOND)
    building.change(module, [(rate, 0)], file="<stdlib>/unittest/mock.py", line=4)
    building.change(module, file="<site>/attrs/core.py", line=5)
    building.drain()
    building.passes(4 * SECOND)
    building.change(module, [(rate, 2)], file="<stdlib>/unittest/mock.py", line=3)
    building.drain()
    building.end(others=20)
    return building


def test_the_worst_facets_and_objects_are_ranked_by_what_they_drop_without_a_cap() -> None:
    """COUNT changes nine times, RATE eight times; each time all are compiled again. By object both are in one."""
    building = Building()
    module, home = building.object(name="program"), building.object("type", name="Config")
    count, rate, flag = building.facet(module, "COUNT"), building.facet(module, "RATE"), building.facet(home, "flag")
    functions = []
    for facet in (count, rate, flag):
        functions.append(building.function())
        building.calls(functions[-1], 9)
        building.resolved(functions[-1], [{"facet": facet}])
        building.calls(functions[-1], 91)
    for number, (facet, place) in enumerate([(count, module)] * 9 + [(rate, module)] * 8 + [(flag, home)], 1):
        building.change(place, [(facet, number)])
        building.drain()
        for function in functions:
            building.calls(function, 60)
    building.end()
    found = replay(building)
    facets = [(row["facet"], row["dropped"], row["breaks"]) for row in found["facets"]]
    assert facets == [("program.COUNT", 9, 6), ("program.RATE", 8, 6), ("Config.flag", 1, 1)]
    objects = [(row["object"], row["changes"], row["dropped"], row["needlessly"]) for row in found["objects"]]
    assert objects == [("program", 17, 34, 17), ("Config", 1, 1, 0)]


def test_totals_of_the_start_up_and_the_rest_add_up_to_the_whole() -> None:
    totals = replay(program())["totals"]
    names = ("calls", "functions", "hot_functions", "facets", "dependencies", "changes")
    assert totals["whole"] == dict(zip(names, (120, 1, 1, 1, 1, 4), strict=True))
    assert totals["startup"] == dict(zip(names, (107, 1, 1, 1, 1, 0), strict=True))
    assert totals["rest"] == dict(zip(names, (13, 0, 0, 0, 0, 4), strict=True))


def test_the_facets_that_broke_most_are_told_with_where_and_by_whom() -> None:
    assert replay(program())["facets"] == [
        {
            "facet": "program.RATE",
            "kind": "global",
            "home": "<program>/program.py",
            "changes": 3,
            "values": 3,
            "returns": 1,
            "types": ["int"],
            "deeds": ["modified"],
            "dropped": 1,
            "needlessly": 0,
            "recompiled": 0,
            "breaks": 2,
            "restores": 1,
            "handles_hit": 2,
            "file": "<stdlib>/unittest/mock.py",
            "line": 3,
            "cause": "the test harness",
            "functions": ["cost"],
            "more_functions": 0,
        }
    ]


def test_causes_are_the_harness_the_libraries_and_the_program() -> None:
    assert replay(program())["causes"] == {
        "the test harness": {"changes": 3, "breaks": 2, "handles_hit": 2},
        "library attrs": {"changes": 1, "breaks": 0, "handles_hit": 0},
    }


def test_the_timeline_has_a_hundred_bins() -> None:
    timeline = replay(program())["timeline"]
    assert (len(timeline["edges"]), timeline["edges"][0], timeline["edges"][-1]) == (101, 0.0, 10.0)

    def filled(counts: list[int]) -> dict[int, int]:
        assert len(counts) == 100
        return {at: count for at, count in enumerate(counts) if count}

    assert filled(timeline["changes"]) == {30: 1, 60: 2, 99: 1}
    assert filled(timeline["breaks"]) == {30: 1, 99: 1}
    assert filled(timeline["dropped"]["healing"]) == {30: 1, 99: 1}
    assert filled(timeline["dropped"]["bulk_by_object"]) == {30: 1}


def test_dependencies_are_told_by_how_long_they_held() -> None:
    lifetimes = replay(program())["lifetimes"]
    assert len(lifetimes["edges"]) == len(lifetimes["broken"]) + 1 == len(lifetimes["still_held"]) + 1
    assert (sum(lifetimes["broken"]), sum(lifetimes["still_held"])) == (2, 0)
    assert lifetimes["edges"][0] <= 2.5 <= lifetimes["edges"][-1]


def test_a_trace_that_was_cut_is_replayed_as_far_as_it_goes() -> None:
    building = program()
    building.rows = building.rows[:-2]
    replayed = replay(building)
    assert (replayed["complete"], replayed["exit"]) == (False, None)
    assert replayed["totals"]["whole"]["changes"] == 4


def test_an_empty_trace_is_replayed() -> None:
    building = Building()
    building.end()
    replayed = replay(building)
    assert set(replayed["totals"]["whole"].values()) == {0}
    assert (replayed["facets"], replayed["causes"]) == ([], {})
    assert {entry["unrelated_drops"] for entry in replayed["policies"]} == {0}


def test_the_start_up_has_no_more_of_anything_than_the_whole() -> None:
    found = phases({"dropped": 5, "cold_calls": 100}, {"dropped": 2, "cold_calls": 130})
    assert found["startup"] == {"dropped": 2, "cold_calls": 100}
    assert found["rest"] == {"dropped": 3, "cold_calls": 0}
