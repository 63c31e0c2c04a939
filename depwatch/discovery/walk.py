"""What a walk through code gathers: reads, cells, opaque look-ups; and which function was looked at with what."""

import functools
import operator
import types
from collections.abc import Callable, Sequence
from typing import Any, Final

from depwatch import _core, naming
from depwatch.discovery import calls
from depwatch.discovery.abstract import ANY, DATA, UNKNOWN, Value, Values, in_call, is_plain, known, union
from depwatch.discovery.following import Predicate
from depwatch.discovery.frame import Frame
from depwatch.discovery.reads import MISSING, Cause, Cell, Kind, Opaque, OpaqueKind, Read, contents, facet_of, part_of
from depwatch.errors import Unwatchable
from depwatch.values import dict_of_module, mro_of

CO_VARARGS: Final = 4
CO_VARKEYWORDS: Final = 8
CO_SUSPENDS: Final = 0x20 | 0x80 | 0x200  # a generator, a coroutine, an asynchronous generator
MOST_AGAIN: Final = 20  # calls that are looked at again as a function proved to return more than plain data
MOST_CONTEXTS: Final = 4  # sets of arguments with which one function is looked at, before any will do


class Namespace:
    """The globals and the builtins that some functions share, and what their code finds under each name."""

    __slots__ = ("builtins", "found", "names", "watchable")

    def __init__(self, names: Any, builtins: Any) -> None:
        self.names: Final = names
        self.builtins: Final = builtins
        self.watchable: Final = type(names) is dict and type(builtins) is dict
        self.found: Final[dict[str, Values]] = {}


