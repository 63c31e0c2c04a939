"""Observe one program, from its first line to its end, and report."""

import atexit
import contextlib
import os
import sys

from .observer import HOT_AFTER, Observer
from .program import Program, run


def compare(program: Program, output: str | None, hot_after: int = HOT_AFTER) -> None:
    """Run program under observation; print the table to stderr when the process ends, and write the report to output.

    Raises what the program raises, SystemExit included.
    """
    output = os.path.abspath(output) if output is not None else None  # the program may change the directory
    stderr = sys.stderr
    process = os.getpid()
    observer = Observer(hot_after)
    running = interrupted = False

    def begin() -> None:
        nonlocal running
        running = True
        observer.start()

    def never_ran() -> None:
        nonlocal running
        if running:
            running = False
            observer.abandon()

    def end() -> None:
        if not running or os.getpid() != process:
            return
        seconds = observer.stop()
        # These import much: not while the program runs.
        import json

        from .counted import make_report
        from .table import print_report

        report = make_report(observer, program, seconds)
        if output is not None:
            with open(output, "w", encoding="utf-8") as file:
                json.dump(report, file, indent=1)
                file.write("\n")
        with contextlib.suppress(OSError, ValueError):  # the program may have closed them
            _flush_stdout()
            if stderr is not None:
                print_report(report, stderr)
        if interrupted:
            _remember_interrupt()

    # Registered before the program can register anything: runs after its threads and its own exit functions.
    atexit.register(end)
    os.register_at_fork(after_in_child=never_ran)
    try:
        run(program, begin, never_ran)
    except KeyboardInterrupt:
        interrupted = True
        raise


def _remember_interrupt() -> None:
    """Let the process end by SIGINT, as it does after an uncaught KeyboardInterrupt.

    CPython keeps a flag for that, which every exec() or eval() of a text resets, and importing what prints the table
    does those; the same function sets it when the text raises KeyboardInterrupt.
    """
    with contextlib.suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt")


def _flush_stdout() -> None:
    """The table comes after what the program printed, also where both streams go to the same place."""
    try:
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):
        return
