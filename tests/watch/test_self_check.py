"""The self-check: the rules of CPython that depwatch relies on, tested for each kind before its first use."""

import sys

import pytest

from fuzz import sabotaged
from support import python

ADDED, MODIFIED, DELETED, CLONED, CLEARED, DEALLOCATED = range(6)
CREATE, DESTROY, CODE, DEFAULTS, KWDEFAULTS = range(5)
RULES = {
    ("D", ADDED): "a dict reports a new key and its value before it stores them",
    ("D", MODIFIED): "a dict reports another value of a key before it stores it",
    ("D", DELETED): "a dict reports the deletion of a key before it deletes it",
    ("D", CLONED): "an empty dict reports that it is about to be filled from another dict",
    ("D", CLEARED): "a dict reports clear() before it is empty",
    ("D", DEALLOCATED): "a dict reports that it dies",
    ("F", CREATE): "a function reports that it is made",
    ("F", DESTROY): "a function reports that it dies",
    ("F", CODE): "a function reports an assignment of __code__ before it is made",
    ("F", DEFAULTS): "a function reports an assignment of __defaults__ before it is made",
    ("F", KWDEFAULTS): "a function reports an assignment of __kwdefaults__ before it is made",
    ("C", DESTROY): "a code object reports that it dies",
}
KINDS = {"D": "dict", "F": "function", "C": "code object"}
NO_EVENT = 99


@pytest.mark.parametrize("kind", KINDS)
def test_this_cpython_keeps_the_rules_again_and_again_and_no_slot_stays_taken(rules, kind):
    assert [rules.check(kind, NO_EVENT) for _ in range(20)] == [None] * 20


@pytest.mark.parametrize(("kind", "event"), RULES, ids=str)
def test_a_cpython_that_hides_an_event_is_refused_by_the_rule_that_it_breaks(rules, kind, event):
    version = sys.version[:20]
    assert rules.check(kind, event) == (
        f"depwatch watches no {KINDS[kind]} here: CPython {version} breaks a rule that depwatch relies on "
        f"({RULES[kind, event]}); use another patch release of CPython, or a newer depwatch"
    )
    assert rules.check(kind, NO_EVENT) is None


@pytest.mark.slow
def test_a_kind_whose_rule_is_broken_is_refused_at_every_use_and_the_others_work():
    """With a self-check that finds clear() unreported."""
    fault = ("return DICT_RULE(true, PyDict_EVENT_CLEARED", "return DICT_RULE(false, PyDict_EVENT_CLEARED", "")
    folder = sabotaged.build("rule", {"ext/watch/self_check.c": fault})
    program = f"""
        import sys
        sys.path.insert(0, {str(folder)!r})
        import depwatch
        def f(): return X
        X = 1
        for _ in range(2):
            try:
                depwatch.Recorder("r").read_global(f, "X")
            except depwatch.Unwatchable as error:
                print(str(error).partition(": CPython")[0], "clear()" in str(error))
        recorder = depwatch.Recorder("r")
        recorder.read_function(f, "code", "existence")
        handle = recorder.commit()
        print(handle.valid, depwatch.stats()["dict_slots"])
        f.__code__ = (lambda: 2).__code__
        print(handle.valid)
    """
    assert python(program, cold=True).splitlines() == ["depwatch watches no dict here True"] * 2 + ["True 0", "False"]
