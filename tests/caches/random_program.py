"""A program in two copies, with caches and without; random changes are made in both, also during a computation."""

import random
import threading
import types

TEXT = """
RATE, BASE = 2, 1
class Tax:
    percent = 10
    @cache
    def of(self, x): return x * Tax.percent
    __hash__ = object.__hash__
tax = Tax()
def helper(x, more=1): return x * cfg.RATE + more
def spare(x, more=2): return x - BASE
def decorate(function):
    def call(*args, **kwargs): return function(*args, **kwargs)
    return call
@decorate
def decorated(x): return x + BASE * RATE
@cache
def inner(x):
    interfere(1)
    return helper(x) + RATE
@cache
def summed(n): return BASE if n < 1 else summed(n - 1) + inner(n)
@cache
def price(x, y=3):
    first = inner(x) + y
    interfere(2)
    return first + helper(x) + decorated(x) + Tax.percent
@lru_cache(maxsize=2)
def little(x, *, by=1):
    interfere(1)
    return price(x) * 10 + BASE
@cache
def fails(x):
    if x == cfg.RATE: raise KeyError(x)
    return x + cfg.RATE
"""
CALLS = ["price(N)", "price(N, 4)", "inner(N)", "summed(N)", "little(N)", "fails(N)", "tax.of(N)"]


class Copy:
    """One of the two. interfere() runs what is due at a place of the computation, once."""

    def __init__(self, cache, lru_cache):
        self.cfg = types.ModuleType("cfg")
        self.cfg.RATE = 2
        self.due = {}
        self.names = {"__name__": "program", "cache": cache, "lru_cache": lru_cache, "cfg": self.cfg}
        self.names["interfere"] = lambda place: self.due.pop(place, bool)()
        exec(TEXT, self.names)
        self.codes = [self.names[name].__code__ for name in ("helper", "spare")]
        self.functions = [self.names[name] for name in ("helper", "spare")]

    def change(self, what, value):
        names = self.names
        match what:
            case "module":
                self.cfg.RATE = value
            case "global":
                names["RATE"] = value
            case "base":
                names["BASE"] = value
            case "class":
                names["Tax"].percent = value
            case "callee":
                names["helper"] = self.functions[value % 2]
            case "code":
                self.functions[0].__code__ = self.codes[value % 2]
            case "defaults":
                self.functions[0].__defaults__ = (value,)
            case "shadow":
                names.pop("len", None) if value % 2 else names.update(len=value)
            case "own code":
                inner = names["inner"]
                inner = getattr(inner, "__wrapped__", inner)
                inner.__defaults__ = None if value % 2 else (value,)

    def call(self, text):
        try:
            return eval(text, self.names)
        except KeyError as error:
            return repr(error)


CHANGES = ["module", "global", "base", "class", "callee", "code", "defaults", "shadow", "own code"]


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def run(steps, seed, cached, plain):
    """The calls whose results differ from those of the plain copy."""
    random_ = random.Random(seed)
    wrong = []
    for step in range(steps):
        what, value, undo = random_.choice(CHANGES), random_.randrange(3), random_.random() < 0.5
        call = random_.choice(CALLS).replace("N", str(random_.randrange(4)))
        how = random_.random()

        def change(what=what, value=value):
            cached.change(what, value)
            plain.change(what, value)

        def compare(call=call, step=step):
            got, want = cached.call(call), plain.call(call)
            if got != want:
                wrong.append((step, call, got, want))

        if how < 0.1:  # while a result is computed: which the result may rest on, but not one that is given later
            before = {"module": cached.cfg.RATE, "global": cached.names["RATE"], "base": cached.names["BASE"],
                      "class": cached.names["Tax"].percent}.get(what)  # fmt: skip
            thread = how < 0.025
            cached.due[1] = (lambda: in_thread(change)) if thread else change
            if undo and before is not None:
                cached.due[2] = lambda: change(value=before)
            cached.call(call)
            for place in (1, 2):
                cached.due.pop(place, bool)()
        elif how < 0.125:
            in_thread(lambda: (change(), compare()))
        elif how < 0.5:
            change()
        compare()
    return wrong
