"""Calls are counted, not sampled."""

import itertools
from typing import Any

import pytest

from support import ROOT


def test_every_call_is_counted_and_resuming_is_none(programs: Any) -> None:
    recorded = programs.run("""
        def leaf(x): return x
        def generator(n):
            for number in range(n): yield leaf(number)
        async def coroutine(): return leaf(1)
        def raises(): raise ValueError
        def recursive(n): return recursive(n - 1) if n else 0
        class Thing:
            def __init__(self): self.x = 1
            @property
            def half(self): return 0.5
            def __eq__(self, other): return True
            __hash__ = None
        def main():
            for _ in range(12345): leaf(1)
            for _ in range(20): sum(generator(50))
            for _ in range(30):
                try: coroutine().send(None)
                except StopIteration: pass
                try: raises()
                except ValueError: pass
            for _ in range(10): recursive(9)
            for _ in range(40): Thing().half == Thing()
            list(map(leaf, range(100)))
            sorted(range(70), key=lambda x: -x)
        main()
        generator(3)  # not started: not called
    """)
    assert recorded.calls() == {
        "leaf": 12345 + 1000 + 30 + 100,
        "generator": 20,
        "coroutine": 30,
        "raises": 30,
        "recursive": 100,
        "Thing.__init__": 80,
        "Thing.half": 40,
        "Thing.__eq__": 40,
        "main.<locals>.<lambda>": 70,
    }
    (end,) = recorded.journal.of("end")
    assert recorded.journal.of("tick")[-1]["calls"] == end["calls"] == recorded.counted["calls"]
    assert end["calls"] >= sum(recorded.calls().values()) + 2


def test_the_calls_of_all_threads_are_counted(programs: Any) -> None:
    recorded = programs.run("""
        import threading
        RATE = 1
        def step(): return RATE
        def work():
            for _ in range(5000): step()
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """)
    assert recorded.calls()["step"] == 20_000


def test_a_function_is_in_the_trace_from_its_tenth_call_on(programs: Any) -> None:
    recorded = programs.run("""
        def nine(): pass
        def ten(): return abs(ord("x"))
        for _ in range(9): nine(), ten()
        ten()
    """)
    assert recorded.calls() == {"ten": 10}
    (function,) = [row for row in recorded.journal.of("function") if row["name"] == "ten"]
    assert (function["count"], function["line"]) == (2, 3)


@pytest.mark.parametrize(
    ("hot_after", "times", "looked"),
    [(50, 49, [10]), (50, 50, [10, 50]), (1, 1, [1]), (2, 1, []), (7, 7, [7]), (70, 69, [10, 50]), (70, 70, [10, 50])],
)
def test_what_it_depends_on_is_looked_at_when_a_function_is_hot(
    programs: Any, hot_after: int, times: int, looked: list[int]
) -> None:
    text = f"""
        RATE = 1
        def step(number):
            if number > 10:
                return RATE
        def main():
            for number in range({times}): step(number)
        main()
    """
    recorded = programs.run(text, hot_after=hot_after)
    step = [row["function"] for row in recorded.journal.of("function") if row["name"] == "step"]
    assert [row["calls"] for row in recorded.journal.of("resolved") if row["function"] in step] == looked
    assert recorded.calls().get("step") == (times if times >= min(10, hot_after) else None)


def test_what_changes_all_the_time_is_counted_in_windows_that_add_up(programs: Any) -> None:
    programs.environment |= {
        "PYTHONPATH": str(ROOT / "benchmarks" / "programs" / "room"),
        "DEPWATCH_ROOM": "20000,10000",
    }
    recorded = programs.run("""
        COUNT = OTHER = 0
        def step(): return COUNT
        def main():
            global COUNT, OTHER
            for number in range(100): step()
            for number in range(200_000):
                COUNT += 1
                if number % 4 == 0: OTHER += 1
                if number % 2 == 0: step()
        main()
    """)
    journal = recorded.journal
    (module,) = {row["object"] for row in journal.of("object") if row["name"] == "__main__"}
    (facet,) = {row["facet"] for row in journal.of("facet") if row["name"] == "COUNT"}
    (step,) = {row["function"] for row in journal.of("function") if row["name"] == "step"}
    changes = [row for row in journal.of("change") if row["object"] == module]
    values = [row for row in journal.of("value") if row["facet"] == facet]
    assert sum(row["count"] for row in changes) == 250_000
    assert sum(row["count"] for row in values) == 200_000
    assert [row["count"] for row in values[:200]] == [1] * 200
    assert {row["line"] for row in changes} == {8, 9}
    assert len(journal.rows) < 60_000  # as many windows as there is room for are of one moment
    assert recorded.calls()["step"] == 100_100
    spread = [row for row in journal.of("calls") if "count" in row]
    assert spread
    assert {row["object"] for row in spread} == {module}
    told = 0
    for row in journal.of("calls"):  # each call comes after another moment
        if row["function"] == step:
            assert row.get("moments", row["calls"] - told) == row["calls"] - told
            told = row["calls"]
    for at, row in enumerate(journal.rows):  # spread calls come right before the changes that they are spread over
        if "object" in row and row["kind"] == "calls":
            assert row["function"] == step
            window = itertools.takewhile(lambda of: of["kind"] in ("change", "value"), journal.rows[at + 1 :])
            assert sum(of["count"] for of in window if of["kind"] == "change") == row["count"]
    assert len({row["value"] for row in values}) == len(values)  # no two of these values were the same


def test_unrelated_names_are_changes_of_the_object_and_of_no_facet(programs: Any) -> None:
    recorded = programs.run("""
        RATE = 2
        def step(): return RATE
        for number in range(500): step()
    """)
    assert recorded.journal.of("value", "drain") == []
    changes = recorded.journal.of("change")
    assert sum(row["count"] for row in changes) == 490
    assert {(row["type"], row["file"], row["line"]) for row in changes} == {("modified", "<program>/program.py", 4)}


def test_code_that_has_not_run_is_no_dependency_until_it_runs(programs: Any) -> None:
    recorded = programs.run("""
        RARE = OFTEN = 1
        def step(rarely):
            if rarely:
                return RARE
            return OFTEN
        def main():
            for _ in range(60): step(False)
            for _ in range(440): step(True)
        main()
    """)
    assert [line for line in recorded.story if "step" in line] == [
        "function step",
        "step needs OFTEN in __main__: int 0",
        "step is resolved at 10",
        "step needs RARE in __main__: int 0",
        "step needs OFTEN in __main__: int 0",
        "step is resolved at 111",  # fifty calls after the line has run first
    ]


def test_ticks_come_closer_than_a_tenth_of_the_time_and_have_all_calls(programs: Any) -> None:
    recorded = programs.run("""
        import time
        def step(): pass
        end = time.monotonic() + 0.3
        def main():
            while time.monotonic() < end: step()
        main()
    """)
    ticks = recorded.journal.of("tick")
    assert 3 <= len(ticks) <= 150  # the fewer, the more often others had the processor
    assert [row["calls"] for row in ticks] == sorted(row["calls"] for row in ticks)
