"""Counts what recorders are refused, and has that and recompiles logged where the environment asks for it."""

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from depwatch import _core
from depwatch.errors import DepwatchError, Stale, Unstable, Unwatchable

if TYPE_CHECKING:
    from depwatch.logs import Log

log: "Log | None" = None


def start_log() -> None:
    """Called at import: most programs have no log, and import nothing for it."""
    global log
    if os.environ.get("DEPWATCH_LOG") or os.environ.get("DEPWATCH_LOG_JSON"):
        from depwatch import logs

        log = logs.start()


def count_refusal(name: str, refusal: DepwatchError) -> None:
    """Count a refusal once, in however many calls of depwatch it ends."""
    kind = next((word for error, word in _WORDS.items() if isinstance(refusal, error)), None)
    if kind is None or refusal.counted:
        return
    refusal.counted = True
    _core.count_refusal(name, kind)
    if log is not None and "refusals" in log.kinds:
        log.refused(name, kind, str(refusal))


def note_commit(name: str, recompiled: bool) -> None:
    if recompiled and log is not None and "recompiles" in log.kinds:
        log.recompiled(name)


_WORDS = {Unwatchable: "unwatchable", Unstable: "unstable", Stale: "stale"}


def refusable[Method: Callable[..., Any]](method: Method) -> Method:
    """For methods of Recorder that may refuse."""

    @functools.wraps(method)
    def counted(self: _core.Assumptions, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except (Unwatchable, Unstable, Stale) as refusal:
            count_refusal(self.name, refusal)
            raise

    return cast(Method, counted)
