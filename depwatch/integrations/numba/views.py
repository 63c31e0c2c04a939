"""Views: whether somebody can store into the memory of a NumPy array."""

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np

from depwatch import _core
from depwatch.values import is_a

_read_only: Final[dict[int, weakref.ref[Any]]] = {}  # arrays with no writable view of them, which cannot come later

# What refers to the memory of an array: NumPy's own descriptors say to which, and whether one can store through it.
_BASES: Final[dict[type, Callable[[Any], Any]]] = {
    np.ndarray: vars(np.ndarray)["base"].__get__,
    np.void: vars(np.void)["base"].__get__,  # a record of an array
    np.flatiter: vars(np.flatiter)["base"].__get__,
    memoryview: vars(memoryview)["obj"].__get__,
}
_flags_of: Final[dict[type, Callable[[Any], Any]]] = {
    kind: vars(kind)["flags"].__get__ for kind in (np.ndarray, np.void)
}
_operands: Final[Callable[[Any], tuple[Any, ...]]] = vars(np.nditer)["operands"].__get__
_size_of: Final[Callable[[Any], int]] = vars(np.ndarray)["size"].__get__
_dtype_of: Final[Callable[[Any], Any]] = vars(np.ndarray)["dtype"].__get__


def is_writable(array: np.ndarray[Any, Any]) -> bool:
    """Whether somebody can store into the memory of an array: through it, what it is a view of, or another view.

    One without items has nothing to store into: what defaults of arguments often are. Cost: a look at all that the
    garbage collector knows of, once for each array that is read-only itself.
    """
    if _size_of(array) == 0:
        return False
    if _can_be_stored_into(array):
        return True
    owner: Any = array
    while is_a(base := _base_of(owner), np.ndarray):
        owner = base
        if _can_be_stored_into(owner):
            return True
    if base is not None:
        return not is_a(base, bytes)
    if not _is_known(owner):
        _look_for_views(owner)
    return not _is_known(owner)


def _is_known(owner: np.ndarray[Any, Any]) -> bool:
    known = _read_only.get(id(owner))
    return known is not None and known() is owner


def _look_for_views(owner: np.ndarray[Any, Any]) -> None:
    """Find out, of an array and all other read-only ones at once, whether nobody can store into them."""
    held = [owner, *_held()]
    written = {id(_owner(each)) for each in held if _can_be_stored_into(each)}
    for each in held:
        if is_a(each, np.ndarray) and _base_of(each) is None and id(each) not in written:
            _know(each)


def _know(owner: np.ndarray[Any, Any]) -> None:
    number = id(owner)
    _read_only[number] = weakref.ref(owner, lambda _: _read_only.pop(number, None))


def _kind_of(view: Any) -> type:
    return next(kind for kind in _BASES if is_a(view, kind))


def _base_of(view: Any) -> Any:
    return _BASES[_kind_of(view)](view)


def _can_be_stored_into(view: Any) -> bool:
    kind = _kind_of(view)
    if kind is memoryview:
        return not view.readonly
    if kind is np.flatiter:
        return _can_be_stored_into(_base_of(view))
    return bool(_flags_of[kind](view).writeable)


def _owner(view: Any) -> Any:
    """Whose memory a view is of."""
    while (base := _base_of(view)) is not None:
        if not any(is_a(base, kind) for kind in _BASES):
            return base
        view = base
    return view


def _held() -> Iterator[Any]:
    """All views: in what the garbage collector knows, in running code, and in what it does not look into itself."""
    kinds = [*with_subclasses(_BASES), np.nditer]
    seen: dict[int, Any] = {}  # kept, as a number of something that is gone may come again
    inner, everywhere = [sys.modules, *_locals()], True
    while inner:
        found = _core.held(kinds, inner, everywhere)
        inner, everywhere = [], False
        for each in found:
            if id(each) in seen:
                continue
            seen[id(each)] = each
            if type(each) is np.nditer:
                inner += _operands(each)
                continue
            yield each
            if is_a(each, np.ndarray) and _dtype_of(each).hasobject:
                inner += np.ndarray.ravel(each).tolist()


def with_subclasses(kinds: Iterable[type]) -> list[type]:
    """Types and all that inherit from them, found by id: to hash one may run its metaclass's code."""
    found: dict[int, type] = {}
    todo = [*kinds]
    while todo:
        kind = todo.pop()
        found[id(kind)] = kind
        todo += type.__subclasses__(kind)
    return [*found.values()]


def _locals() -> Iterator[Any]:
    """What is in the variables of running code."""
    frame: Any  # None at the end: a frame with itself in a variable would keep all that was found
    for frame in sys._current_frames().values():
        while frame is not None:
            if frame.f_globals is not globals():
                yield from list(frame.f_locals.values())
            frame = frame.f_back
