"""Let optimized code assume things about a running Python program, and stop that code the moment one of them changes.

    rec = depwatch.Recorder("price")
    rate = rec.read_global(price, "RATE")
    handle = rec.commit(machine_code)      # handle.broken_address: a byte, 0 while the code may run

There is one service in a process, and it serves the main interpreter; so the API is functions of this module. Importing
depwatch takes no watcher slot and watches nothing.
"""

import atexit
import os
from collections.abc import Sequence

from depwatch import interpreter  # noqa: F401 (first of all, as it refuses to be imported in a sub-interpreter)

# isort: split
from depwatch import _core, native
from depwatch._core import (
    Entry,
    Fact,
    GuardCell,
    Guarded,
    GuardedBuiltin,
    Handle,
    Handles,
    HandlesListener,
    JumpLabel,
    Subscription,
    ValueCell,
    drain,
)
from depwatch.assumed import Assumed, assume
from depwatch.config import Config
from depwatch.discovery import MISSING, Found, Opaque, Read, discover
from depwatch.entry import install
from depwatch.errors import DepwatchError, Released, Stale, Unstable, Unwatchable
from depwatch.guarding import guarded, guarded_builtin
from depwatch.index import dependents, forget_breaks, id_of, invalidate, stats
from depwatch.lifecycle import (
    DestroyedFunction,
    FunctionAttribute,
    FunctionEvent,
    get_lifecycle_callback,
    set_lifecycle_callback,
)
from depwatch.looking import look
from depwatch.native import breaks_address, get_include
from depwatch.notice import (
    Assumption,
    Break,
    Change,
    Event,
    HandleEvent,
    explain,
    on_any,
    subscribe,
    subscribe_created,
)
from depwatch.recorder import Recorder
from depwatch.refusing import start_log
from depwatch.values import UNKNOWN

__version__ = _core.RELEASE
__all__ = [
    "MISSING",
    "UNKNOWN",
    "Assumed",
    "Assumption",
    "Break",
    "Change",
    "Config",
    "DepwatchError",
    "DestroyedFunction",
    "Entry",
    "Event",
    "Fact",
    "Found",
    "FunctionAttribute",
    "FunctionEvent",
    "GuardCell",
    "Guarded",
    "GuardedBuiltin",
    "Handle",
    "HandleEvent",
    "Handles",
    "HandlesListener",
    "JumpLabel",
    "Opaque",
    "Read",
    "Recorder",
    "Released",
    "Stale",
    "Subscription",
    "Unstable",
    "Unwatchable",
    "ValueCell",
    "assume",
    "breaks_address",
    "dependents",
    "discover",
    "drain",
    "explain",
    "forget_breaks",
    "get_include",
    "get_lifecycle_callback",
    "guarded",
    "guarded_builtin",
    "id_of",
    "install",
    "invalidate",
    "look",
    "on_any",
    "set_lifecycle_callback",
    "stats",
    "subscribe",
    "subscribe_created",
]


def __dir__() -> list[str]:
    return __all__


_core.set_up(
    unwatchable=Unwatchable,
    unstable=Unstable,
    stale=Stale,
    released=Released,
    unknown=UNKNOWN,
    event=Event,
    destroyed_function=DestroyedFunction,
    assumption=Assumption,
    break_=Break,
    handle_event=HandleEvent,
    changes=Change,
    function_events=FunctionEvent,
    function_attributes=FunctionAttribute,
    off=os.environ.get("DEPWATCH") == "0",
)
_C_API = _core.c_api(native)  # for depwatch_import() of depwatch.h
Sequence.register(Handles)
atexit.register(_core.shut_down)
os.register_at_fork(after_in_child=_core.after_fork)
start_log()
