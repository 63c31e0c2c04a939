"""Questions to the index: who depends on what, and how large everything is."""

import types
from collections.abc import Iterable
from typing import Any

from pyroaring import BitMap

from depwatch import _core
from depwatch.naming import check_part
from depwatch.values import brief, dict_of_module, is_a


def id_of(obj: Any) -> int:
    """The object ID of a dict, module (its __dict__), type, function or code object, watched from now on.

    It stays the same until the object dies, and is reused only after every edge that named it is gone.
    Raises Unwatchable.
    """
    if is_a(obj, types.ModuleType):
        obj = dict_of_module(obj)
    return _core.facet("existence", obj).keep()


def dependents(obj: Any, facet: str | None = None) -> BitMap:
    """The IDs of the handles that a change of this facet of obj concerns now; of any change, without facet.

    Facets as for subscribe(). IDs are an answer about this moment: another drain may free them. Cost: the size of the
    answer. Raises TypeError; ValueError for a part that the object does not have; Unwatchable, as id_of.
    """
    if facet is not None:
        check_part(obj, facet)
    _core.drain()
    return BitMap.deserialize(_core.dependents_of(obj, facet))


def invalidate(objects: Iterable[Any], reason: str) -> BitMap:
    """Retire for good every handle that depends on any of these objects, all at once; return the IDs of these handles.

    Proposal B as an operation: for changes that CPython does not report and the caller knows of, such as what an array
    or a closure cell contains. Cost: one store a handle before any is told, then about a microsecond each.
    Raises TypeError unless reason is a str; Unwatchable, as id_of, for an object that nothing can depend on: then no
    handle is retired. Source: CPython, _Py_Executors_InvalidateDependency.
    """
    try:
        each = iter(objects)
    except TypeError:
        raise TypeError(f"the objects must come in an iterable, such as [module], not as {brief(objects)}") from None
    given = list(each)  # may run the program's code: nothing is looked for before that is done
    _core.drain()
    return BitMap(_core.retire_dependents(given, reason))


def forget_breaks(obj: Any, facet: str | None = None) -> None:
    """Let this facet of obj be relied on again, however often it broke; every facet of obj, without facet.

    A second chance for long-lived processes: a test session changes everything once, and then it stays. Facets as for
    subscribe(). Handles that gave the facet up stay retired. Raises as dependents().
    """
    if facet is not None:
        check_part(obj, facet)
    _core.drain()
    _core.forget_breaks(obj, facet)


def stats() -> dict[str, int]:
    """Counters of the service: what is watched now, and what has happened since the process started.

    events: changes that concerned a facet, once for each facet; what stays broken silently is not counted.
    conservative_breaks: breaks at an event that does not tell the new value; needless_breaks: of these, those that the
    drain found to hold after all. identity_breaks: by an equal value, of what a Recorder(identity=True) has
    read. errors_not_reported: what a listener raised at calls that followed one that was
    reported. Slots: 1 where depwatch has taken one of CPython's 8 watcher slots of that kind.
    """
    _core.drain()
    return _core.counters()
