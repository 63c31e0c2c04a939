"""Choices: the Python code that chooses or makes an implementation while numba compiles, and what that reads."""

import functools
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from numba.core.dispatcher import Dispatcher
from numba.core.typing.templates import _IntrinsicTemplate, _OverloadFunctionTemplate

from depwatch import MISSING, Opaque, Unwatchable, discover
from depwatch.discovery import Found
from depwatch.discovery import Read as Discovered
from depwatch.discovery.uses import uses
from depwatch.integrations.numba.compilation import stack
from depwatch.integrations.numba.own import is_followed, is_numbas, is_numbas_own, is_of_program
from depwatch.integrations.numba.reads import JittedRead, Read, VariableRead, from_discovered
from depwatch.integrations.numba.refusals import is_constant, is_constant_kind
from depwatch.naming import is_immutable
from depwatch.values import along_mro, brief, is_a, mro_of

OTHERWISE: Final = "keep it in a global, an attribute of a module or class, a tuple, or an item of a dict"
JITTED: Final = ("py_func", "__wrapped__")  # where a dispatcher has the Python function
SETTLES_AFTER: Final = 2  # runs in which a chooser changes what it reads, a counter for example


class Chooser:
    """The code behind one template of numba's, and what it was found to read when it ran last."""

    def __init__(self, code: Any) -> None:
        self.code: Final = code
        self._found: Found | None = None
        self._jitted: list[JittedRead] = []
        self._unsettled = 0

    def _look(self) -> Found | None:
        """What it reads now; None if nobody knows."""
        code = self.code
        for call in along_mro(type(code), "__call__"):
            if type(call) is types.FunctionType:  # an object of the program's that can be called
                code = types.MethodType(call, code)
        try:
            return discover(code, follow=is_followed)
        except TypeError:
            return None

    def choose(self, cache: dict[Any, Any], make: Callable[[], Any]) -> Any:
        """What numba gets from the chooser, or has from it still. Notes what that rests on for what is compiled now."""
        before = self._look()
        jitted = _jitted(before)
        if before is not self._found or any(
            now.value is not then.value for now, then in zip(jitted, self._jitted, strict=True)
        ):
            cache.clear()
        self._found, self._jitted = before, jitted
        used = Used(self, before, jitted)
        stack[-1].used.append(used)
        made = make()
        if isinstance(made, tuple) and made and made[0] is not None:
            used.made = getattr(getattr(made[0], "py_func", None), "__code__", None)
        after = self._look()
        if after is before:
            self._unsettled = 0
        elif self._unsettled < SETTLES_AFTER:
            self._unsettled += 1
            self._found = None
            stack[-1].unsettled = True
        else:
            self._found = used.found = after
            self._jitted = used.jitted = _jitted(after)
        return made


class Used:
    """What one piece of code got from a chooser."""

    __slots__ = ("chooser", "found", "jitted", "made")

    def __init__(self, chooser: Chooser, found: Found | None, jitted: list[JittedRead]) -> None:
        self.chooser: Final = chooser
        self.found = found
        self.jitted = jitted
        self.made: types.CodeType | None = None  # the implementation: its own reads are noted where it is compiled

    @property
    def holds(self) -> bool:
        return (
            self.found is not None
            and self.found.holds()
            and all(read.value is vars(read.dispatcher).get(read.name, MISSING) for read in self.jitted)
        )

    def reads(self) -> Iterator[Read]:
        """What the choice rests on. Raises Unwatchable for what cannot be seen."""
        name, found = brief(self.chooser.code), self.found
        if found is None:
            raise Unwatchable(
                f"{name} chooses an implementation, and nobody knows what it reads; use a Python function"
            )
        for read, reason in found.refused:
            if not is_numbas(read.owner):
                raise Unwatchable(f"{name} chooses an implementation by {read}: {reason}")
        codes = _codes(found)
        not_run = _all_in(self.made) if self.made is not None else frozenset()
        not_run = not_run.union(*(_all_in(inner) for code in codes for inner in _only_returned(code)))
        for opaque in found.opaque:
            if opaque.code not in not_run and not _asks_for_function(opaque):
                _check(name, opaque)
        yield from self.jitted
        inside = frozenset().union(*map(_all_in, codes))
        elsewhere = {name for code in inside if not self._is_in_made(code) for name in code.co_names}
        for read in found.reads:
            if not is_numbas(read.owner) and not self._is_of_made(read, elsewhere):
                yield from_discovered(read)
        for cell in found.cells:
            if cell.name != "__class__":
                yield VariableRead(found.function, cell.name, cell.cell)

    def _is_of_made(self, read: Discovered | None, elsewhere: set[str]) -> bool:
        """Whether only the implementation reads that. discover() tells of one reader of each: names show others."""
        while read is not None:
            if read.code is not None and self._is_in_made(read.code) and read.name not in elsewhere:
                return True
            read = read.via
        return False

    def _is_in_made(self, code: types.CodeType) -> bool:
        return self.made is not None and code in _all_in(self.made)


def _codes(found: Found) -> list[types.CodeType]:
    """The code of the chooser and of the functions that it calls."""
    return [read.value for read in found.reads if read.kind == "function" and read.name == "code"]


