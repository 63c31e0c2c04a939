"""Counts the executors that CPython's JIT makes and drops; gdb runs it in itself: see executors.py.

`gdb -x` this file, with a debug build of CPython and its program as --args; what was counted goes to $DEPWATCH_COUNTED.
"""

import json
import os
from collections import Counter
from typing import Any

import gdb  # type: ignore[import-not-found]  # there is one in gdb only

Place = tuple[str, str, int, int]  # function, file, offset of its first instruction, how many exits lead to it

counts: Counter[str] = Counter()
sizes: list[int] = []  # bits that are set in the filter of each executor
live: dict[int, tuple[int, Place]] = {}  # bits that are set, and where it begins, by address
places: dict[Place, Counter[str]] = {}  # what became of those that begin at each
ending = False  # whether the program has ended, and the interpreter clears its modules
changing = ""  # kind of the object that has changed last
expected = 0.0  # drops that the filters of those that are alive make by mistake, on average


class At(gdb.Breakpoint):  # type: ignore[misc]  # gdb has no types
    """A function at whose beginning something is counted; the program goes on."""

    def __init__(self, function: str) -> None:
        super().__init__(function, internal=True)
        self.silent = True

    def stop(self) -> bool:
        self.reached(gdb.selected_frame())
        return False

    def reached(self, frame: Any) -> None:
        raise NotImplementedError  # each breakpoint says what it does


class Made(At):
    def reached(self, frame: Any) -> None:
        bits = gdb.selected_inferior().read_memory(int(frame.read_var("dependency_set")), 32)
        size = int.from_bytes(bits.tobytes(), "little").bit_count()
        place = begins(frame)
        again = place in places
        counts["made again" if again else "made at an exit" if place[3] else "made first"] += 1
        counts["made"] += 1
        sizes.append(size)
        live[int(frame.read_var("executor"))] = size, place
        places.setdefault(place, Counter())["made"] += 1


def begins(frame: Any) -> Place:
    """Where the trace began that is made into an executor: its tracer knows."""
    while frame.name() != "_PyOptimizer_Optimize":
        frame = frame.older()
    first = frame.read_var("_tstate").dereference()["jit_tracer_state"]["initial_state"]
    code, start = first["code"], int(first["start_instr"])
    offset = start - int(code.dereference()["co_code_adaptive"].address)
    return text(code["co_qualname"]), text(code["co_filename"]), offset, int(first["chain_depth"])


def text(value: Any) -> str:
    """A str of ASCII, as names and paths are."""
    compact = value.cast(COMPACT)
    return str((compact + 1).cast(CHARS).string(length=int(compact["length"])))


class Dropped(At):
    """By the function that asks for it; or by the kind of the object that they depended on, if that has changed."""

    def reached(self, frame: Any) -> None:
        found = live.pop(int(frame.read_var("op")), None)
        if found is None:
            return  # it is dropped already, and freed now
        caller = frame.older()
        name = caller.name() if caller is not None else "?"
        by_change = name == "_Py_Executors_InvalidateDependency"
        if ending:
            did = "dropped at the end"
        elif by_change:
            did = f"dropped as changed: {changing}"
        else:
            did = f"dropped by {name}"
        counts[did] += 1
        places[found[1]]["dropped by a change" if by_change and not ending else "dropped otherwise"] += 1


class Ending(At):
    def reached(self, frame: Any) -> None:
        global ending
        ending = True


class Changed(At):
    """An object that executors may depend on has changed."""

    def reached(self, frame: Any) -> None:
        global ending, expected, changing
        ending = ending or not runs_python(frame)
        if ending:
            return
        kind = frame.read_var("obj").cast(OBJECT)["ob_type"]["tp_name"].string()
        changing = kind if kind in ("dict", "code", "function") else "type"
        counts[f"changed: {changing}"] += 1
        expected += sum((size / 256) ** 6 for size, _ in live.values())


def runs_python(frame: Any) -> bool:
    """Not when a script is done: then CPython takes __file__ out of its namespace, before it ends."""
    while frame is not None:
        if frame.name() == "_PyEval_EvalFrameDefault":
            return True
        frame = frame.older()
    return False


OBJECT = gdb.lookup_type("PyObject").pointer()
COMPACT = gdb.lookup_type("PyASCIIObject").pointer()
CHARS = gdb.lookup_type("char").pointer()

gdb.execute("set pagination off")
gdb.execute("set confirm off")
Made("_Py_ExecutorInit")
Dropped("executor_invalidate")
Changed("_Py_Executors_InvalidateDependency")
Ending("Py_FinalizeEx")
gdb.execute("run")
status = gdb.parse_and_eval("$_exitcode")
began = [[*place, dict(did)] for place, did in places.items()]
found = {"exit": int(status), "counts": counts, "bits": sizes, "expected": round(expected, 2), "places": began}
with open(os.environ["DEPWATCH_COUNTED"], "w", encoding="utf-8") as file:
    json.dump(found, file)
