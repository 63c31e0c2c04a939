"""What is counted for small programs, under every policy, worked out by hand.

(dropped, of these needlessly, resumed, recompiled, patches, deopts)

Each program is recorded, and its trace replayed; conftest.py checks that depwatch's own handles, which were there while
it ran, agree with the policy `healing`.
"""

import textwrap
from typing import Any

import pytest

NONE = (0, 0, 0, 0, 0, 0)


def table(observed: Any) -> dict[str, tuple[int, ...]]:
    """Nothing here rests on changes that are spread evenly."""
    assert all(entry["spread"] == [] for entry in observed.replay["policies"])
    drops: dict[str, tuple[int, ...]] = observed.drops()
    return drops


def rows(text: str) -> dict[str, tuple[int, ...]]:
    """A line has the counts of some policies, and the policies."""
    counts = {}
    for line in text.strip().splitlines():
        words = line.split()
        counts |= dict.fromkeys(words[6:], tuple(map(int, words[:6])))
    return counts


BY_OBJECT = ("bulk_by_object", "bulk_by_object_capped", "cpython")


def test_nothing_changes(programs: Any) -> None:
    observed = programs.observe("""
        RATE = 2
        def cost(x): return x * RATE
        for number in range(100): cost(number)
    """)
    counts = table(observed)
    for policy in BY_OBJECT:
        assert counts.pop(policy) == (1, 1, 0, 1, 0, 0)  # number is a name in the same dict
    assert set(counts.values()) == {NONE}
    assert observed.policy("bulk_by_object")["unrelated_drops"] == 1
    assert observed.policy("bulk_by_facet")["unrelated_drops"] == 0
    whole = observed.replay["totals"]["whole"]
    assert (whole["hot_functions"], whole["facets"], whole["dependencies"]) == (1, 1, 1)


def test_a_function_is_hot_after_fifty_calls(programs: Any) -> None:
    text = """
        def cost(x): return x
        def run(times):
            for number in range(times): cost(number)
        run({})
    """

    def hot(times: int, hot_after: int = 50) -> int:
        observed = programs.observe(text.format(times), hot_after=hot_after)
        return int(observed.replay["totals"]["whole"]["hot_functions"])

    assert (hot(49), hot(50), hot(10, hot_after=10)) == (0, 1, 1)


def test_one_change_of_one_global(programs: Any) -> None:
    """cost depends on RATE, other on SIZE; RATE changes once, and both are called 100 times more."""
    observed = programs.observe("""
        RATE, SIZE = 2, 3
        def cost(): return RATE
        def other(): return SIZE
        def run():
            global RATE
            for _ in range(100): cost(), other()
            RATE = 4
            for _ in range(100): cost(), other()
        run()
    """)
    assert table(observed) == rows("""
        2 1 0 2 0 0  bulk_by_object bulk_by_object_capped cpython
        1 0 0 1 0 0  revalidation bulk_by_facet jettison bulk_by_facet_capped healing
        0 0 0 0 1 0  granular granular_capped
    """)
    warm = observed.policy("granular")["cold_calls"]
    assert observed.policy("bulk_by_object")["cold_calls"] == warm + 100
    assert observed.policy("bulk_by_facet")["cold_calls"] == warm + 50
    assert observed.policy("healing")["cold_calls"] == warm + 50
    assert observed.replay["facets"] == [
        {
            "facet": "__main__.RATE",
            "kind": "global",
            "home": "<program>/program.py",
            "changes": 1,
            "values": 2,
            "returns": 0,
            "types": ["int"],
            "deeds": ["modified"],
            "dropped": 1,
            "needlessly": 0,
            "recompiled": 1,
            "breaks": 1,
            "restores": 0,
            "handles_hit": 1,
            "file": "<program>/program.py",
            "line": 8,
            "cause": "the program",
            "functions": ["cost"],
            "more_functions": 0,
        }
    ]
    assert observed.replay["causes"] == {"the program": {"changes": 1, "breaks": 1, "handles_hit": 1}}


def test_a_change_that_is_undone_before_the_next_call_costs_healing_nothing(programs: Any) -> None:
    observed = programs.observe("""
        import depwatch
        RATE, DOUBLE = 2, 4
        def cost(): return RATE
        def run():
            global RATE
            kept = RATE = object()
            for _ in range(100): cost()
            RATE = DOUBLE
            depwatch.drain()
            RATE = kept
            for _ in range(100): cost()
        run()
    """)
    assert table(observed) == rows("""
        1 0 0 1 0 0  bulk_by_object bulk_by_object_capped cpython bulk_by_facet jettison bulk_by_facet_capped
        0 0 0 0 0 0  revalidation
        1 0 1 0 0 0  healing
        0 0 0 0 2 0  granular granular_capped
    """)
    assert observed.policy("revalidation")["revalidations"] == 1
    assert observed.policy("healing")["cold_calls"] == observed.policy("granular")["cold_calls"]
    assert observed.policy("bulk_by_facet")["cold_calls"] == observed.policy("granular")["cold_calls"] + 50