@functools.lru_cache(maxsize=64)
def _all_in(code: types.CodeType) -> frozenset[types.CodeType]:
    inner = (_all_in(each) for each in code.co_consts if isinstance(each, types.CodeType))
    return frozenset((code,)).union(*inner)


@functools.lru_cache(maxsize=64)
def _only_returned(code: types.CodeType) -> tuple[types.CodeType, ...]:
    """The nested code that this code makes functions of which it returns and does nothing else with."""
    found = uses(code)
    made = {number: found.uses[what[2]][2] for number, what in enumerate(found.uses) if what[0] == "made"}
    asked: set[int] = set()
    for what, _, *operands in found.uses:
        if what not in ("made", "variable", "join", "constant"):
            asked.update(_numbers(operands))
    inner = []
    for number, index in made.items():
        names = {name for name, stored in found.stores.items() if number in stored}
        loads = {n for n, what in enumerate(found.uses) if what[0] == "variable" and what[2] in names}
        if not asked & {number, *loads}:
            inner.append(code.co_consts[index])
    return tuple(inner)


def _numbers(operands: Iterable[Any]) -> Iterator[int]:
    for each in operands:
        if isinstance(each, int):
            yield each
        elif isinstance(each, tuple):
            yield from _numbers(each)


def _asks_for_function(opaque: Opaque) -> bool:
    """Whether this takes the Python function from behind a dispatcher: the dispatcher's dict tells when it changes."""
    return is_a(opaque.about, Dispatcher) and opaque.cause == "instance" and _attribute(opaque) in JITTED


def _attribute(opaque: Opaque) -> str:
    return opaque.text.removeprefix(".").partition(" ")[0]


def _jitted(found: Found | None) -> list[JittedRead]:
    """What a chooser takes from behind dispatchers."""
    opaques = () if found is None else found.opaque
    return [JittedRead(each.about, _attribute(each)) for each in opaques if _asks_for_function(each)]


def _check(name: str, opaque: Opaque) -> None:
    """Raises Unwatchable if a look-up in the program's own code can have another result without anybody being told."""
    if opaque.kind != "world" or opaque.cause in ("class", "import") or not is_of_program(opaque.code):
        return
    if is_constant(opaque.about) or (opaque.cls is not None and _tells_the_same(opaque.cls, opaque.cause)):
        return
    if is_a(opaque.about, Dispatcher):
        raise Unwatchable(
            f"{name} chooses an implementation by what the compiled {opaque.about.py_func.__qualname__} gives "
            f"({opaque.code.co_filename}:{opaque.line}), and nobody knows what that reads there; call its py_func"
        )
    remedy = "write it without that" if opaque.cause == "dynamic" else OTHERWISE
    raise Unwatchable(
        f"{name} chooses an implementation by {opaque.text} ({opaque.code.co_filename}:{opaque.line}), and nobody is "
        f"told when that changes; {remedy}"
    )


def _tells_the_same(cls: type, cause: str) -> bool:
    """Whether what an instance of a class is asked is numba's own; of an extension type's, what super() finds."""
    if cause == "super":
        return all(is_immutable(base) or is_numbas(base) for base in mro_of(cls)[1:])
    return is_constant_kind(cls)


_choosers: Final[weakref.WeakKeyDictionary[type, Chooser | None]] = weakref.WeakKeyDictionary()


def _chooser(template: type, code: Any) -> Chooser | None:
    """Who chooses for a template; None for numba's own code."""
    try:
        return _choosers[template]
    except KeyError:
        inner = code
        while type(inner) in (functools.partial, types.MethodType):
            inner = inner.func if type(inner) is functools.partial else inner.__func__
        own = type(inner) is types.FunctionType and is_numbas_own(inner)
        found = _choosers[template] = None if own else Chooser(code)
        return found


def _by_numba(cache: dict[Any, Any], make: Callable[[], Any]) -> Any:
    """What numba's own code chooses. It is not kept if that asked choosers of the program (as getattr() does)."""
    if not stack:
        return make()
    kept, used = len(cache), len(stack[-1].used)
    made = make()
    if len(stack[-1].used) > used:
        for key in list(cache)[kept:]:
            del cache[key]
    return made


def follow() -> None:
    """Let all that numba asks choosers for come by here."""
    get_impl, generic = _OverloadFunctionTemplate._get_impl, _IntrinsicTemplate.generic

    @functools.wraps(get_impl)
    def choose_overload(self: Any, args: Any, kws: Any) -> Any:
        chooser = _chooser(type(self), self._overload_func) if stack else None
        if chooser is None:
            return _by_numba(self._impl_cache, lambda: get_impl(self, args, kws))
        return chooser.choose(self._impl_cache, lambda: get_impl(self, args, kws))

    @functools.wraps(generic)
    def choose_intrinsic(self: Any, args: Any, kws: Any) -> Any:
        chooser = _chooser(type(self), self._definition_func) if stack else None
        if chooser is None:
            return _by_numba(self._impl_cache, lambda: generic(self, args, kws))
        return chooser.choose(self._impl_cache, lambda: generic(self, args, kws))

    _OverloadFunctionTemplate._get_impl = choose_overload
    _IntrinsicTemplate.generic = choose_intrinsic
