"""Questions to the index: who depends on what, how often it changes, and how large everything is."""

import enum
import types
from array import array
from collections.abc import Iterable
from typing import Any

from pyroaring import BitMap

from depwatch import _core, naming, notice
from depwatch.handle import check_reason
from depwatch.naming import check_name
from depwatch.values import UNKNOWN, brief, dict_of_module, is_a


def id_of(obj: Any) -> int:
    """The object ID of a dict, module (its __dict__), type, function or code object, watched from now on.

    It stays the same until the object dies, and is reused only after every edge that named it is gone.
    Raises Unwatchable.
    """
    if is_a(obj, types.ModuleType):
        obj = dict_of_module(obj)
    facet = _core.facet("existence", obj)
    facet.pin()
    return _core.owner_of(facet.id)[0]


def dependents(obj: Any, facet: str | None = None) -> BitMap:
    """The IDs of the handles that a change of this facet of obj concerns now; of any change, without facet.

    Facets as for subscribe(). Cost: the size of the answer. Raises TypeError.
    """
    notice.drain()
    if facet is not None:
        check_name(facet)
    return BitMap.deserialize(_core.handles_of(_concerned(obj, facet)))


def dependents_of(objects: Iterable[Any]) -> BitMap:
    """The IDs of the handles that any change of any of these objects concerns now: the union of their dependents().

    Cost: some nanoseconds for each facet of the objects and each dependency on it. Raises TypeError.
    """
    notice.drain()
    return BitMap.deserialize(_core.handles_of(_concerned_by_any(objects)))


def invalidate(objects: Iterable[Any], reason: str) -> BitMap:
    """Retire for good every handle that depends on any of these objects, all at once; return the IDs of these handles.

    Proposal B as an operation: for changes that CPython does not report and the caller knows of, such as what an array
    or a closure cell contains. Cost: one store a handle before any is told, then about a microsecond each.
    Raises TypeError unless reason is a str. Source: CPython, _Py_Executors_InvalidateDependency.
    """
    check_reason(reason)
    notice.drain()
    return BitMap(_core.retire_dependents(_concerned_by_any(objects), notice.kept, reason))


def _concerned_by_any(objects: Iterable[Any]) -> array[int]:
    try:
        each = iter(objects)
    except TypeError:
        raise TypeError(f"the objects must come in an iterable, such as [module], not as {brief(objects)}") from None
    facets = array("I")
    for obj in each:
        facets += _concerned(obj)
    return facets


def _concerned(obj: Any, facet: str | None = None) -> array[int]:
    """The IDs of the facets that a change of this facet of obj concerns; of any change, without facet."""
    if is_a(obj, types.ModuleType):
        obj = dict_of_module(obj)
    if is_a(obj, dict):
        return _core.facets_concerned(obj, facet)
    if is_a(obj, type):
        facets = _core.facets_concerned(_core.dict_of_type(obj), facet)
        return facets if facet is not None else facets + _core.parts_of(obj)
    parts = _core.parts_of(obj)
    if facet is None:
        return parts
    kinds = {facet, "any"}
    return array("I", [part for part in parts if _core.owner_of(part)[2] in kinds])


class Advice(enum.Enum):
    """What to do with a global in optimized code."""

    FREEZE = "freeze"  # assume its value: it hardly changes
    CELL = "cell"  # read it from a value cell: it changes, but stays a number
    AVOID = "avoid"  # load it each time, as the interpreter does


MANY_CHANGES = 6  # as the default unstable_after


def advise(namespace: types.FunctionType | types.ModuleType | dict[str, Any], name: str) -> Advice:
    """FREEZE, CELL or AVOID, from how often this global has changed since depwatch first heard of it.

    It is watched from now on, so that later answers know more. Raises TypeError, Unwatchable.
    """
    notice.drain()
    of_builtins = naming.builtins_facet(namespace)
    builtins = UNKNOWN if of_builtins is None else of_builtins.history()[1]
    facet = naming.global_facet(namespace, name, () if builtins is UNKNOWN else (builtins,))
    facet.pin()
    changes, now = facet.history()
    if type(now) in (int, float) and changes > 1:
        return Advice.CELL
    return Advice.FREEZE if changes < MANY_CHANGES else Advice.AVOID


def stats() -> dict[str, int]:
    """Counters of the service: what is watched now, and what has happened since the process started.

    events: changes that concerned a facet, once for each facet; what stays broken silently is not counted.
    conservative_breaks: breaks at an event that does not tell the new value; needless_breaks: of these, those that the
    drain found to hold after all. Slots: 1 where depwatch has taken one of CPython's 8 watcher slots of that kind.
    """
    notice.drain()
    return _core.counters()
