"""Lazy imports (PEP 810, CPython 3.15+): names that stand for an import which is not made yet."""

import itertools
import sys
import types

_numbers = itertools.count()


class Modules:
    """Modules that can be imported lazily, each with a K of its own. close() forgets them."""

    def __init__(self, folder):
        self.folder = folder
        self._before = set(sys.modules)
        sys.path.insert(0, str(folder))

    def close(self):
        sys.path.remove(str(self.folder))
        for name in set(sys.modules) - self._before:
            if name.startswith("lazily_"):
                del sys.modules[name]

    def new(self, source):
        name = f"lazily_{next(_numbers)}"
        (self.folder / f"{name}.py").write_text(source)
        return name

    def placeholder(self, source="K = 2"):
        """What `lazy from module import K` stores. In a dict: a variable would resolve it when it is loaded."""
        names = {"__name__": "lazily"}
        exec(f"lazy from {self.new(source)} import K", names)
        return {"K": dict.pop(names, "K")}


def kind(names, name="K"):
    """The type of what a dict holds, without loading it."""
    return type(dict.get(names, name)).__name__


def is_there(names, name="K"):
    return kind(names, name) == "lazy_import"


def loads(names, name="K"):
    """A function that loads a global."""
    return types.FunctionType(compile(f"{name}\n", "<load>", "eval"), names)
