"""Pickling: a watched function is watched where it is unpickled, too."""

import weakref
from typing import Any

from depwatch import _core
from depwatch.integrations.numba.function import Function, function_of


class Watched:
    """What numba is told to rebuild in place of its dispatcher."""

    @classmethod
    def _rebuild(
        cls, dispatcher_class: Any, policy: Any, keep: int, on_refusal: Any, sigs: Any, can_compile: bool, **states: Any
    ) -> Any:
        if _core.is_switched_off():
            return dispatcher_class._rebuild(sigs=sigs, can_compile=can_compile, **states)
        dispatcher = dispatcher_class._rebuild(sigs=[], can_compile=True, **states)
        if function_of(dispatcher) is None:
            from depwatch.integrations.numba.compiling import compile_as_numba_does, watch_dispatcher

            watch_dispatcher(dispatcher, policy, keep, on_refusal)
            if not can_compile:
                compile_as_numba_does(dispatcher, sigs)
        return dispatcher


def let_pickle(dispatcher: Any, function: Function) -> None:
    """Let numba's way of pickling a dispatcher keep that it is watched."""
    owner = weakref.ref(dispatcher)
    kind = type(dispatcher)

    def states() -> dict[str, Any]:
        plain: dict[str, Any] = kind._reduce_states(owner())
        return {
            **plain,
            "dispatcher_class": kind,
            "policy": function.policy,
            "keep": function.keep,
            "on_refusal": function.on_refusal,
        }

    dispatcher._reduce_class = lambda: Watched
    dispatcher._reduce_states = states
