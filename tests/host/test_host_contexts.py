"""Section D of facts/host-contract.md: what context watchers send, which CPython has since 3.14."""

import contextlib
import contextvars
import threading

import pytest
from versions import HOST

variable = contextvars.ContextVar("variable", default=0)
HAS_CONTEXTS = "X" in HOST.free_slots


@pytest.fixture
def switches(hostreact):
    """switches(work): the events while work runs, in a thread that has no context yet. None: it cannot be watched."""

    def switches(work):
        log = []
        try:
            slot = hostreact.add("X", lambda event, context, *rest: log.append((event, context)))
        except ValueError as refused:
            assert str(refused) == "no watchers of kind X here"
            return None
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        hostreact.clear("X", slot)
        return log

    return switches


def test_one_event_for_each_switch_names_the_context_that_is_then_current(switches):
    one, two = contextvars.Context(), contextvars.Context()
    log = switches(lambda: one.run(two.run, variable.get))
    if not HAS_CONTEXTS:
        assert log is None
        return
    own = log[0][1]  # the thread's
    contexts = [own, one, two, one, own, None]
    assert log == [("SWITCHED", context) for context in contexts]


def leave_by_an_exception():
    with contextlib.suppress(ZeroDivisionError):
        contextvars.Context().run(lambda: 1 / 0)


def test_leaving_a_context_by_an_exception_is_a_switch_too(switches):
    log = switches(leave_by_an_exception)
    if HAS_CONTEXTS:
        assert len(log) == 4
        assert log[2] == log[0]
    else:
        assert log is None


def set_and_reset():
    variable.reset(variable.set(1))


def run_a_generator():
    return tuple(variable.get() for _ in range(3))


QUIET = [
    set_and_reset,
    contextvars.copy_context,
    contextvars.Context,
    lambda: contextvars.Context().copy(),
    run_a_generator,
]


@pytest.mark.parametrize("work", QUIET)
def test_what_switches_no_context_sends_nothing(switches, work):
    log = switches(work)
    if HAS_CONTEXTS:
        assert [event for event, _ in log] == ["SWITCHED"] * 2  # the thread's own begins and ends
        assert log[1][1] is None
    else:
        assert log is None
