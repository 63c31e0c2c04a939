"""What a program changes: four namespaces and their builtins, a family of classes, some functions."""

import builtins
import contextlib
import importlib
import importlib.machinery
import itertools
import sys
import textwrap
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import depwatch
from fuzz import keys, values
from fuzz.values import Value

NAMES = ("rate", "area", "size", "kind")
MAY_LEAVE_OBJECT = sys.version_info >= (3, 15)
MISSES_INSTANCE_STORES = sys.version_info[:3] == (3, 13, 0)  # gh-125608: such a dict is refused there


def references(held: Any) -> int:
    """How many there are: a number to compare, as versions of CPython count the arguments of calls differently."""
    return sys.getrefcount(held)


def _references_of_two() -> int:
    """Of what one attribute and one variable hold."""
    holder = types.SimpleNamespace(held={})
    held = holder.held
    return references(held)


REFERENCES = _references_of_two()


class Space:
    """A namespace: the dict, and what holds it."""

    def __init__(self, kind: str, owner: Any, mapping: dict[str, Any]) -> None:
        self.kind = kind  # "dict", "module" or "instance"
        self.owner = owner
        self.dict: dict[str, Any] | None = mapping  # None once it is gone

    def builtins_of_function(self) -> dict[str, Any]:
        """Those of a function that is made in it now."""
        return self._builtins(vars(builtins))

    def _builtins(self, default: dict[str, Any]) -> dict[str, Any]:
        assert self.dict is not None
        found = self.dict.get("__builtins__", default)
        return vars(found) if type(found) is types.ModuleType else found

    def builtins_given(self) -> dict[str, Any] | None:
        """Those, or None while it has none: only code that is run in it will give it the usual ones."""
        assert self.dict is not None
        return self._builtins({}) if "__builtins__" in self.dict else None

    def drop(self) -> None:
        """Nobody of the world has it any more. It dies here if nobody else has it, and lives on unchanged if so."""
        owner, mapping = self.owner, self.dict
        if owner is None:
            alone = references(mapping) == REFERENCES
        else:  # it may have another dict by now
            has_it = getattr(owner, "__dict__", None) is mapping
            alone = has_it and references(owner) == REFERENCES and references(mapping) == REFERENCES + 1
        if alone:
            self.owner = self.dict = None

    def function(self, code: types.CodeType) -> types.FunctionType:
        """A function of this namespace. Its builtins are looked up now, as CPython does it."""
        assert self.dict is not None
        return types.FunctionType(code, self.dict)


class Holder:
    """An instance with a dict."""


class OtherHolder:
    """Another, which an instance may become."""


class Box:
    """A place for a class or function. What is dropped may live on until the collector has run."""

    def __init__(self, item: Any) -> None:
        self._item: Any = item
        self._weak = weakref.ref(item)

    @property
    def item(self) -> Any:
        """The class or function, or None once it is dead."""
        return self._item if self._item is not None else self._weak()

    def drop(self) -> None:
        self._item = None


# What code that is run in a namespace finds in its builtins.
VALUES: list[Any] = []  # what it stores
_OURS = {"VALUES": VALUES, "nullcontext": contextlib.nullcontext, "getframe": sys._getframe}
_USUAL = ("BaseException", "ExceptionGroup", "ValueError", "eval", "exec", "globals", "int", "locals", "vars")
HELPERS = _OURS | {each: vars(builtins)[each] for each in (*_USUAL, "__build_class__", "__import__", "__name__")}


def _with_names(source: str) -> Iterator[tuple[str, str]]:
    for number, name in enumerate(NAMES):
        yield name, source.replace("NAME", name).replace("OTHER", NAMES[(number + 1) % len(NAMES)])


def code_at_top(source: str) -> dict[str, types.CodeType]:
    """Code to be run in a namespace, for each name."""
    return {name: compile(written, "<fuzz>", "exec") for name, written in _with_names(source)}


def code_of_function(source: str, parameters: str = "") -> dict[str, types.CodeType]:
    """Code of a function to which the names are globals, for each name."""
    codes = {}
    for name, written in _with_names(
        f"def f({parameters}):\n    global NAME, OTHER\n" + textwrap.indent(source, "    ")
    ):
        space: dict[str, Any] = {}
        exec(written, space)
        codes[name] = space["f"].__code__
    return codes


