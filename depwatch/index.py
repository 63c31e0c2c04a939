"""Asks the index which handles depend on an object, retires them, and counts everything."""

import types
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from depwatch import _core
from depwatch.naming import owner_and_name
from depwatch.values import brief, dict_of_module, is_a

if TYPE_CHECKING:
    from pyroaring import BitMap  # imported where one is made: most programs make none


def id_of(obj: Any) -> int:
    """The object ID of a dict, module (its __dict__), type, function, code object or Fact.

    depwatch watches the object from now on. It keeps this ID until it dies. Another object can get the ID only after
    all handles that depended on the first one are purged. Raises Unwatchable.
    """
    if is_a(obj, types.ModuleType):
        obj = dict_of_module(obj)
    if type(obj) is _core.Fact:
        obj = _core.dict_of_fact(obj)
    return _core.facet("existence", obj).keep()


def dependents(obj: Any, facet: str | None = None) -> "BitMap":
    """The IDs of the handles that depend on this facet of obj; without a facet, on anything in obj.

    facet: as for subscribe(). The IDs are good only now, because another drain may free them. Cost: proportional to
    the number of IDs. Raises TypeError; ValueError for a part that the object does not have; Unwatchable like id_of.
    """
    if facet is not None:
        obj, facet = owner_and_name(obj, facet)
    _core.drain()
    from pyroaring import BitMap

    return BitMap.deserialize(_core.dependents_of(obj, facet))


def invalidate(objects: Iterable[Any], reason: str) -> "BitMap":
    """Retire for good, in one step, every handle that depends on any of these objects.

    Returns the IDs of these handles. For changes of which only the caller knows, because CPython does not report them:
    of what an array or a closure cell contains, for example. Cost: one store for each handle; the drain then takes
    about a microsecond for each. Raises TypeError unless reason is a str; Unwatchable like id_of, before any handle is
    retired. Source: CPython, _Py_Executors_InvalidateDependency.
    """
    try:
        each = iter(objects)
    except TypeError:
        raise TypeError(f"the objects must be an iterable, such as [module], not {brief(objects)}") from None
    given = list(each)  # before the search, because this may run the program's code
    _core.drain()
    from pyroaring import BitMap

    return BitMap(_core.retire_dependents(given, reason))


def forget_breaks(obj: Any, facet: str | None = None) -> None:
    """Forget how often this facet of obj broke, so that reading it no longer raises Unstable.

    Without a facet: of all facets of obj.
    For long-lived processes in which values settle: start-up code or a test session changes many values a few times,
    and later they stay. facet: as for subscribe(). Handles that are retired stay retired. Raises like dependents().
    """
    if facet is not None:
        obj, facet = owner_and_name(obj, facet)
    _core.drain()
    _core.forget_breaks(obj, facet)


def stats() -> dict[str, int]:
    """Counters of the service: what is watched now, and what has happened since the process started.

    events: changes that concerned a facet, counted once for each facet. Events that only leave a broken facet broken,
    and that nothing listens to, are not counted.
    conservative_breaks: breaks by an event that does not name the new value.
    needless_breaks: how many of the conservative breaks were needless, because the drain found the recorded value.
    identity_breaks: breaks by an equal value, of a facet that a Recorder(identity=True) has read.
    errors_not_reported: exceptions of listeners that were only counted, because the listener's call before had raised.
    ..._slots: 1 if depwatch has taken one of CPython's 8 watcher slots of that kind.
    """
    _core.drain()
    return _core.counters()