def test_a_counter_that_changes_ten_times(programs: Any) -> None:
    """Each round: one change, and 60 calls of cost: 50 cold ones, then it is compiled again."""
    observed = programs.observe("""
        COUNT = 0
        def cost(): return COUNT
        def run():
            global COUNT
            for _ in range(60): cost()
            for number in range(10):
                COUNT += 1
                for _ in range(60): cost()
        run()
    """)
    assert table(observed) == rows("""
        10 0 0 10 0 0  bulk_by_object revalidation bulk_by_facet jettison
        6 0 0 6 0 0  bulk_by_object_capped cpython bulk_by_facet_capped healing
        0 0 0 0 10 0  granular
        0 0 0 0 6 0  granular_capped
    """)
    (worst,) = observed.replay["facets"]
    assert (worst["changes"], worst["breaks"], worst["restores"], worst["handles_hit"]) == (10, 6, 0, 6)


def test_unrelated_names_make_cpython_give_up_a_dict(programs: Any) -> None:
    """Six needless drops of cost by the other global; then its dict is given up, under CPython's rule."""
    observed = programs.observe("""
        RATE, OTHER = 2, 0
        def cost(): return RATE
        def run():
            global OTHER
            for _ in range(60): cost()
            for number in range(8):
                OTHER += 1
                for _ in range(60): cost()
        run()
    """)
    assert table(observed) == rows("""
        8 8 0 8 0 0  bulk_by_object
        6 6 0 6 0 0  bulk_by_object_capped cpython
        0 0 0 0 0 0  revalidation bulk_by_facet jettison bulk_by_facet_capped healing granular granular_capped
    """)


def test_one_key_of_one_dict_is_one_facet_by_whichever_path(programs: Any) -> None:
    """A global of a module, which another one reads as its attribute: both are given up after the same six changes."""
    programs.write("RATE = 0\ndef inside(): return RATE\n", "library.py")
    observed = programs.observe("""
        import library
        def outside(): return library.RATE
        def run():
            for _ in range(60): library.inside(), outside()
        def main():
            run()
            for number in range(8):
                library.RATE += 1
                run()
        main()
    """)
    counts = table(observed)
    assert counts["bulk_by_facet"] == (16, 0, 0, 16, 0, 0)
    assert counts["bulk_by_facet_capped"] == counts["healing"] == (12, 0, 0, 12, 0, 0)
    assert [row["facet"] for row in observed.replay["facets"]] == ["library.RATE"]


def test_methods_modules_builtins_and_called_functions(programs: Any) -> None:
    """use depends on: helper, its code and defaults, math, math.pi, len, and area on its argument's type."""
    observed = programs.observe("""
        import math
        def helper(x=1): return x
        class Base:
            def area(self): return 1
        class Shape(Base):
            pass
        def use(shape): return helper() + len("x") + math.pi + shape.area()
        def run(times, shape=Shape()):
            for _ in range(times): use(shape)
        run(60)
        math.e = 0                            # by object: needless
        run(60)
        helper.__defaults__ = (2,)
        run(60)
        helper.__code__ = (lambda x: 2 * x).__code__
        run(60)
        Base.other = 1                        # by object: needless
        run(60)
        Base.area = lambda self: 2            # found along the MRO
        run(60)
        Shape.area = lambda self: 3
        run(60)
        len = lambda x: 5                     # shadows the builtin; adds a name to the module
        run(60)
    """)
    counts = table(observed)
    assert counts["bulk_by_facet"] == (5, 0, 0, 5, 0, 0)
    assert counts["healing"] == (5, 0, 0, 5, 0, 0)
    assert counts["bulk_by_object"] == (7, 2, 0, 7, 0, 0)
    assert counts["granular"] == (
        0,
        0,
        0,
        0,
        1,
        4,
    )  # the code of helper and of area may be inlined: calls leave it there


