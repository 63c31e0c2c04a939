"""What is written for small programs: whole stories, from the first dependency to the last change."""

from typing import Any


def test_a_global_that_changes_and_changes_back(programs: Any) -> None:
    recorded = programs.run("""
        def run(times, do):
            for _ in range(times): do()
        RATE, SIZE = 2, 3
        def cost(): return RATE
        def other(): return SIZE
        def main():
            global RATE
            run(60, cost); run(60, other)
            RATE = 4
            run(60, cost); run(60, other)
            RATE = 2
            run(1, cost)
        main()
    """)
    assert recorded.story == [
        "function cost",
        "cost needs RATE in __main__: int 0",
        "cost is resolved at 10",
        "function other",
        "other needs SIZE in __main__: int 0",
        "other is resolved at 10",
        "cost: 60 calls",
        "other: 60 calls",
        "__main__ modified at program.py:10",
        "RATE: int 1",
        "drain",
        "cost: 120 calls",
        "other: 120 calls",
        "__main__ modified at program.py:12",
        "RATE: int 0",
        "drain",
    ]
    assert recorded.calls() == {"cost": 121, "other": 120}


def test_code_that_runs_in_two_namespaces_is_a_function_in_each(programs: Any) -> None:
    recorded = programs.run("""
        A, B = {"__name__": "A", "K": 1}, {"__name__": "B", "K": 1}
        code = compile("def use(): return K", "program.py", "exec")
        exec(code, A), exec(code, B)
        assert A["use"].__code__ is B["use"].__code__
        def run(times, do):
            for _ in range(times): do()
        run(60, A["use"])
        run(60, B["use"])
        B["K"] = 2
        run(3, A["use"])
        run(3, B["use"])
    """)
    assert recorded.story == [
        "function use",
        "use needs K in A: int 0",
        "use is resolved at 10",
        "function use",
        "use needs K in B: int 0",
        "use is resolved at 10",
        "use: 60 calls",
        "B modified at program.py:10",
        "K: int 1",
        "drain",
    ]
    assert recorded.counted["calls_in_other_namespaces"] == 0


def test_calls_in_more_namespaces_than_are_told_apart_count_for_the_first(programs: Any) -> None:
    recorded = programs.run("""
        code = compile("def use(): return 1", "program.py", "exec")
        kept = [{} for _ in range(20)]
        for names in kept: exec(code, names)
        for names in kept:
            for _ in range(10): names["use"]()
    """)
    calls = {row["function"]: row["calls"] for row in recorded.journal.of("calls")}
    assert sorted(calls.values()) == [10] * 15 + [10 + 4 * 10]
    assert recorded.counted["calls_in_other_namespaces"] == 4 * (10 + 1)


def test_a_builtin_that_a_global_hides_and_shows_again(programs: Any) -> None:
    recorded = programs.run("""
        def run(times, do):
            for _ in range(times): do()
        def use(): return len("x")
        def main():
            global len
            run(60, use)
            len = lambda text: 7
            run(5, use)
            __builtins__.len = __builtins__.len
            __builtins__.unused = 1
            del len
            run(5, use)
        main()
    """)
    assert recorded.story == [
        "function use",
        "use needs len in __main__: None -1",
        "use needs len in builtins via len: builtin_function_or_method 0",
        "use is resolved at 10",
        "use: 60 calls",
        "__main__ added at program.py:8",
        "len: function 0",
        "drain",
        "use needs len in __main__: function 0, not patchable",
        "use needs code in __main__.main.<locals>.<lambda> via len: code 0, not patchable",
        "use needs defaults in __main__.main.<locals>.<lambda> via len: NoneType 0, not patchable",
        "use is resolved at 61",
        "use: 65 calls",
        "builtins added at program.py:11",
        "__main__ deleted at program.py:12",
        "len: None -1",
        "__main__.main.<locals>.<lambda> is gone",
        "drain",
        "use needs len in __main__: None -1",
        "use needs len in builtins via len: builtin_function_or_method 0",
        "use is resolved at 66",
    ]


def test_an_attribute_of_a_module_and_what_else_is_in_it(programs: Any) -> None:
    recorded = programs.run("""
        import math
        def use(): return math.pi
        def run(times):
            for _ in range(times): use()
        def main():
            run(60)
            math.e = 1
            math.pi = 3.0
            run(2)
            del math.pi
            try: run(1)
            except AttributeError: pass
            math.pi = 4.0
            run(2)
        main()
    """)
    assert recorded.story == [
        "function use",
        "use needs math in __main__: module 0, not patchable",
        "use needs pi in math via math: float 0",
        "use is resolved at 10",
        "use: 60 calls",
        "math modified at program.py:8",
        "math modified at program.py:9",
        "pi: float 1",
        "drain",
        "use: 62 calls",
        "math deleted at program.py:11",
        "pi: None -1",
        "drain",
        "use needs math in __main__: module 0, not patchable",
        "use is resolved at 63",
        "use: 63 calls",
        "math added at program.py:14",
        "pi: float 2",
        "drain",
        "use needs math in __main__: module 0, not patchable",
        "use needs pi in math via math: float 2",
        "use is resolved at 64",
    ]
    assert recorded.counted["missing"] == 1