LOAD = code_of_function("return NAME")
STORE = code_of_function("NAME = value", "value")
DELETE = code_of_function("del NAME")


class Loader:
    """Executes the module anew at each reload: some names are stored again, others stay."""

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        given = self.lazy.pop(module.__name__, None)
        vars(module).update(self.reloads if given is None else given)

    reloads: dict[str, Any] = {}
    lazy: dict[str, dict[str, Any]] = {}  # by name: what modules have that are imported lazily


class Finder:
    """Finds the module of the program that is being run."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        ours = name == MODULE or name in LOADER.lazy
        return importlib.machinery.ModuleSpec(name, LOADER) if ours else None


MODULE = "depwatch_fuzz_module"
LOADER, FINDER = Loader(), Finder()
HAS_LAZY_IMPORTS = sys.version_info >= (3, 15)
_numbers = itertools.count()


def lazy_import(value: Any) -> dict[str, Any]:
    """{"lazy": what stands for an import that gives this value}."""
    module = f"{MODULE}_lazy_{next(_numbers)}"
    LOADER.lazy[module] = {"lazy": value}
    names: dict[str, Any] = {"__builtins__": HELPERS | {"__lazy_import__": vars(builtins)["__lazy_import__"]}}
    exec(f"lazy from {module} import lazy", names)
    del names["__builtins__"]
    return names


def _function(number: int) -> types.FunctionType:
    """A function with defaults and keyword defaults, from one of a few code objects."""

    def first(a: int = 1, *, b: int = 2) -> object:
        return (a, b, number)

    def second(a: int = 1, *, b: int = 2) -> object:
        return (b, a, number)

    made = (first, second)[number & 1]
    made.__defaults__ = (number,)
    made.__kwdefaults__ = {"b": Value()}
    return made


class World:
    """Everything that one program can change. close() undoes what reaches outside."""

    def __init__(self) -> None:
        self.step = 0
        self.transient = False  # this step changes something and changes it again
        self.modules = 0  # every second one is a Config
        self.module_classes = 0  # how often the module got another class
        self.mros = 0  # how often bases were assigned while an mro() might run
        self.between: Callable[[], None] | None = None  # what the next mro() does
        keys.begin()
        self.fake_builtins: dict[str, Any] = HELPERS | {"rate": 1.5, "area": Value()}
        self.other_builtins: dict[str, Any] = HELPERS | {"rate": 2.5, "size": Value()}
        vars(builtins).update(_OURS)
        self.spaces = [self.new_space(kind) for kind in ("dict", "module", "instance", "dict")]
        self.metaclass = type("Meta", (type,), {})
        self.foreign = type("Foreign", (), {"area": Value(), "__module__": "fuzz"})  # a base that comes and goes
        self.classes: list[Box] = []
        for number in range(8):
            self.classes.append(Box(self.new_class(number)))
        # Some bases have other subclasses too. With its only subclass, a base loses its table of subclasses.
        self.siblings = [
            type("Sibling", (base,), {}) for base in (self.foreign, *(self.classes[i].item for i in (0, 2, 3, 4)))
        ]
        self.mro_metaclass = type("MroMeta", (type,), {})
        self.mro_classes = [self.mro_metaclass("WithMro", (self.classes[i].item,), {}) for i in (1, 4, 7)]
        self.functions = [Box(_function(number)) for number in range(3)]
        self.facts = [depwatch.Fact(Value(), "first"), depwatch.Fact(1.5, "second")]
        self.codes = [_function(number).__code__ for number in range(4)]
        self.cached: list[Any] = []  # values that CPython's cache of attributes may still have
        self.kept: list[Any] = []  # values that the program keeps, and may store again
        self.taken: list[Any] = []  # keys: see takes()
        self.closers: list[Callable[[], None]] = []
        sys.meta_path.insert(0, FINDER)
        LOADER.reloads = {"rate": 2.5, "size": Value()}

    def close(self) -> None:
        keys.Odd.meddle = None
        for close in self.closers:
            close()
        for name in (*NAMES, *_OURS):
            vars(builtins).pop(name, None)
        sys.meta_path.remove(FINDER)
        sys.modules.pop(MODULE, None)
        LOADER.lazy.clear()
        for module in [module for module in sys.modules if module.startswith(f"{MODULE}_lazy_")]:
            del sys.modules[module]

    def mro(self, cls: type) -> list[type]:
        """That of the metaclass, while it has one."""
        between, self.between = self.between, None
        if between is not None:
            between()
        return type.mro(cls)

    def value(self, number: int) -> Any:
        """A value by a number below 256. The program keeps some of the new ones."""
        if number >= 236 and self.kept:
            return self.kept[number % len(self.kept)]
        value = values.make(number)
        if number % 5 == 0:
            self.kept.append(value)
            del self.kept[:-8]
        return value

    def takes(self, value: Any) -> None:
        """It goes from a dict in a way in which CPython's callback cannot tell whether somebody still has it."""
        self.taken.append(values.key_of(value))

    def module_is_special(self) -> bool:
        """Whether the class of the module has a say in its attributes."""
        return type(self.spaces[1].owner) not in (types.ModuleType, depwatch.Config)

    def publish_module(self) -> None:
        """Have the import system find the module, whatever happened to its name."""
        module = self.spaces[1].owner
        module.__name__ = MODULE
        module.__spec__ = importlib.machinery.ModuleSpec(MODULE, LOADER)
        sys.modules[MODULE] = module

    # --- namespaces -------------------------------------------------------------------------------------------------

    def new_space(self, kind: str) -> Space:
        if kind == "dict":
            space = Space(kind, None, {"__builtins__": self.fake_builtins})
        elif kind == "module":
            self.modules += 1
            module = types.ModuleType(MODULE) if self.modules % 2 else depwatch.Config()
            module.__name__ = MODULE
            module.__spec__ = importlib.machinery.ModuleSpec(MODULE, LOADER)
            sys.modules[MODULE] = module
            exec("", vars(module))  # gives it "__builtins__"
            space = Space(kind, module, vars(module))
        else:
            holder = Holder()
            holder.rate = 1.5
            exec("", vars(holder))
            space = Space(kind, holder, vars(holder))
        assert space.dict is not None
        for name in NAMES[::2]:
            space.dict[name] = Value()
        return space

    def space(self, number: int) -> Space:
        return self.spaces[number % len(self.spaces)]

    def renew_space(self, number: int) -> None:
        """Drop a namespace for a new one."""
        index = number % len(self.spaces)
        old = self.spaces[index]
        self.spaces[index] = self.new_space(old.kind)
        old.drop()

    # --- classes ----------------------------------------------------------------------------------------------------

    def new_class(self, number: int) -> type:
        """0, 5: roots, 5 with slots and a metaclass. 1, 2: from 0. 3: from 1. 4: from 1 and 2. 6, 7: far below."""
        of = [box.item for box in self.classes]
        bases = {0: (), 1: of[:1], 2: of[:1], 3: of[1:2], 4: of[1:3], 5: (), 6: of[3:4], 7: [*of[6:7], *of[2:3]]}[
            number
        ]
        body: dict[str, Any] = {"__module__": "fuzz", NAMES[number % 4]: Value()}
        if number == 5:
            body |= {"__slots__": ("slot", "kind"), "__doc__": "root with slots"}
            return self.metaclass("C5", (), body)
        try:
            return type(f"C{number}", tuple(bases), body)
        except TypeError:  # the bases are in such an order by now that there is no MRO
            return type(f"C{number}", tuple(bases[:1]), body)

    def renew_class(self, number: int) -> None:
        """Drop a class for a new one; it dies when the collector has run and no subclass needs it."""
        index = number % len(self.classes)
        self.classes[index].drop()
        self.classes[index] = Box(self.new_class(index))

    # --- functions --------------------------------------------------------------------------------------------------

    def renew_function(self, number: int) -> None:
        index = number % len(self.functions)
        self.functions[index].drop()
        self.functions[index] = Box(_function(number))
