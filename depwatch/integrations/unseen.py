"""What a client says of the look-ups that nothing reports changes of: it refuses them by name, warns, or goes on."""

import collections
import dis
import gc
import sys
import types
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, final

import depwatch

type OnUnseen = Literal["raise", "warn", "ignore"]

_NAMED: Final = 5  # in one message
_DEEPEST: Final = 10  # levels of tuples and dicts
_MUTABLE: Final = (list, set, bytearray, memoryview, collections.deque)
_PLAIN: Final = frozenset(map(id, (int, float, complex, str, bytes, bool, types.NoneType, types.EllipsisType, range)))
_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE, which a class statement sets, but never ...
_IMMUTABLE_TYPE: Final = 1 << 8  # ... Py_TPFLAGS_IMMUTABLETYPE
_flags_of: Final[Any] = vars(type)["__flags__"].__get__


class UnseenWarning(UserWarning):
    """The results of a function rest on something that nothing reports changes of."""


@final
class Policy:
    """What a client was told by its options on_unseen and ignore. Raises TypeError, ValueError."""

    def __init__(self, on_unseen: OnUnseen, ignore: Collection[str]) -> None:
        if on_unseen not in ("raise", "warn", "ignore"):
            raise ValueError(f'on_unseen is {on_unseen!r}; it must be "raise", "warn" or "ignore"')
        self.ignore: Final = frozenset((ignore,) if isinstance(ignore, str) else ignore)
        if not all(isinstance(name, str) for name in self.ignore):
            raise TypeError(f"ignore must have the names of what to take on trust, as str, not {ignore!r}")
        self.on_unseen: Final = on_unseen
        self._said: Final[set[str]] = set()
        self._looked_at: dict[int, types.CellType] = {}  # the cells of what was judged last

    def judged(
        self,
        found: depwatch.Found,
        trusted: Collection[str] = (),
        cells: tuple[Any, ...] | None = None,
        own: Collection[str] = (),
        mutable: Iterable[tuple[str, str]] = (),
    ) -> depwatch.Found:
        """What was found, less what is ignored by name. Raises Unwatchable, or warns, for what nothing reports.

        The client answers for opaque look-ups of the causes in `trusted`, and of what `own` names; it says which of the
        cells count, and which names hold something mutable.
        """
        if cells is not None:
            found = found.only(lambda read: True, lambda cell: any(cell is each for each in cells))
        unseen: list[str] = []
        if self.on_unseen != "ignore":
            told = [f"{name}, which is {what}" for name, what in mutable if name not in self.ignore]
            unseen = list(dict.fromkeys((*told, *self._unseen(found, trusted, own))))
        if unseen:
            shown = "; ".join((*unseen[:_NAMED], *([f"{len(unseen) - _NAMED} more"] if len(unseen) > _NAMED else ())))
            text = (
                f"{found.function.__qualname__} reads what nothing reports changes of: {shown}. Pass it as an "
                'argument, take it on trust by ignore=("NAME", ...), or all of it by on_unseen="ignore"'
            )
            if self.on_unseen == "raise":
                raise depwatch.Unwatchable(text)
            if text not in self._said:
                self._said.add(text)
                warnings.warn(text, UnseenWarning, stacklevel=4)
        self._looked_at = {id(cell.cell): cell.cell for cell in found.cells}
        if not self.ignore:
            return found
        return found.only(
            lambda read: read.kind == "function" or read.name not in self.ignore,
            lambda cell: cell.name not in self.ignore,
        )

    def _unseen(self, found: depwatch.Found, trusted: Collection[str], own: Collection[str]) -> Iterator[str]:
        for read, reason in found.refused:
            if read.name not in self.ignore and (read.via is None or read.via.name not in self.ignore):
                yield f"{read} ({reason})"
        for each in found.opaque:
            if each.kind == "world" and each.cause not in trusted and not any(name in each.text for name in own):
                names = names_in(each.code, each.line)
                if not self.ignore.intersection(names):
                    using = f", which uses {', '.join(names)}" if names else ""
                    yield f"{each.text} in line {each.line} of {each.code.co_qualname}{using}"
        for cell in found.cells:
            if cell.name not in self.ignore and id(cell.cell) not in self._looked_at:
                culprit = rebinds(cell.cell)
                if culprit is not None:
                    yield f"variable {cell.name!r} of a function around it, which {culprit.__qualname__} assigns"


