"""Views: whether somebody can store into the memory of a NumPy array."""

import gc
import sys
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np

_read_only: Final[dict[int, weakref.ref[Any]]] = {}  # arrays with no writable view of them, which cannot come later


def is_writable(array: np.ndarray[Any, Any]) -> bool:
    """Whether somebody can store into the memory of an array: through it, what it is a view of, or another view.

    Cost: a look at all that the garbage collector knows of, once for each array that is read-only itself.
    """
    if array.flags.writeable:
        return True
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
        if owner.flags.writeable:
            return True
    if owner.base is not None:
        return not isinstance(owner.base, bytes)
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
        if type(each) is not memoryview and each.base is None and id(each) not in written:
            _know(each)


def _know(owner: np.ndarray[Any, Any]) -> None:
    number = id(owner)
    _read_only[number] = weakref.ref(owner, lambda _: _read_only.pop(number, None))


def _can_be_stored_into(view: Any) -> bool:
    return not view.readonly if type(view) is memoryview else bool(view.flags.writeable)


def _owner(view: Any) -> Any:
    """Whose memory an array or memoryview is of."""
    while True:
        base = view.obj if type(view) is memoryview else view.base
        if not isinstance(base, np.ndarray | memoryview):
            return view if base is None else base
        view = base


def _held() -> Iterator[Any]:
    """All arrays and memoryviews: in what the garbage collector knows, in running code, and in arrays of objects."""
    seen = set()
    todo = [gc.get_objects(), *_locals()]
    while todo:
        for each in _arrays_in(todo.pop()):
            if id(each) not in seen:
                seen.add(id(each))
                yield each
                if type(each) is not memoryview and each.dtype.hasobject:
                    todo.append(each.ravel().tolist())


def _arrays_in(objects: list[Any]) -> Iterable[Any]:
    found = [*objects, *gc.get_referents(*objects)]
    kinds = dict(zip(map(id, map(type, found)), map(type, found), strict=True))  # a metaclass may have a __hash__
    arrays = {number for number, kind in kinds.items() if issubclass(kind, np.ndarray | memoryview)}
    return [each for each, number in zip(found, map(id, map(type, found)), strict=True) if number in arrays]


def _locals() -> Iterator[list[Any]]:
    """What is in the variables of running code."""
    frame: Any  # None at the end: a frame with itself in a variable would keep all that was found
    for frame in sys._current_frames().values():
        while frame is not None:
            if frame.f_globals is not globals():
                yield list(frame.f_locals.values())
            frame = frame.f_back
