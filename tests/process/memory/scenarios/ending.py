"""The end of the interpreter, and of the parent's part in a child."""

import os

from scenarios import scenario

import depwatch
from support import freeze, namespace


@scenario
def a_process_forks(stage):
    globals_ = namespace(X=1)
    stage.commit(freeze(globals_, "X", name="forked"), lambda: globals_["X"] == 1)
    globals_["X"] = 2

    def fork():
        child = os.fork()
        if child == 0:
            depwatch.drain()
            os._exit(40 + len(stage.log))
        return os.waitpid(child, 0)[1] >> 8

    assert (yield fork) == 41


@scenario
def the_core_is_shut_down(stage):
    """Here only that it does not fail; what it leaves undone is the process's end."""
    globals_ = namespace(X=stage.value(), Y=1)
    handle = freeze(globals_, "X", name="ends").commit(on_invalidate=stage.told("invalidate"))
    subscription = depwatch.subscribe(stage.heard, globals_, "Y")
    depwatch.set_lifecycle_callback(lambda *told: None)
    globals_["X"] = 1
    yield depwatch._core.shut_down
    assert handle and subscription


the_core_is_shut_down.differs = {"left", "log"}  # what a drain may still free, and tell
