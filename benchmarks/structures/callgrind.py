"""How many instructions an event takes, counted by valgrind."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys

from structures.library import program

EVENTS = 1000  # in a round of instructions.c


def instructions(name: str) -> float | None:
    """Instructions for a hot event with one dependent, without the loop and the call around it; None: no valgrind."""
    if shutil.which("valgrind") is None:
        return None
    return _an_event(name) - _an_event("nothing")


@functools.cache
def _an_event(name: str) -> float:
    few, many = 2, 12
    return (_collected(name, many) - _collected(name, few)) / ((many - few) * EVENTS)


def _collected(name: str, rounds: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program()), name, str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        sys.exit(f"benchmarks: {' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return int(found[1])
