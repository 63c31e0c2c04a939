"""Tags: what makes the names in compiled code unlike those of any other process, as code on the disk outlives its own.

LLVM takes two pieces of code of the same name for the same. numba numbers the functions that it compiles, in each
process from 1 on: code that was stored by one process would be taken for other code that the next one compiles.
"""

import itertools
import os
import re
from collections.abc import Iterable
from typing import Final

from numba.core.bytecode import FunctionIdentity

_NUMBERS: Final = 24  # bits of a name's number that count within a process; those above are its tag
_IN_CODE: Final = re.compile(r"B(\d+)v(\d+)")  # in the names of functions and their environments: how long, and what
_IN_CELL: Final = re.compile(r"depwatch_cell_(\d+)")

_own: Final[set[int]] = set()  # of this process, and of those that it was forked from


def _begin() -> None:
    """Give all that is compiled from now on names with a new tag."""
    global _cells
    tag = int.from_bytes(os.urandom(7)) | 1  # never 0, which is what numba counted before
    _own.add(tag)
    FunctionIdentity._unique_ids = itertools.count(tag << _NUMBERS)
    _cells = itertools.count(tag << _NUMBERS)


_cells = itertools.count()
_begin()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)


def name_of_cell() -> str:
    """A name for one more word that compiled code loads."""
    return f"depwatch_cell_{next(_cells)}"


def tags_in(names: Iterable[str]) -> frozenset[int]:
    """The tags in the names of functions and cells; 0 if numba compiled one of them before this was imported."""
    text = " ".join(names)
    numbers = [digits[: int(length) - 1] for length, digits in _IN_CODE.findall(text)] + _IN_CELL.findall(text)
    return frozenset(int(number) >> _NUMBERS for number in numbers)


def is_own(tag: int) -> bool:
    """Whether names with this tag are of code that was compiled here, or where this process was forked from."""
    return tag in _own or tag == 0
