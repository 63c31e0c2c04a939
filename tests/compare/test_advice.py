"""What a report tells to write instead makes the cause vanish: programs before and after its advice was taken."""

from dataclasses import dataclass

import pytest
from observing import Programs

from depwatch.compare.advice import advice
from depwatch.compare.replay.result import Facet
from depwatch.compare.replay.run import Options, replay_trace


@dataclass(frozen=True)
class Case:
    name: str  # of the cause
    facet: str  # of the module `before`, unless it begins with another one's name
    said: str  # how the advice begins
    before: str
    after: str
    left: int = 0  # drops after it


CASES = (
    Case(
        "a counter in a global",
        "before.COUNT",
        "It counts: keep the count in an instance or a list",
        """
        COUNT = 0
        def take():
            global COUNT
            COUNT += 1
        heat(take)
        heat(take)
        """,
        """
        class Counter:
            def __init__(self):
                self.count = 0
        COUNTER = Counter()
        def take():
            COUNTER.count += 1
        heat(take)
        heat(take)
        """,
    ),
    Case(
        "a counter in a class",
        "before.Model.made",
        "It counts in a class: keep the count in an instance, or take the next of an itertools.count()",
        """
        class Model:
            made = 0
            def __init__(self):
                Model.made += 1
                self.number = Model.made
        heat(Model)
        heat(Model)
        """,
        """
        import itertools
        class Model:
            made = itertools.count(1)
            def __init__(self):
                self.number = next(Model.made)
        heat(Model)
        heat(Model)
        """,
    ),
    Case(
        "a function that is replaced",
        "before.rate",
        "Another function is put there late: do it at start-up",
        """
        def rate(): return 1
        def price(): return rate()
        heat(price)
        rate = lambda: 2
        heat(price)
        """,
        """
        def rate(): return 1
        def price(): return rate()
        rate = lambda: 2
        heat(price)
        heat(price)
        """,
    ),
    Case(
        "a function that is replaced again and again",
        "before.rate",
        "Another function is put there each time: keep the functions to choose from in a dict",
        """
        def price(): return rate()
        for number in range(8):
            rate = lambda number=number: number
            heat(price)
        """,
        """
        RATES = {}
        def price(): return RATES["now"]()
        for number in range(8):
            RATES["now"] = lambda number=number: number
            heat(price)
        """,
    ),
    Case(
        "an attribute of a module that is set late",
        "settings.RATE",
        "It is set late, and then settles: set it at start-up",
        """
        import settings
        def price(): return settings.RATE
        heat(price)
        settings.RATE = 3
        heat(price)
        """,
        """
        import settings
        settings.RATE = 3
        def price(): return settings.RATE
        heat(price)
        heat(price)
        """,
    ),
    Case(
        "an attribute of a class that is set late",
        "before.Config.debug",
        "It is set late, and then settles: set it at start-up",
        """
        class Config:
            debug = False
        def read(): return Config.debug
        heat(read)
        Config.debug = True
        heat(read)
        """,
        """
        class Config:
            debug = False
        Config.debug = True
        def read(): return Config.debug
        heat(read)
        heat(read)
        """,
    ),
    Case(
        "a cache that is assigned anew",
        "before.CACHE",
        "Another dict is put there each time: change the one that is there",
        """
        CACHE = {}
        def look(): return CACHE.get("key")
        def forget():
            global CACHE
            CACHE = {}
        for _ in range(5):
            heat(look)
            forget()
        """,
        """
        CACHE = {}
        def look(): return CACHE.get("key")
        def forget():
            CACHE.clear()
        for _ in range(5):
            heat(look)
            forget()
        """,
    ),
    Case(
        "a tuple that grows",
        "before.LISTENERS",
        "Another tuple is put there each time: keep a list or a dict there, and change that",
        """
        LISTENERS = ()
        def tell(): return LISTENERS[-1:]
        for number in range(6):
            heat(tell)
            LISTENERS = (*LISTENERS, number)
        """,
        """
        LISTENERS = []
        def tell(): return LISTENERS[-1:]
        for number in range(6):
            heat(tell)
            LISTENERS.append(number)
        """,
    ),
    Case(
        "a mock in tests",
        "before.send",
        "It is put back each time: pass the replacement as an argument, or patch an attribute of an instance",
        """
        from unittest import mock
        def send(): return "sent"
        def order(): return send()
        for _ in range(4):
            with mock.patch(f"{__name__}.send", lambda: "not sent"):
                heat(order)
            heat(order)
        """,
        """
        from unittest import mock
        class Shop:
            def __init__(self, send): self.send = send
            def order(self): return self.send()
        shop = Shop(lambda: "sent")
        for _ in range(4):
            with mock.patch.object(shop, "send", lambda: "not sent"):
                heat(shop.order)
            heat(shop.order)
        """,
    ),
    Case(
        "a short patch that is put back before anything is compiled again",
        "before.send",
        "It is put back each time: pass the replacement as an argument, or patch an attribute of an instance",
        """
        from unittest import mock
        def send(): return "sent"
        def order(): return send()
        for _ in range(4):
            heat(order)
            with mock.patch(f"{__name__}.send", lambda: "not sent"):
                order()
        """,
        """
        def send(): return "sent"
        def order(send): return send()
        for _ in range(4):
            heat(lambda: order(send))
            order(lambda: "not sent")
        """,
    ),
    Case(
        "the output that is redirected at each call",
        "sys.displayhook",
        "It is put back each time: do that once around the whole",
        """
        import sys
        def say(): return sys.displayhook
        shown = sys.displayhook
        for _ in range(3):
            heat(say)
            sys.displayhook = lambda value: None
            heat(say)
            sys.displayhook = shown
        """,
        """
        import sys
        def say(): return sys.displayhook
        shown = sys.displayhook
        sys.displayhook = lambda value: None
        for _ in range(3):
            heat(say)
            heat(say)
        sys.displayhook = shown
        """,
        left=1,  # the last one, after which nothing is called
    ),
    Case(
        "warnings that are caught at each call",
        "warnings.filters",
        "It is put back each time: do that once around the whole",
        """
        import warnings
        def look(): return warnings.filters
        for _ in range(8):
            heat(look)
            with warnings.catch_warnings():
                heat(look)
        """,
        """
        import warnings
        def look(): return warnings.filters
        with warnings.catch_warnings():
            for _ in range(8):
                heat(look)
                heat(look)
        """,
        left=1,  # as above
    ),
    Case(
        "a counter of a library",
        "counting.COUNT",
        "It changes all the time, and not by code of the program: call what does it less often",
        """
        import counting
        heat(counting.count)
        """,
        """
        import counting
        for _ in range(5):
            counting.count()
        """,
    ),
    Case(
        "bases that are assigned",
        "before.Duck.speak",
        "Bases are assigned: choose them where the class is made, before code is hot; or make two classes",
        """
        class Loud:
            def speak(self): return "QUACK"
        class Quiet:
            def speak(self): return "quack"
        class Duck(Loud): pass
        duck = Duck()
        def hear(duck): return duck.speak()
        heat(lambda: hear(duck))
        Duck.__bases__ = (Quiet,)
        heat(lambda: hear(duck))
        """,
        """
        class Loud:
            def speak(self): return "QUACK"
        class Quiet:
            def speak(self): return "quack"
        class LoudDuck(Loud): pass
        class QuietDuck(Quiet): pass
        def hear(duck): return duck.speak()
        heat(lambda duck=LoudDuck(): hear(duck))
        heat(lambda duck=QuietDuck(): hear(duck))
        """,
    ),
    Case(
        "a builtin that is hidden",
        "before.len",
        "It hides a builtin from then on: define it before code that uses the name is hot",
        """
        def size(): return len("abc")
        heat(size)
        len = lambda text: 3
        heat(size)
        """,
        """
        len = lambda text: 3
        def size(): return len("abc")
        heat(size)
        heat(size)
        """,
    ),
    Case(
        "the code of a function",
        "before.rate.__code__",
        "A function gets other code: assign that before it is hot; or keep the functions to choose from in a dict",
        """
        def rate(): return 1
        def price(): return rate()
        heat(price)
        rate.__code__ = (lambda: 2).__code__
        heat(price)
        """,
        """
        RATES = {"now": lambda: 1}
        def price(): return RATES["now"]()
        heat(price)
        RATES["now"] = lambda: 2
        heat(price)
        """,
    ),
    Case(
        "the defaults of a function",
        "before.rate.__defaults__",
        "A function gets other defaults: assign that before it is hot",
        """
        def rate(number=1): return number
        def price(): return rate()
        heat(price)
        rate.__defaults__ = (2,)
        heat(price)
        """,
        """
        def rate(number=1): return number
        def price(): return rate()
        rate.__defaults__ = (2,)
        heat(price)
        heat(price)
        """,
    ),
    Case(
        "a switch",
        "before.DEBUG",
        "It goes from value to value: pass it as an argument, or keep it in an instance",
        """
        DEBUG = False
        def log(): return DEBUG
        for _ in range(6):
            heat(log)
            DEBUG = not DEBUG
        """,
        """
        def log(debug): return debug
        for number in range(6):
            heat(lambda debug=number % 2 == 1: log(debug))
        """,
    ),
    Case(
        "the object that is in use now",
        "before.planner",
        "It changes all the time: keep it in an instance or a list, or pass it as an argument",
        """
        class Planner: pass
        def plan(): return planner
        for _ in range(9):
            planner = Planner()
            heat(plan)
        """,
        """
        class Planner: pass
        def plan(planner): return planner
        for _ in range(9):
            planner = Planner()
            heat(lambda planner=planner: plan(planner))
        """,
    ),
)
# What CPython reports to nobody is no cause.
CLASS_ASSIGNED = """
    class Loud:
        def speak(self): return "QUACK"
    class Quiet:
        def speak(self): return "quack"
    duck = Loud()
    def hear(duck): return duck.speak()
    for kind in (Quiet, Loud, Quiet):
        heat(lambda: hear(duck))
        duck.__class__ = kind
"""
LIBRARY = """
COUNT = 0
def count():
    global COUNT
    COUNT += 1
"""
HEAT = """
def heat(function):
    for _ in range(120):
        function()
"""


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Facet]]:
    """The causes of all programs `before`, and of all `after`: modules of one program each."""
    programs = Programs(tmp_path_factory.mktemp("advice"))
    programs.write(HEAT, "heating.py")
    programs.write(LIBRARY, "site-packages/counting.py")
    start = "import sys\nsys.path.append('site-packages')\n"
    found = {}
    for which in ("before", "after"):
        programs.write("RATE = 2", "settings.py")
        texts = {f"{which}_{number}": getattr(case, which) for number, case in enumerate(CASES)}
        texts["class_assigned"] = CLASS_ASSIGNED
        for name, text in texts.items():
            path = programs.write(text, f"{name}.py")
            path.write_text(f"from heating import heat\n{path.read_text()}")
        programs.write(start + "".join(f"import {name}\n" for name in texts))
        done = programs.depwatch("record", "-o", "trace.parquet", "program.py")
        assert done.status == 0, done
        found[which] = replay_trace(str(programs.directory / "trace.parquet"), Options()).facets
    return found


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name.replace(" ", "_") for case in CASES])
def test_the_advice_names_the_cause_and_makes_it_vanish(number: int, replayed: dict[str, list[Facet]]) -> None:
    case = CASES[number]
    name = case.facet.replace("before", f"before_{number}")
    (facet,) = (facet for facet in replayed["before"] if facet.facet == name)
    assert facet.dropped > 0
    assert advice(facet).startswith(case.said)
    others = [facet.facet for facet in replayed["before"] if facet.facet.startswith(f"before_{number}.")]
    assert others in ([facet.facet], [])  # of another module, such as sys


def test_what_was_written_by_the_advice_drops_nothing_any_more(replayed: dict[str, list[Facet]]) -> None:
    left = [(facet.facet, facet.dropped) for facet in replayed["after"]]
    assert left == [(case.facet, case.left) for case in CASES if case.left]


def test_an_assigned_class_of_an_instance_is_no_cause(replayed: dict[str, list[Facet]]) -> None:
    assert [facet.facet for facet in replayed["before"] if facet.facet.startswith("class_assigned.")] == []
