"""Run a program and record it: `python -m depwatch.compare.record JOURNAL_DIRECTORY [--hot-after N] [-m] NAME ARGS...`.

For `depwatch record`, which has checked the arguments and reads the journal.
"""

import atexit
import os
import sys

from depwatch.compare.policies import HOT_AFTER

from .places import Places
from .program import Program, run
from .recording import Recording


def record(program: Program, directory: str, hot_after: int) -> None:
    """Run program, recorded from its first line to its end. Raises what the program raises, SystemExit included."""
    process = os.getpid()
    script = os.path.dirname(os.path.realpath(program.name))
    recording = Recording(directory, Places(os.getcwd() if program.is_module else script), hot_after)

    def end() -> None:
        if os.getpid() == process:
            recording.end()

    # Registered before the program can register anything: runs after its threads and its own exit functions.
    atexit.register(end)
    os.register_at_fork(after_in_child=recording.abandon)
    run(program, recording.start, recording.abandon)


def main() -> None:
    directory, *rest = sys.argv[1:]
    hot_after = HOT_AFTER
    if rest[0] == "--hot-after":
        hot_after = int(rest[1])
        del rest[:2]
    is_module = rest[0] == "-m"
    if is_module:
        del rest[0]
    record(Program(rest[0], is_module, tuple(rest[1:])), os.path.abspath(directory), hot_after)


main()
