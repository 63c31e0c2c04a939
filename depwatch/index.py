"""Asks the index which handles depend on an object, retires them, and counts everything."""

import types
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from depwatch import _core
from depwatch.naming import owner_and_name
from depwatch.values import brief, dict_of_module, is_a

if TYPE_CHECKING:
    from pyroaring import BitMap  # imported where one is made: most programs make none

_AT_A_TIME: Final = 100_000  # IDs: as a BitMap is made of them, other threads may have the GIL in between


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
    """Retire for good every handle that depends on any of these objects.

    Returns the IDs of these handles. A recorder that has read something of these objects before raises Stale when it
    commits. For changes of which only the caller knows, because CPython does not report them: of what an array or a
    closure cell contains, for example. So change first, then invalidate. Where there are thousands of handles, other
    threads run in between. Cost: one store for each handle; the drain then takes about a microsecond for each. Raises
    TypeError unless reason is a str; Unwatchable like id_of, before any handle is retired.
    Source: CPython, _Py_Executors_InvalidateDependency.
    """
    try:
        each = iter(objects)
    except TypeError:
        raise TypeError(f"the objects must be an iterable, such as [module], not {brief(objects)}") from None
    given = list(each)  # before the search, because this may run the program's code
    _core.drain()
    from pyroaring import BitMap

    retired = _core.retire_dependents(given, reason)
    found = BitMap()
    for start in range(0, len(retired), _AT_A_TIME):
        found.update(retired[start : start + _AT_A_TIME])
    return found


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


@overload
def stats(*, by_name: Literal[False] = False) -> dict[str, int]: ...
@overload
def stats(*, by_name: Literal[True]) -> dict[str, dict[str, int]]: ...
def stats(*, by_name: bool = False) -> dict[str, int] | dict[str, dict[str, int]]:
    """Counters of the service: what is watched now, and what has happened since the process started.

    by_name: instead of all, what is counted of handles, for each name of a Recorder: a dict of dicts. The first 1,000
    names are counted apart, all others together as "(other names)"; handles of C code count only in all.

    handles_committed, handles_invalidated, handles_resumed: as drains tell it. handles_recompiled: commits by a name of
    which a handle had broken or was retired. handles_retired_CAUSE: by cause; "unstable" is what was given up, "called"
    what retire(), invalidate() and depwatch_handle_retire() did. A handle that is released is not retired.
    refused_unwatchable, refused_unstable, refused_stale: how often a recorder raised that.
    drains, drain_ns: drains that had something to do, and their time, callbacks included.
    event_ns: the time of the events that are counted in `events`. It is measured where a value with some 64 dependents
    or more changes or dies, else for one event in 1021, which stands for all of them: an estimate, 0 before the first.
    events: changes that concerned a facet, counted once for each facet. Events that only leave a broken facet broken,
    and that nothing listens to, are not counted.
    conservative_breaks: breaks by an event that does not name the new value.
    needless_breaks: how many of the conservative breaks were needless, because the drain found the recorded value.
    identity_breaks: breaks by an equal value, of a facet that a Recorder(identity=True) has read.
    errors_not_reported: exceptions of listeners that were only counted, because the listener's call before had raised.
    ..._slots: 1 if depwatch has taken one of CPython's 8 watcher slots of that kind.
    """
    _core.drain()
    return _core.counters_by_name() if by_name else _core.counters()
