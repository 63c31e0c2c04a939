"""Names of functions: they change nothing that a call does, whether or not CPython reports them."""

import depwatch
from support import dependents, without_automatic_drain


@without_automatic_drain
def test_another_qualified_name_of_a_function_is_no_change(log):
    """3.15 sends an event of it."""

    def function(a=1, *, b=2):
        return a, b

    recorder = depwatch.Recorder("r")
    recorder.read_function(function, "code", "defaults", "kwdefaults", "existence")
    recorder.depend_on(function)
    handle = log.commit(recorder)
    parts = ("code", "defaults", "kwdefaults")
    subscriptions = [depwatch.subscribe(log.event, function), depwatch.subscribe(log.event, function, *parts)]
    function.__qualname__ = "other"
    function.__name__ = "other"
    assert (handle.valid, log.drained()) == (True, [])
    assert dependents(function) != set()
    for subscription in subscriptions:
        subscription.cancel()
