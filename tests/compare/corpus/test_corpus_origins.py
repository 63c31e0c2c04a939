"""Why a JIT makes other executors than a replay says: counted from where they begin."""

from pathlib import Path

import pytest
from tiny import recorded

from corpus.origins import TRACED_AFTER, called, explained

CALLS = {("hot", "a.py"): 60, ("often", "a.py"): TRACED_AFTER, ("rare", "a.py"): 49, ("inside", "a.py"): 10_000}


def test_executors_are_told_apart_by_where_they_begin() -> None:
    places = [
        ("hot", "/x/a.py", 8, 0, {"made": 3}),
        ("rare", "/x/a.py", 8, 0, {"made": 1}),
        ("often", "/x/a.py", 8, 2, {"made": 5}),
        ("not recorded", "/x/b.py", 0, 0, {"made": 1}),
    ]
    found = explained(CALLS, places)
    assert list(found["executors"].values()) == [1, 2, 5, 2]
    assert sum(found["executors"].values()) == sum(did["made"] for *_, did in places)
    assert found["functions called so often that the JIT traces a call"] == 2
    assert list(found["hot functions in which none begins"].values()) == [0, 2]


def test_a_function_in_which_nothing_begins_is_called_too_rarely_or_runs_in_others() -> None:
    assert list(explained(CALLS, [])["hot functions in which none begins"].values()) == [1, 2]


@pytest.mark.slow
def test_calls_are_those_of_the_trace_by_name_and_file(tmp_path: Path) -> None:
    program = "class A:\n def m(self): return len('a')\na = A()\nfor _ in range(70): a.m()"
    assert list(called(recorded(tmp_path, program)).values()) == [70]
    ((name, file),) = called(recorded(tmp_path, program))
    assert name == "A.m" and file.endswith(".py")