CLASSES = {
    "an attribute of a class that a global names": ("Config.limit", "Config.limit += 1"),
    "an attribute of a class that is the first argument": ("Config.read()", "Config.limit += 1"),
    "that a class has no attribute of an instance": (
        "config.get()",
        "if i % 2: del Config.value\nelse: Config.value = values[0]",
    ),
    "a method of an object that a global names": ("config.work()", "Config.work = works[i % 2]"),
    "a method of an object that is no argument": ("local(plain)", "Config.work = works[i % 2]"),
    "an attribute that is stored in such an object": (
        "store(plain)",
        "if i % 2: del Config.other\nelse: Config.other = values[0].setter(setter)",
    ),
    "the code of a method that is called": ("config.step()", "Config.work.__code__ = codes[i % 2]"),
    "the code of a property": ("config.area", "getter.__code__ = codes[i % 2]"),
    "the code of a constructor": ("Config()", "Config.__init__.__code__ = inits[i % 2]"),
}


@pytest.mark.parametrize(("use", "change"), CLASSES.values(), ids=CLASSES)
def test_what_is_found_in_classes_is_a_dependency(programs: Any, use: str, change: str) -> None:
    change = textwrap.indent(change, 16 * " ").lstrip()
    observed = programs.observe(f"""
        class Config:
            limit = 1
            @classmethod
            def read(cls): return cls.limit
            def __init__(self): self.__dict__["value"] = 1
            def get(self): return self.value
            def work(self): return 1
            def step(self): return self.work()
            def getter(self): return 1
            area = property(getter)
        def setter(self, value): pass
        def local(first):
            second = first
            return second.work()
        def store(first):
            second = first
            second.other = 1
        getter, config, plain = Config.getter, Config(), object.__new__(Config)
        values = [property(Config.work)]
        works = [lambda self: 2, Config.work]
        codes = [(lambda self: 2).__code__, Config.work.__code__]
        inits = [(lambda self: self.__dict__.update(value=2)).__code__, Config.__init__.__code__]
        def user(): return {use}
        def run():
            for _ in range(60): user()
        def main():
            for i in range(5):
                run()
                {change}
            run()
        main()
    """)
    dropped, needlessly, *_ = table(observed)["bulk_by_facet"]
    assert (dropped >= 5, needlessly) == (True, 0)
    assert dropped % 5 == 0  # each change drops all that depend on it


def test_a_name_on_a_line_that_has_not_run_is_no_dependency(programs: Any) -> None:
    observed = programs.observe("""
        RATE = RARE = 2
        def cost(rare=False):
            if rare:
                return RARE
            return RATE
        def run():
            global RARE
            for _ in range(100): cost()
            RARE = 3
            for _ in range(100): cost()
        run()
    """)
    counts = table(observed)
    assert counts["bulk_by_facet"] == counts["healing"] == counts["granular"] == NONE
    assert counts["revalidation"] == NONE
    assert observed.policy("revalidation")["revalidations"] == 1
    assert counts["bulk_by_object"] == (1, 1, 0, 1, 0, 0)


def test_the_death_of_a_class_is_no_change(programs: Any) -> None:
    observed = programs.observe("""
        import gc
        def make():
            class Shape:
                def area(self): return 1
            return Shape
        def use(shape): return shape.area()
        def run():
            for _ in range(3):
                shape = make()()
                for _ in range(60): use(shape)
                del shape
                gc.collect()
        run()
    """)
    counts = table(observed)
    assert set(counts.values()) == {NONE}
    cold = {observed.policy(name)["cold_calls"] for name in counts}
    assert len(cold) == 1


def test_a_write_of_an_equal_number_changes_nothing(programs: Any) -> None:
    """CPython reports it, for the object is another one; no recorded value has changed."""
    observed = programs.observe("""
        RATE = 1_000_000
        def cost(): return RATE
        def run():
            global RATE
            for _ in range(60): cost()
            RATE = int("1000000")
            for _ in range(60): cost()
        run()
    """)
    counts = table(observed)
    assert counts["bulk_by_facet"] == (1, 1, 0, 1, 0, 0)
    assert counts["healing"] == NONE
    (worst,) = observed.replay["facets"]
    assert (worst["dropped"], worst["needlessly"], worst["breaks"]) == (1, 1, 0)


