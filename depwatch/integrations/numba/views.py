"""Views: whether somebody can store into the memory of a NumPy array."""

import gc
import sys
import types
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np

_read_only: Final[dict[int, weakref.ref[Any]]] = {}  # arrays with no writable view of them, which cannot come later


def is_writable(array: np.ndarray[Any, Any]) -> bool:
    """Whether somebody can store into the memory of an array: through it, what it is a view of, or another view.

    Cost: a look at all that the garbage collector knows of, once for each array that is read-only itself.
    """
    known = _read_only.get(id(array))
    if array.flags.writeable:
        return True
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
        if owner.flags.writeable:
            return True
    if owner.base is not None:
        return not isinstance(owner.base, bytes)
    if known is not None and known() is array:
        return False
    if any(_writes(view, owner) for view in _held()):
        return True
    number = id(array)
    _read_only[number] = weakref.ref(array, lambda _: _read_only.pop(number, None))
    return False


def _writes(view: Any, owner: np.ndarray[Any, Any]) -> bool:
    """Whether this is a view of the array that can be stored into."""
    if type(view) is memoryview:
        return view.obj is owner and not view.readonly
    if not view.flags.writeable:
        return False
    while isinstance(view, np.ndarray):
        if view is owner:
            return True
        view = view.base
    return type(view) is memoryview and view.obj is owner


def _held() -> Iterator[Any]:
    """All arrays and memoryviews: in what the garbage collector knows, in running code, and in arrays of objects."""
    seen = set()
    todo = [gc.get_objects(), *(list(frame.f_locals.values()) for frame in _frames())]
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


def _frames() -> Iterator[Any]:
    for innermost in sys._current_frames().values():
        frame: types.FrameType | None = innermost
        while frame is not None:
            yield frame
            frame = frame.f_back