class Walk:
    """One discovery, from its root down."""

    def __init__(
        self,
        follow: Predicate,
        root: types.FunctionType,
        lines: frozenset[int] | None,
        depth: int,
        hidden: frozenset[str],
    ) -> None:
        self.follow: Final = follow
        self.root: Final = root
        self.lines: Final = lines
        self.depth: Final = depth
        self.reads: Final[dict[tuple[Any, ...], Read]] = {}
        self.refused: Final[dict[tuple[Any, ...], tuple[Read, Unwatchable]]] = {}
        self.cells: Final[dict[int, Cell]] = {}
        self.opaque: Final[dict[tuple[Any, ...], Opaque]] = {}
        self.stored: Final[set[str]] = set()  # names of attributes that the code assigns
        self.stores_any = False  # by setattr() or in a __dict__
        self.hidden: Final[frozenset[str]] = hidden  # names that an instance may have an attribute of its own of
        self.not_hidden: Final[set[str]] = set()  # names of which that was not thought
        self.leaves: Final[dict[int, types.FunctionType]] = {}
        self.unwatched: Final[dict[tuple[str, int], Callable[[], bool]]] = {}  # whether what sends no event is the same
        self.returns: Final[dict[tuple[Any, ...], Values]] = {}
        self.recursive: Final[dict[tuple[Any, ...], bool]] = {}  # those being looked at: whether they call themselves
        self.again = 0
        self.not_plain: Final[set[int]] = set()  # functions that call themselves and return more than plain data
        self.contexts: Final[dict[int, int]] = {}
        self.namespaces: Final[dict[tuple[int, int], Namespace]] = {}
        self.kept: Final[list[Any]] = []  # whose id() is in a key

    # --- what is found ---

    def read(
        self, kind: Kind, owner: Any, name: str, via: Read | None, code: types.CodeType | None, line: int | None
    ) -> Read | None:
        """The read of a facet, or None where it is refused and its value not known."""
        if kind == "global":
            key: tuple[Any, ...] = (kind, id(owner.__globals__), id(owner.__builtins__), name)
        else:
            key = (kind, id(owner), name)
        if (before := self.reads.get(key)) is not None:
            return before
        if key in self.refused:
            return None
        read = Read(kind, owner, name, MISSING, via, code, line)
        try:
            self._look(read)
        except Unwatchable as reason:
            self.refused[key] = (read, reason)
            return None
        self.reads[key] = read
        return read

    def namespace_of(self, function: Any) -> Namespace:
        names, builtins = function.__globals__, function.__builtins__
        key = (id(names), id(builtins))
        found = self.namespaces.get(key)
        if found is None:
            found = self.namespaces[key] = Namespace(names, builtins)
        return found

    def look_up_global(self, frame: Frame, name: str) -> Values:
        """What code finds under a name that it has not looked up before. Most of all reads are made here."""
        namespace, function = frame.globals, frame.function
        read: Read | None
        try:
            if not namespace.watchable:
                raise Unwatchable
            facet = _core.facet("global", namespace.names, name, namespace.builtins)
            value = facet.value()
        except Unwatchable:
            read = self.read("global", function, name, frame.via, frame.code, frame.line)  # which keeps the reason
        else:
            found = value[0] if value else MISSING
            read = Read("global", function, name, found, frame.via, frame.code, frame.line, facet)
            self.reads[namespace, name] = read
        values: Values
        if read is None:
            values = ANY
        elif read.value is MISSING:
            values = DATA  # while that is assumed, the look-up raises NameError: what would use the value reads nothing
        else:
            values = (Value("known", read.value, read, "world"),)
        namespace.found[name] = values
        return values

    def _look(self, read: Read) -> None:
        kind, owner, name = read.kind, read.owner, read.name
        if kind == "global":
            if type(owner.__globals__) is not dict or type(owner.__builtins__) is not dict:
                if constant := naming.constant_global(owner, name):
                    read.value = constant[0]
                    return
                naming.global_facet(owner, name, ())  # which says why not
        elif kind == "module":
            if type(owner) is not types.ModuleType or name == "__builtins__":
                naming.module_facet(owner, name)
            owner = dict_of_module(owner)
        elif kind == "whole":
            naming.check_whole(owner)
            read.value, read.items = owner, dict.copy(owner)
            return
        read.facet = facet_of(kind, owner, name)
        read.value = read.look()

    def tell(
        self,
        kind: OpaqueKind,
        cause: Cause,
        code: types.CodeType,
        line: int | None,
        text: str,
        about: Any = MISSING,
        cls: type | None = None,
    ) -> None:
        key = (kind, id(code), line, text, id(about), id(cls))
        if key not in self.opaque:
            self.opaque[key] = Opaque(kind, code, line, text, cause, about, cls)

    def class_seen(self, obj: Any) -> type:
        """The class of an object that the program can give another one."""
        kind = type(obj)
        if kind is types.ModuleType or not naming.is_immutable(kind):
            self.unwatched["class", id(obj)] = lambda: type(obj) is kind
        return kind

    def bases_seen(self, cls: type) -> None:
        """The bases of a class that the program can give other ones."""
        if not naming.is_immutable(cls):
            mro = mro_of(cls)
            self.unwatched["bases", id(cls)] = lambda: mro_of(cls) is mro

    def name_seen(self, cls: type) -> None:
        """The name of a class, of which CPython 3.13+ reports no change."""
        names = _names_of(cls)
        self.unwatched["name", id(cls)] = lambda: all(map(operator.is_, _names_of(cls), names))

    def partial_seen(self, obj: functools.partial[Any]) -> None:
        """What is in a functools.partial, which its __setstate__ exchanges."""
        parts = _parts_of(obj)
        self.unwatched["partial", id(obj)] = lambda: all(map(operator.is_, _parts_of(obj), parts))

    # --- functions ---

    def function(
        self,
        function: types.FunctionType,
        arguments: Sequence[Values] | None,
        keywords: dict[str, Values],
        via: Read | None,
        depth: int,
    ) -> Values:
        """What a call of it returns. arguments: None where they can be any."""
        if not self.follow(function):
            self.leaves[id(function)] = function
            return ANY
        code_read = self._part(function, "code", via)
        defaults = self._part(function, "defaults", via)
        code = function.__code__
        kwdefaults = self._part(function, "kwdefaults", via) if code.co_kwonlyargcount else None
        told = function is not self.root  # of which the first arguments are told, and there may be more
        bound = self._bind(code, arguments, keywords, defaults, kwdefaults, told)
        key = self._context(function, bound)
        if key in self.returns:
            return self._returned(key)
        if self.contexts.get(id(function), 0) > MOST_CONTEXTS:
            bound = self._bind(code, None, {}, defaults, kwdefaults, told)
            key = self._context(function, bound)
            if key in self.returns:
                return self._returned(key)
        self.contexts[id(function)] = self.contexts.get(id(function), 0) + 1
        self.kept.append((function, bound))
        self.returns[key] = ANY
        if depth > self.depth:
            self.tell(
                "world",
                "depth",
                code,
                code.co_firstlineno,
                f"{code.co_qualname}(...) lies deeper than {self.depth} calls",
            )
            return ANY
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            bound[name] = self.cell(name, cell, code_read)
        lines = self.lines if function is self.root else None
        frame = Frame(self, function, code, bound, code_read, depth, lines)
        if code.co_flags & CO_SUSPENDS:
            frame.run()
            return ANY
        result = self.returns[key] = self._run(key, frame)
        return result

    def _run(self, key: tuple[Any, ...], frame: Frame) -> Values:
        """What the code returns. A function that calls itself is taken to return plain data until it proves not to."""
        function = id(frame.function)
        if function not in self.not_plain and self.again < MOST_AGAIN:
            before = len(self.returns)
            self.returns[key] = DATA
            self.recursive[key] = False
            result = frame.run()
            if not self.recursive.pop(key) or all(map(is_plain, result)):
                return result
            self.not_plain.add(function)
            rest_on_it = list(self.returns)[before:]
            self.again += len(rest_on_it) + 1
            for each in rest_on_it:
                del self.returns[each]
            frame = Frame(self, frame.function, frame.code, frame.variables, frame.via, frame.depth, frame.lines)
        self.returns[key] = ANY
        return frame.run()

    def _returned(self, key: tuple[Any, ...]) -> Values:
        if key in self.recursive:
            self.recursive[key] = True
        return self.returns[key]

    def _part(self, function: types.FunctionType, part: str, via: Read | None) -> Read:
        key = ("function", id(function), part)
        found = self.reads.get(key)
        if found is None:
            found = self.reads[key] = Read("function", function, part, part_of(function, part), via, None, None)
        return found

    def cell(self, name: str, cell: types.CellType, via: Read | None) -> Values:
        value = contents(cell)
        if id(cell) not in self.cells:
            self.cells[id(cell)] = Cell(name, cell, value)
        return ANY if value is MISSING else (known(value, via),)

    def _context(self, function: types.FunctionType, bound: dict[str, Values]) -> tuple[Any, ...]:
        return (id(function), *((name, tuple(each.key() for each in values)) for name, values in bound.items()))

    def _bind(
        self,
        code: types.CodeType,
        arguments: Sequence[Values] | None,
        keywords: dict[str, Values],
        defaults: Read,
        kwdefaults: Read | None,
        told: bool,
    ) -> dict[str, Values]:
        """What is known of each parameter. keywords["*"]: of all arguments that are not told, as of f(*arguments)."""
        rest = keywords.get("*", ANY if arguments is None else ())
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        bound: dict[str, Values] = {}
        for index, name in enumerate(names[: code.co_argcount]):
            if arguments is not None and index < len(arguments):
                bound[name] = tuple(map(in_call, arguments[index]))
            elif name in keywords:
                bound[name] = tuple(map(in_call, keywords[name]))
            else:
                bound[name] = rest
        for name in names[code.co_argcount :]:
            given = keywords.get(name)
            bound[name] = tuple(map(in_call, given)) if given else rest
        values = defaults.value
        if type(values) is tuple:
            for name, value in zip(names[code.co_argcount - len(values) : code.co_argcount], values, strict=False):
                self._default(bound, name, value, defaults, rest)
        if kwdefaults is not None and type(kwdefaults.value) is dict:
            for name in names[code.co_argcount :]:
                found = self.read("item", kwdefaults.value, name, kwdefaults, None, None)
                if found is not None and found.value is not MISSING:
                    self._default(bound, name, found.value, kwdefaults, rest)
        for name in names:
            bound[name] = bound[name] or ANY
        more = [flag for flag in (CO_VARARGS, CO_VARKEYWORDS) if code.co_flags & flag]
        for offset, flag in enumerate(more):
            kind = tuple if flag == CO_VARARGS else dict
            more_given: Sequence[Values] = (arguments or ())[code.co_argcount :]
            if flag == CO_VARKEYWORDS:
                more_given = [values for name, values in keywords.items() if name not in names and name != "*"]
            plain = told and all(is_plain(value) for values in (*more_given, rest) for value in values)
            bound[code.co_varnames[len(names) + offset]] = DATA if plain else (Value("instance", kind),)
        return bound

    def _default(self, bound: dict[str, Values], name: str, value: Any, via: Read | None, rest: Values) -> None:
        """The default counts where no argument is known to be given."""
        given = bound[name]
        if not given or UNKNOWN in given or given is rest:
            bound[name] = union((given, (known(value, via),)))

    def checks(self) -> tuple[Callable[[], bool], ...]:
        return tuple(self.unwatched.values())


def _names_of(cls: type) -> tuple[Any, ...]:
    return tuple(part(cls) for part in _NAMES)


def _parts_of(obj: functools.partial[Any]) -> tuple[Any, ...]:
    return tuple(calls.inside(obj, part) for part in ("func", "args", "keywords"))


_NAMES: Final[list[Any]] = [vars(type)[name].__get__ for name in ("__name__", "__qualname__")]