def test_start_up_and_the_rest_add_up_to_the_whole(programs: Any) -> None:
    observed = programs.observe("""
        import time
        RATE = 2
        def cost(): return RATE
        def run():
            for _ in range(60): cost()
        run()
        RATE = 3
        run()
        time.sleep(0.01)
        cost()  # the last thing that happens in the first fifth; the next one belongs to the rest
        time.sleep(0.6)
        RATE = 4
        run()
    """)
    totals = observed.replay["totals"]
    for name in ("calls", "functions", "hot_functions", "facets", "dependencies", "changes"):
        assert totals["startup"][name] + totals["rest"][name] == totals["whole"][name]
    startup, rest, whole = (observed.policy("bulk_by_facet", phase) for phase in ("startup", "rest", "whole"))
    assert (startup["dropped"], rest["dropped"], whole["dropped"]) == (1, 1, 2)
    timeline = observed.replay["timeline"]
    assert sum(timeline["dropped"]["bulk_by_facet"][:20]) == 1
    assert sum(timeline["changes"]) == totals["whole"]["changes"]
    assert sum(timeline["breaks"]) == 2


def test_calls_are_exact(programs: Any) -> None:
    observed = programs.observe("""
        def cost(): pass
        def run():
            for _ in range(300_000): cost()
        run()
    """)
    whole = observed.replay["totals"]["whole"]
    assert 300_002 <= whole["calls"] <= 300_030  # and what the interpreter itself calls when it ends


def test_changes_between_which_nothing_is_called_are_one_moment(programs: Any) -> None:
    """Also where there are so many that they are counted together: what is dropped by object is exact."""
    observed = programs.observe("""
        X = 1
        def f(): return X
        def main():
            g = globals()
            for r in range(60):
                for i in range(40): g[f"n{r}_{i}"] = i
                for i in range(500): f()
        main()
    """)
    counts = table(observed)
    assert counts["bulk_by_object"] == (59, 59, 0, 59, 0, 0)
    assert counts["bulk_by_object_capped"] == counts["cpython"] == (6, 6, 0, 6, 0, 0)
    assert counts["bulk_by_facet"] == counts["healing"] == NONE


def test_each_call_meets_the_value_that_was_there_however_often_it_changes(programs: Any) -> None:
    """back() always meets 0, and hit() another number at each call."""
    observed = programs.observe("""
        X = Y = 0
        def back(): return X
        def apart(): return Y
        def hit(): return X
        def main():
            global X
            for _ in range(60): back(), apart(), hit()
            for number in range(1, 301):
                X = number
                apart()
                hit()
                X = 0
                back()
        main()
    """)
    revalidation, by_facet = observed.policy("revalidation"), observed.policy("bulk_by_facet")
    assert (revalidation["dropped"], revalidation["undone"], revalidation["recompiled"]) == (6, 0, 6)
    assert revalidation["revalidations"] == 300 + 300 + 6
    # back() is dropped in rounds 1, 51, ..., by a value that is put back; hit() in the first one, 50, 100, ...
    assert (by_facet["dropped"], by_facet["undone"], by_facet["recompiled"]) == (6 + 7, 6, 6 + 6)
    assert revalidation["spread"] == by_facet["spread"] == []


def test_a_counter_that_changes_all_the_time_is_spread_evenly_and_the_replay_says_so(programs: Any) -> None:
    observed = programs.observe(
        """
        COUNT = 0
        def cost(): return COUNT
        def run():
            global COUNT
            for _ in range(60): cost()
            for number in range(40_000):
                COUNT += 1
                cost(), cost()
        run()
    """,
        room="0,0",
    )
    changes, calls = 40_000, 80_000
    bulk = observed.policy("bulk_by_facet")
    assert "dropped" in bulk["spread"]
    assert abs(bulk["dropped"] - changes / 25) <= 80  # one of 25 changes finds the code made again, after 50 calls
    assert bulk["cold_calls"] >= calls * 0.97
    healing = observed.policy("healing")
    assert (healing["dropped"], healing["spread"]) == (6, [])
    assert observed.policy("granular")["patches"] == changes
    assert observed.policy("granular_capped")["patches"] == 6


def test_calls_between_the_changes_of_two_objects_are_spread_over_both(programs: Any) -> None:
    """Its global is an attribute's way: a change of either object drops total(), by object."""
    observed = programs.observe(
        """
        class Counts: all = 0
        A = 0
        def total(): return Counts.all
        def run():
            global A
            for _ in range(60): total()
            for number in range(42_000):
                A += 1
                if number % 7 == 0: Counts.all += 1
                total()
        run()
    """,
        room="0,0",
    )
    by_facet, by_object = observed.policy("bulk_by_facet"), observed.policy("bulk_by_object")
    assert "dropped" in by_facet["spread"]
    assert abs(by_facet["dropped"] - 42_000 / 56) <= 37  # 50 calls make it again, and every seventh finds a change
    assert abs(by_object["dropped"] - 42_000 / 50) <= 42
