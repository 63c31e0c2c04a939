"""How many instructions an event takes, counted by valgrind."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys

from measure import HERE
from structures.library import program
from structures.stores import KEYS

EVENTS = 1000  # in a round of instructions.c


def instructions(name: str) -> float | None:
    """Instructions for a hot event with one dependent, without the loop and the call around it; None: no valgrind."""
    if shutil.which("valgrind") is None:
        return None
    return _an_event(name) - _an_event("nothing")


def whole_event() -> float | None:
    """Instructions in the whole callback of a store that breaks, or mends, a facet with one dependent."""
    if shutil.which("valgrind") is None:
        return None
    few, many = 2, 12
    command = (sys.executable, "-m", "structures.stores")
    taken = [_collected(command, rounds, "--toggle-collect=on_dict_event") for rounds in (few, many)]
    return (taken[1] - taken[0]) / ((many - few) * 2 * KEYS)


@functools.cache
def _an_event(name: str) -> float:
    few, many = 2, 12
    command = (str(program()), name)
    return (_collected(command, many) - _collected(command, few)) / ((many - few) * EVENTS)


def _collected(command: tuple[str, ...], rounds: int, *options: str) -> int:
    whole = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *options, *command, str(rounds)]
    done = subprocess.run(whole, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(HERE)})
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        sys.exit(f"benchmarks: {' '.join(whole)} ended with {done.returncode}:\n{done.stderr}")
    return int(found[1])
