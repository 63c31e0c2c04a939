"""Of the look-ups that CPython specialises hot code for, how many are followed, is counted as the program ends."""

import json
from pathlib import Path
from typing import Any

CENSUS = Path(__file__).parents[3] / "benchmarks" / "programs" / "census"
# The recorder looks at all classes for a small share of the time only: it may do so again after a while.
PROGRAM = """
import math, time
class Base:
    limit = 1
    def __init__(self): self.value = 1
    def work(self): return self.value
class Thing(Base):
    def __init__(self): super().__init__()
    @property
    def half(self): return 0.5
    def step(self): return self.work() + Thing.limit + math.pi + self.half + len("x")
def use(first):
    second = first
    second.value = 2
    return second.step()
def called(): return 1
def calls(what): return what()
def make():
    def inner(): return 1
    return inner()
def late(number):
    if number > 60:
        return math.tau
def main():
    for number in range(300):
        if number == 45: time.sleep(0.5)
        use(Thing()), calls(called), make(), late(number)
main()
"""


def test_all_kinds_of_look_ups_but_calls_of_closures_made_anew_are_followed(programs: Any) -> None:
    recorded = programs.run(PROGRAM)
    lookups = recorded.journal.json["lookups"]
    assert set(lookups) == {"attribute", "global", "call"}
    for kind in ("attribute", "global"):
        assert lookups[kind]["followed"] == lookups[kind]["sites"] >= 5
    call = lookups["call"]
    assert 4 <= call["followed"] < call["sites"] <= call["followed"] + 2  # on 3.12 inner() has a number of its own


def test_the_recorder_counts_as_a_census_apart_from_it_does(programs: Any) -> None:
    programs.environment |= {"PYTHONPATH": str(CENSUS), "DEPWATCH_CENSUS": str(programs.directory / "census.json")}
    lookups = programs.run(PROGRAM).journal.json["lookups"]
    rows = json.loads((programs.directory / "census.json").read_text())["counted"]
    for kind, counted in lookups.items():
        of_kind = [row for name, row in rows.items() if name.startswith(kind)]
        apart = [sum(column) for column in zip(*of_kind, strict=True)]
        assert list(counted.values()) == apart


def test_code_that_was_never_hot_has_no_look_ups_to_follow(programs: Any) -> None:
    recorded = programs.run("x = 1\nprint(len('x'))\n")
    assert all(counted["followed"] <= counted["sites"] for counted in recorded.journal.json["lookups"].values())
