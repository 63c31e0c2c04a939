"""What extensions do: the C API, called through ctypes."""

import ctypes
import gc
from typing import Any

from fuzz.routes import route
from fuzz.routes_dict import keep_special, name, own_place, place
from fuzz.routes_function import pick as pick_function
from fuzz.routes_type import pick as pick_class

_OBJECT = ctypes.py_object


def _function(called: str, *arguments: Any) -> Any:
    """A function of the C API that returns 0 or -1, with an exception that ctypes then raises."""
    return ctypes.PYFUNCTYPE(ctypes.c_int, *arguments)((called, ctypes.pythonapi))


SET_ITEM = _function("PyDict_SetItem", _OBJECT, _OBJECT, _OBJECT)
SET_ITEM_STRING = _function("PyDict_SetItemString", _OBJECT, ctypes.c_char_p, _OBJECT)
DEL_ITEM_STRING = _function("PyDict_DelItemString", _OBJECT, ctypes.c_char_p)
MERGE = _function("PyDict_Merge", _OBJECT, _OBJECT, ctypes.c_int)
MERGE_PAIRS = _function("PyDict_MergeFromSeq2", _OBJECT, _OBJECT, ctypes.c_int)
SET_ATTRIBUTE = _function("PyObject_SetAttrString", _OBJECT, ctypes.c_char_p, _OBJECT)
SET_GENERIC = _function("PyObject_GenericSetAttr", _OBJECT, _OBJECT, _OBJECT)
ADD_TO_MODULE = _function("PyModule_AddObjectRef", _OBJECT, ctypes.c_char_p, _OBJECT)
SET_DEFAULTS = _function("PyFunction_SetDefaults", _OBJECT, _OBJECT)
SET_KWDEFAULTS = _function("PyFunction_SetKwDefaults", _OBJECT, _OBJECT)
SET_CELL = _function("PyCell_Set", _OBJECT, _OBJECT)
CLEAR = ctypes.PYFUNCTYPE(None, _OBJECT)(("PyDict_Clear", ctypes.pythonapi))
SET_DEFAULT = ctypes.PYFUNCTYPE(ctypes.c_void_p, _OBJECT, _OBJECT, _OBJECT)(("PyDict_SetDefault", ctypes.pythonapi))
TYPE_MODIFIED = ctypes.PYFUNCTYPE(None, _OBJECT)(("PyType_Modified", ctypes.pythonapi))


@route(2)
def set_item_in_c(m: Any, x: int, y: int, z: int) -> None:
    where, value = place(m.world, x), m.world.value(z)
    if z & 1:
        SET_ITEM(where, name(y), value)
    else:
        SET_ITEM_STRING(where, name(y).encode(), value)


@route(1)
def delete_item_in_c(m: Any, x: int, y: int, z: int) -> None:
    where = place(m.world, x)
    if name(y) in where:
        DEL_ITEM_STRING(where, name(y).encode())


@route(1)
def merge_in_c(m: Any, x: int, y: int, z: int) -> None:
    where, value = place(m.world, x), m.world.value(z)
    if z & 2:
        MERGE(where, {name(y): value}, z & 1)
    else:
        MERGE_PAIRS(where, [(name(y), value), (name(y + 1), value)], z & 1)


@route(1)
def set_default_in_c(m: Any, x: int, y: int, z: int) -> None:
    where, value = place(m.world, x), m.world.value(z)
    SET_DEFAULT(where, name(y), value)


@route(1, transient=True)
def clear_in_c(m: Any, x: int, y: int, z: int) -> None:
    where = own_place(m.world, x)
    special = keep_special(where)
    CLEAR(where)
    where.update(special)


@route(1)
def set_attribute_in_c(m: Any, x: int, y: int, z: int) -> None:
    owner, value = m.world.spaces[1 + x % 2].owner, m.world.value(z)
    match z % 3:
        case 0:
            SET_ATTRIBUTE(owner, name(y).encode(), value)
        case 1:
            SET_GENERIC(owner, name(y), value)
        case 2:
            ADD_TO_MODULE(m.world.spaces[1].owner, name(y).encode(), value)


@route(1)
def change_class_in_c(m: Any, x: int, y: int, z: int) -> None:
    """Straight into the dict, with the note to CPython that its rules ask for, or only the note."""
    cls = pick_class(m.world, x)
    if z & 1:
        (found,) = (each for each in gc.get_referents(vars(cls)) if type(each) is dict)
        m.world.takes(found.get(name(y)))
        SET_ITEM(found, name(y), m.world.value(z))
    TYPE_MODIFIED(cls)


@route(1)
def change_function_in_c(m: Any, x: int, y: int, z: int) -> None:
    function = pick_function(m.world, x)
    match z % 3:
        case 0:
            SET_DEFAULTS(function, (m.world.value(y),) if y & 1 else None)
        case 1:
            SET_KWDEFAULTS(function, {"b": m.world.value(y)} if y & 1 else None)
        case 2:
            SET_CELL(function.__closure__[0], m.world.value(y))
