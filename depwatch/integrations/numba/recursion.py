"""Recursion: functions that call each other, of which numba compiles one before it has seen what the other reads.

The code of one that calls back a function that is still being compiled is open: it may not run, and nobody relies on
what it reads. When that function is done, all of the circle rests on all that any of them reads.
"""

from collections.abc import Iterator
from typing import Any, Final

from numba.core.types import RecursiveCall

from depwatch import Unwatchable
from depwatch.integrations.numba.compilation import Active, stack
from depwatch.integrations.numba.function import function_of
from depwatch.integrations.numba.refusals import is_from_disk
from depwatch.integrations.numba.version import Version

# By open version: where in the stack of compilations its own is, and the outermost that it or a callee calls back.
# Used with numba's compiler lock held.
_open: Final[dict[Version, tuple[int, int]]] = {}


def note(state: Any) -> bool:
    """Note what the typed code that is being compiled calls back; whether there is any. Raises Unwatchable."""
    active = stack[-1]
    compilation = active.compilation
    assert compilation is not None
    calls = {*_calls(state)} - {(active.dispatcher, active.arguments)}
    for dispatcher, arguments in calls:
        depth = next((n for n, a in enumerate(stack) if (a.dispatcher, a.arguments) == (dispatcher, arguments)), None)
        function = function_of(dispatcher)
        name = dispatcher.py_func.__qualname__
        if function is not None and function.plain is not None and compilation.function.on_refusal == "plain":
            continue
        version = None if function is None else function.current.get(arguments)
        if depth is not None and stack[depth].compilation is not None:
            active.outermost = min(active.outermost, depth)
        elif version is not None:
            compilation.called_back.append(version)
        else:
            raise Unwatchable(
                f"{compilation.function.name} and {name} call each other, and {name} is compiled without depwatch, so "
                "nobody knows what it reads; decorate both with njit of this module, or let one function call itself"
            )
    return bool(calls)


def _calls(state: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    for block in state.func_ir.blocks.values():
        for call in block.find_exprs("call"):
            kind = state.typemap.get(call.func.name)
            if isinstance(kind, RecursiveCall):
                yield kind.dispatcher_type.dispatcher, tuple(state.calltypes[call].args)


def outermost(active: Active, callees: list[Version]) -> int:
    """Where in the stack the outermost compilation is that this one, or what it calls, calls back."""
    return min(active.outermost, *(_open[callee][1] for callee in callees if callee in _open), active.depth)


def leave_open(version: Version, active: Active, called_back: int) -> None:
    """The code is as good as done, but for what is being compiled there and what it reads."""
    version.is_open = True
    _open[version] = active.depth, called_back


def members(active: Active) -> list[Version]:
    """Open code that calls back this compilation, and none around it."""
    return [version for version, (depth, back) in _open.items() if depth > active.depth and back >= active.depth]


def close(version: Version, around: list[Version]) -> bool:
    """All of a circle is known when its outermost function is. False if the others read what has changed since."""
    consistent = True
    for member in around:
        del _open[member]
        for read in version.reads:
            consistent &= member.reads.add(read)
        function = member.function()
        assert function is not None
        function.replace(member, version)
    return consistent


def is_called_back(result: Any, libraries: list[Any]) -> bool:
    """Whether code that stays plain numba calls this code, and always will."""
    name = result.fndesc.mangled_name
    return any(not is_from_disk(library) and name in library.get_llvm_str() for library in libraries)


def drop(active: Active) -> None:
    """A compilation has failed, or has to be repeated: what calls it back is of no use."""
    for version, (depth, _) in [*_open.items()]:
        if depth > active.depth:
            del _open[version]
            function = version.function()
            if function is not None:
                function.take_out(version)