def test_an_attribute_along_the_mro_and_other_bases(programs: Any) -> None:
    recorded = programs.run("""
        class Top:
            def area(self): return 0
        class Base(Top):
            def area(self): return 1
        class Other:
            def area(self): return 5
        class Shape(Base):
            pass
        kept = Base.area
        def use(shape): return shape.area()
        def run(times, shape=Shape()):
            for _ in range(times): use(shape)
        def main():
            run(60)
            Top.area = None
            Base.side = 1
            Base.area = lambda self: 2
            run(2)
            Shape.__bases__ = (Other,)
            run(2)
            Base.area = None
            Other.area = lambda self: 3
            run(2)
        main()
    """)
    assert recorded.story == [
        "function use",
        "use needs area in __main__.Shape: function 0, not patchable",
        "use needs area in __main__.Base: function 0, not patchable",
        "use needs area in __main__.Top: function 0, not patchable",
        "use needs code in __main__.Base.area via area: code 0, not patchable",
        "use needs defaults in __main__.Base.area via area: NoneType 0, not patchable",
        "use is resolved at 10",
        "function Base.area",
        "Base.area is resolved at 10",
        "use: 60 calls",
        "__main__.Top modified at program.py:16",
        "__main__.Base added at program.py:17",
        "__main__.Base modified at program.py:18",
        "area: function 1",
        "drain",
        "use needs area in __main__.Shape: function 1, not patchable",
        "use needs area in __main__.Base: function 1, not patchable",
        "use needs area in __main__.Top: function 1, not patchable",
        "use needs code in __main__.main.<locals>.<lambda> via area: code 0, not patchable",
        "use needs defaults in __main__.main.<locals>.<lambda> via area: NoneType 0, not patchable",
        "use is resolved at 61",
        "use: 62 calls",
        "__main__.Shape mro at program.py:20",
        "area: function 2",
        "drain",
        "use needs area in __main__.Shape: function 2, not patchable",
        "use needs area in __main__.Other: function 2, not patchable",
        "use needs code in __main__.Other.area via area: code 0, not patchable",
        "use needs defaults in __main__.Other.area via area: NoneType 0, not patchable",
        "use is resolved at 63",
        "use: 64 calls",
        "__main__.Base modified at program.py:22",
        "__main__.main.<locals>.<lambda> is gone",
        "__main__.Other modified at program.py:23",
        "area: function 3",
        "__main__.Other.area is gone",
        "drain",
        "use needs area in __main__.Shape: function 3, not patchable",
        "use needs area in __main__.Other: function 3, not patchable",
        "use needs code in __main__.main.<locals>.<lambda> via area: code 0, not patchable",
        "use needs defaults in __main__.main.<locals>.<lambda> via area: NoneType 0, not patchable",
        "use is resolved at 65",
    ]


def test_the_parts_of_a_called_function(programs: Any) -> None:
    recorded = programs.run("""
        def helper(x=1, *, y=2): return x
        def use(): return helper()
        def run(times):
            for _ in range(times): use()
        kept = helper.__code__
        def main():
            run(60)
            helper.__defaults__ = (2,)
            run(2)
            helper.__code__ = other.__code__
            run(2)
            helper.__kwdefaults__["y"] = 3
            helper.__kwdefaults__ = {"y": 4}
            run(2)
        def other(x=1, *, y=2): return 2 * x
        main()
    """)
    assert recorded.story == [
        "function use",
        "use needs helper in __main__: function 0, not patchable",
        "use needs code in __main__.helper via helper: code 0, not patchable",
        "use needs defaults in __main__.helper via helper: tuple 0, not patchable",
        "use needs kwdefaults in __main__.helper via helper: dict 0, not patchable",
        "use is resolved at 10",
        "function helper",
        "helper is resolved at 10",
        "use: 60 calls",
        "__main__.helper modified at program.py:9",
        "defaults: tuple 1",
        "drain",
        "use: 62 calls",
        "__main__.helper modified at program.py:11",
        "code: code 1",
        "drain",
        "use: 64 calls",
        "__main__.helper modified at program.py:13",
        "kwdefaults: None -2",
        "__main__.helper modified at program.py:14",
        "kwdefaults: dict 1",
        "drain",
    ]


def test_a_list_that_is_put_back_is_the_same_and_a_new_one_at_its_address_is_not(programs: Any) -> None:
    recorded = programs.run("""
        FILTERS = [1]
        def use(): return FILTERS
        def run(times):
            for _ in range(times): use()
        def main():
            global FILTERS
            run(60)
            kept = FILTERS
            FILTERS = [2]
            run(2)
            FILTERS = kept
            kept = None
            run(2)
            for _ in range(4):
                FILTERS = []
                run(1)
        main()
    """)
    values = [line for line in recorded.story if line.startswith("FILTERS")]
    assert values == [f"FILTERS: list {number}" for number in (1, 0, 2, 3, 4, 5)]
    assert [row["value"] for row in recorded.journal.of("lost")] == [1, 0, 2, 3, 4]  # nobody has these any more


def test_a_dict_that_is_no_module_cleared_and_dead(programs: Any) -> None:
    recorded = programs.run("""
        def main():
            space = {"x": 1, "__name__": "elsewhere"}
            exec("def f(): return x + y", space)
            space["y"] = 2
            for _ in range(60): space["f"]()
            f = space["f"]
            space.clear()
            try: f()
            except NameError: pass
            space.update(x=3, y=4)
            f()
            del f, space
        main()
        __import__("gc").collect()
    """)
    names = {row["object"]: (row["type"], row["name"]) for row in recorded.journal.of("object")}
    number = next(number for number, name in names.items() if name == ("dict", "elsewhere"))
    facets = {row["facet"]: row["name"] for row in recorded.journal.of("facet") if row["object"] == number}
    rows = [row for row in recorded.journal.of("change", "value", "gone") if row.get("object") == number]
    told = [(row.get("type", "gone"), facets.get(row.get("facet")), row.get("value"), row.get("count")) for row in rows]
    assert sorted(facets.values()) == ["x", "y"]
    assert told[0] == ("cleared", None, None, 1)
    assert sorted(told[1:3]) == [("gone", "x", -1, 1), ("gone", "y", -1, 1)]
    assert told[-1] == ("gone", None, None, None)
