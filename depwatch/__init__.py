"""Assume things about a running Python program at no cost per call, and put the code right the moment one breaks.

    rec = depwatch.Recorder("price")
    rate = rec.read_global(price, "RATE")
    handle = rec.commit(machine_code)      # handle.broken_address: a byte, 0 while the code may run

One service per process, of its main interpreter: these are module functions. Importing takes no watcher slot and
watches nothing.
"""

import atexit
import os

from depwatch import interpreter  # noqa: F401 (before all else: it refuses any but the main one)

# isort: split
from depwatch import _core, native, notice
from depwatch.cells import GuardCell, ValueCell
from depwatch.entry import Entry, install
from depwatch.errors import DepwatchError, Released, Stale, Unstable, Unwatchable
from depwatch.graph import FacetDescription, Graph, restore, snapshot
from depwatch.handle import Handle
from depwatch.handles import Handles
from depwatch.index import Advice, advise, dependents, dependents_of, id_of, invalidate, stats
from depwatch.label import JumpLabel
from depwatch.lifecycle import (
    DestroyedFunction,
    FunctionAttribute,
    FunctionEvent,
    get_lifecycle_callback,
    set_lifecycle_callback,
)
from depwatch.native import get_include
from depwatch.notice import Change, Event, Subscription, drain, explain, subscribe, subscribe_created
from depwatch.recorder import Recorder
from depwatch.values import UNKNOWN

__version__ = "0.1.0"
__all__ = [
    "UNKNOWN",
    "Advice",
    "Change",
    "DepwatchError",
    "DestroyedFunction",
    "Entry",
    "Event",
    "FacetDescription",
    "FunctionAttribute",
    "FunctionEvent",
    "Graph",
    "GuardCell",
    "Handle",
    "Handles",
    "JumpLabel",
    "Recorder",
    "Released",
    "Stale",
    "Subscription",
    "Unstable",
    "Unwatchable",
    "ValueCell",
    "advise",
    "dependents",
    "dependents_of",
    "drain",
    "explain",
    "get_include",
    "get_lifecycle_callback",
    "id_of",
    "install",
    "invalidate",
    "restore",
    "set_lifecycle_callback",
    "snapshot",
    "stats",
    "subscribe",
    "subscribe_created",
]

_core.set_up(Unwatchable, Unstable, UNKNOWN, drain)
_C_API = _core.c_api(native, Recorder, Released, drain, id_of)  # for depwatch_import() of depwatch.h
atexit.register(notice.shut_down)
os.register_at_fork(after_in_child=_core.after_fork)
