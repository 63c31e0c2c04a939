"""The end of the interpreter: the right status and nothing on stderr, whatever still lives and whoever was first."""

from pathlib import Path

import pytest

from support import python

PROGRAMS = Path(__file__).with_name("programs")


def test_finalizers_at_exit_still_run_once_and_everything_goes_quietly():
    printed = python(PROGRAMS / "finalizers.py")
    destroyed = ("attribute", "default", "global", "replaced")
    told = "<Handle 0 'exit', retired>"  # by the drain at the end: what was replaced is gone
    assert sorted(printed.splitlines()) == [told, *(f"destroyed {name}" for name in destroyed)]


def test_changes_by_finalizers_during_exit_are_survived():
    python(PROGRAMS / "changes_by_finalizers.py")


@pytest.mark.parametrize(
    "end",
    [
        "sys.exit(3)",
        "raise SystemExit(3)",
        "os._exit(3)",
        "depwatch.subscribe(lambda event: os._exit(3), globals(), 'X'); X = 3; depwatch.drain()",
        "import atexit; atexit.register(os._exit, 3)",
    ],
)
def test_the_exit_status_stays_as_it_is(end):
    python(PROGRAMS / "exit_status.py", end, status=3, stderr="")


def test_what_is_used_in_atexit_functions_still_works_or_says_why():
    printed = python(PROGRAMS / "atexit_function.py")
    assert printed == "False\n"


def test_a_thread_that_still_changes_things_at_exit_is_survived():
    python(PROGRAMS / "thread_at_exit.py")


@pytest.mark.parametrize(
    ("error", "status", "stderr"),
    [("ValueError('why')", 1, ""), ("KeyboardInterrupt", -2, ""), ("SystemExit('why')", 1, "why\n")],
)
def test_an_error_that_ends_the_program_is_all_that_is_said(error, status, stderr):
    printed = python(PROGRAMS / "error_at_the_end.py", error, status=status, stderr=stderr)
    reported = [] if stderr else [error.partition("(")[0]]
    assert sorted(printed.split()) == [*reported, "told"]


def test_a_listener_that_wants_to_exit_is_reported_and_the_program_goes_on():
    """Like a destructor: what a listener or callback raises goes to the unraisable hook, SystemExit too."""
    printed = python(PROGRAMS / "exiting_listener.py")
    lines = printed.splitlines()
    assert sorted(lines[:3]) == ["SystemExit 4", "SystemExit 5", "the others are told"]
    assert lines[3:] == ["goes on 1"]


def test_what_changed_last_is_told_before_the_end_and_later_changes_still_break():
    printed = python(PROGRAMS / "last_changes.py")
    assert printed == "told Y\nlater 1 255 0\n"  # what was broken when depwatch ended can heal no more: retired


def test_depwatch_can_be_used_to_the_very_end_or_raises():
    """In atexit functions that run after its own, in finalizers of modules, of classes and of what is in a cycle."""
    printed = python(PROGRAMS / "used_to_the_end.py")
    assert printed == "used\nused\n"


def test_watched_things_that_die_or_change_with_their_module_are_survived():
    """Finalizers that change classes, functions, modules and each other's namespaces, all of which are watched."""
    python(PROGRAMS / "dying_modules.py")


def test_threads_that_compile_commit_and_drain_at_exit_are_survived():
    python(PROGRAMS / "compiling_threads.py")


# --- in any order ----------------------------------------------------------------------------------------------------


def test_whatever_is_imported_first_the_end_has_the_right_status_and_is_silent(others):
    assert python(PROGRAMS / "orders.py") == "11 orders\n"