def names_in(code: types.CodeType, line: int | None) -> tuple[str, ...]:
    """The variables and attributes that code loads in a line."""
    names: dict[str, None] = {}
    for step in dis.get_instructions(code):
        if step.positions is not None and step.positions.lineno == line:
            if step.opname.startswith("LOAD_") and "CONST" not in step.opname:
                given = step.argval if isinstance(step.argval, tuple) else (step.argval,)
                names.update((name, None) for name in given if isinstance(name, str))
    return tuple(names)


def rebinds(cell: types.CellType) -> types.FunctionType | None:
    """A function that shares the cell and assigns the variable.

    Not seen: the running function whose variable it is, and `cell.cell_contents = ...`. So who relies on a cell also
    compares it. Cost: a look at each object of the process, as a cell does not know who has it.
    """
    for closure in gc.get_referrers(cell):
        if type(closure) is not tuple:
            continue
        for function in gc.get_referrers(closure):
            if type(function) is types.FunctionType and function.__closure__ is closure:
                for name, each in zip(function.__code__.co_freevars, closure, strict=True):
                    if each is cell and _assigns(function.__code__, name):
                        return function
    return None


def _assigns(code: types.CodeType, name: str) -> bool:
    for step in dis.get_instructions(code):
        if step.opname in ("STORE_DEREF", "DELETE_DEREF") and step.argval == name:
            return True
    inner = (each for each in code.co_consts if isinstance(each, types.CodeType))
    return any(name in each.co_freevars and _assigns(each, name) for each in inner)


def types_of(function: types.FunctionType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[type, ...]:
    """The argument_types for discover() of a call; int stands for all plain data. Empty where any may be any.

    discover() takes a parameter that it is not told of for its default: so all that are given are told, or none.
    """
    code = function.__code__
    names, defaults = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount], function.__defaults__ or ()
    given = list(args[: code.co_argcount])
    left = [name for name in names if name in kwargs]
    for index in range(len(given), code.co_argcount):
        if not left:
            break
        default = index - code.co_argcount + len(defaults)
        if names[index] in left:
            left.remove(names[index])
            given.append(kwargs[names[index]])
        elif default >= 0:
            given.append(defaults[default])
    kinds = tuple(int if id(type(each)) in _PLAIN else type(each) for each in given)
    return () if left or not all(map(_is_told, given)) else kinds


def _is_told(value: object) -> bool:
    """Whether its class says what it does: not so for functions, classes, iterators and what else holds some."""
    kind = type(value)
    return id(kind) in _PLAIN or kind is tuple or kind is frozenset or is_of_program(value)


def is_of_program(value: object) -> bool:
    """Whether it is an instance of a class of the program, and itself no class."""
    kind = type(value)
    return _flags_of(kind) & (_HEAP_TYPE | _IMMUTABLE_TYPE) == _HEAP_TYPE and not issubclass(kind, type)


def mutable_in(
    found: depwatch.Found, is_own: Callable[[object], bool], more: Mapping[type, str]
) -> list[tuple[str, str]]:
    """Names of what can change inside, with what it is: for a compiler that copies values into its code.

    is_own: whether a value is the compiler's own. more: words for classes that are not built in.
    """

    def told(value: Any, depth: int) -> str:
        if value is depwatch.MISSING or value is sys.modules or is_own(value):
            return ""
        for kind, text in more.items():
            if isinstance(value, kind):
                return text
        if isinstance(value, _MUTABLE) or depth > _DEEPEST:
            return f"a {type(value).__name__}"
        if type(value) is tuple or type(value) is dict:
            inside = list(value.values()) if type(value) is dict else value
            return next(filter(None, (told(each, depth + 1) for each in inside)), "")
        return f"an instance of {type(value).__qualname__}" if is_of_program(value) else ""

    named = [(read.name, read.value) for read in found.reads if read.kind != "whole"]
    named += [(cell.name, cell.value) for cell in found.cells]
    return [(name, what) for name, value in named if (what := told(value, 0))]


def checks_more(found: depwatch.Found, more: int = 0) -> bool:
    """Whether it rests on more than cells that changes without an event: found.same_unwatched() has to be asked then.

    A module that is read adds one check, and of that change depwatch hears from CPython. more: checks that the client
    answers for.
    """
    modules = {id(read.owner) for read in (*found.reads, *(each for each, _ in found.refused)) if read.kind == "module"}
    return len(found.checks) > len(modules) + more
