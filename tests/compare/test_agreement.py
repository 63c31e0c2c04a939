"""A live run and the replay of its trace agree, whatever the program does."""

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from observing import Programs

VALUES = {
    "A": ("1", "2", "KEPT", "[]", "Thing()"),
    "B": ("1", "'text'", "1.5", "[]", "LIST"),
    "Thing.x": ("1", "2", "KEPT"),
    "Thing.run": ("method", "other_method"),
    "Base.run": ("method", "other_method"),
    "Thing.__bases__": ("(Base,)", "(Base, Other)"),
    "module.PI": ("3", "KEPT", "3.0", "[]"),
    "module.run": ("RUN", "lambda: 2"),
    "helper.__defaults__": ("(1,)", "(2,)", "DEFAULTS"),
    "helper.__code__": ("other.__code__", "CODE", "eval('lambda x: x').__code__"),
    "keyword.__kwdefaults__": ("{'x': 1}", "KEYWORDS"),
    "keyword.__kwdefaults__['x']": ("1", "2"),
}
PROGRAM = """
import depwatch, gc, types
KEPT, LIST = object(), []
def method(self): return 1
def other_method(self): return 2
class Base:
    run = method
class Other:
    x = y = 3
class Thing(Base):
    x = 0
module = types.ModuleType("module")
module.PI = 3
RUN = module.run = lambda: 1
A = B = 0
def helper(x=1): return x
def other(x): return x
def keyword(*, x=1): return x
CODE, DEFAULTS, KEYWORDS = helper.__code__, helper.__defaults__, keyword.__kwdefaults__
def reads_a(): return A
def reads_b(): return A, B, len("x")
def calls_helper(): return helper(1) if callable(helper) else 0
def calls_keyword(): return keyword(), A
def reads_module(): return module.PI, module.run(), B
def uses_thing(thing): return thing.x, thing.run()
THING = Thing()
def uses(): return uses_thing(THING)
FUNCTIONS = (reads_a, reads_b, calls_helper, reads_module, uses, calls_keyword)
"""
CALLS = st.tuples(st.just("call"), st.integers(0, 5), st.sampled_from((1, 2, 7, 25, 49, 50, 51, 120)))
STEPS = st.one_of(
    CALLS,
    CALLS,
    st.sampled_from([("set", name, value) for name in VALUES for value in VALUES[name]]),
    st.sampled_from([("set", name, value) for name in VALUES for value in VALUES[name]]),
    st.tuples(st.just("toggle"), st.sampled_from(("A", "Thing.x")), st.integers(1, 4)),
    st.sampled_from([("delete", "Thing.run", ""), ("drain", "", ""), ("shadow", "len", ""), ("unshadow", "len", "")]),
)


def source(steps: list[tuple[Any, ...]]) -> str:
    lines = [PROGRAM]
    for what, first, second in steps:
        if what == "call":
            lines.append(f"for _ in range({second}): FUNCTIONS[{first}]()")
        elif what == "set":
            lines.append(f"{first} = {second}")
        elif what == "toggle":
            lines += [f"for number in range({second}):", f"    {first} = number % 2", "    reads_b(), uses()"]
        elif what == "delete":
            lines.append("if 'run' in vars(Thing): del Thing.run")
        elif what == "drain":
            lines.append("depwatch.drain()")
        elif what == "shadow":
            lines.append("def len(x): return 5")
        else:
            lines.append("globals().pop('len', None)")
    return "\n".join(lines) + "\n"


@pytest.mark.slow
@settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=150, max_size=250))
def test_a_live_run_and_the_replay_of_its_trace_agree_on_all_counts(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Programs(Path(directory)).observe(source(steps))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))])
def test_both_agree_on_long_programs_whose_steps_are_equally_likely(seed: int) -> None:
    draw = random.Random(seed)
    changes = [("set", name, value) for name in VALUES for value in VALUES[name]]
    steps: list[tuple[Any, ...]] = []
    for _ in range(150):
        steps += draw.choices(changes, k=draw.randint(1, 3))
        steps += [
            ("call", draw.randrange(6), draw.choice((1, 2, 30, 49, 50, 60, 110))) for _ in range(draw.randint(0, 3))
        ]
    with tempfile.TemporaryDirectory() as directory:
        Programs(Path(directory)).observe(source(steps))
