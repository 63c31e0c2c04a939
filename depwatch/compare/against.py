"""Compare with a former run of the same program, its base: which causes drop more code now; for CI.

A cause is a facet, by its kind, its qualified name and the file that its object comes from: lines may move, and no
number of a trace is the same in the next one.
"""

import os
import platform
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from depwatch import DepwatchError

from .advice import advice
from .policies import HOT_AFTER
from .record.program import Program
from .replay.prices import Prices
from .replay.result import Facet, Replayed
from .replay.saved import SavedError, read_replay
from .report.figures import NBSP, duration

_TOLD: Final = 3  # causes that rose, in full: so that all fits on one screen
_NAMED: Final = 5  # causes that are only named
_HIT: Final = 3  # functions of each

type Key = tuple[str, str, str]


class BaseError(DepwatchError):
    """What --against names cannot be compared with: one line that says why, and what to do."""


@dataclass(slots=True)
class Cause:
    """What a facet did in a run, in all processes of the program."""

    worst: Facet  # of the process in which it dropped most
    dropped: int = 0
    recompiled: int = 0
    functions: dict[str, None] = field(default_factory=dict)  # in order
    more_functions: int = 0

    def add(self, facet: Facet) -> None:
        if facet.dropped > self.worst.dropped:
            self.worst = facet
        self.dropped += facet.dropped
        self.recompiled += facet.recompiled or 0
        self.functions |= dict.fromkeys(facet.functions)
        self.more_functions += facet.more_functions


def causes_of(traces: Iterable[Replayed]) -> dict[Key, Cause]:
    """All that dropped code in these processes of one program."""
    causes: dict[Key, Cause] = {}
    for facet in (facet for trace in traces for facet in trace.facets if facet.dropped):
        causes.setdefault((facet.kind, facet.facet, facet.home or ""), Cause(facet)).add(facet)
    return causes


class Base:
    """The former run, as `depwatch compare -o BASE.json PROGRAM` wrote it. Raises BaseError."""

    def __init__(self, path: str, program: Program, hot_after: int, tolerance: int) -> None:
        self.path: Final = path
        self.tolerance: Final = tolerance  # drops that a cause may have more
        self.hot_after: Final = hot_after
        self._again: Final = f"make one with `depwatch compare -o BASE.json {' '.join(_head(program.command))}`"
        try:
            self.traces: Final[Sequence[Replayed]] = read_replay(path).traces
        except SavedError as error:
            raise BaseError(f"{error}. To compare with a former run, {self._again}") from None
        self.program: Final = self._checked(program)
        self.causes: Final = causes_of(self.traces)

    def _checked(self, program: Program) -> Replayed:
        """The program itself, without its children."""
        programs = [trace for trace in self.traces if trace.child_of is None]
        if len(programs) != 1:
            raise BaseError(f"{self.path} has {len(programs)} programs, and one can be compared: {self._again}")
        (base,) = programs
        if any(facet.recompiled is None for trace in self.traces for facet in trace.facets):
            raise BaseError(f"{self.path} is of an older depwatch, which told the worst causes only: {self._again}")
        ours, theirs = _name_of(program.command), _name_of(base.program)
        if ours != theirs:
            raise BaseError(f"{self.path} is of {theirs}, not of {ours}: {self._again}")
        if _minor(base.python) != _minor(platform.python_version()):
            raise BaseError(
                f"{self.path} is of CPython {base.python}, this is {platform.python_version()}, where code relies on "
                f"other things: keep one for each version, and {self._again}"
            )
        threshold = base.policies[0].hot_after
        if threshold != self.hot_after:
            raise BaseError(
                f"{self.path} is of functions that are hot after {threshold:,} calls, not {self.hot_after:,}: give "
                f"--hot-after {threshold}, or {self._again}"
            )
        return base

    def compared(self, traces: Sequence[Replayed], prices: dict[str, Prices]) -> "Compared":
        return Compared(self, traces, prices)


class Compared:
    """This run and its base."""

    def __init__(self, base: Base, traces: Sequence[Replayed], prices: dict[str, Prices]) -> None:
        self._base = base
        self._prices = prices
        self._hot_after = base.hot_after
        self._program = next((trace for trace in traces if trace.child_of is None), traces[0])
        self._now = causes_of(traces)
        changes = {key: self._dropped(key) - self._before(key) for key in {**self._now, **base.causes}}
        self.rose: Final = sorted(
            (key for key, more in changes.items() if more > base.tolerance), key=lambda key: (-changes[key], key)
        )
        self._fell = sorted((key for key, more in changes.items() if more < 0), key=lambda key: (changes[key], key))
        self._as_before = len(changes) - len(self.rose) - len(self._fell)

    def _dropped(self, key: Key) -> int:
        return self._now[key].dropped if key in self._now else 0

    def _before(self, key: Key) -> int:
        return self._base.causes[key].dropped if key in self._base.causes else 0

    def text(self) -> str:
        """For people: the causes that rose, those first that rose most, and what is better."""
        lines = [self._answer(), *self._endings()]
        for key in self.rose[:_TOLD]:
            lines += ["", *self._told(key)]
        lines += [""] * bool(self.rose or self._fell)
        if len(self.rose) > _TOLD:
            lines.append(f"more that rose: {self._named(self.rose[_TOLD:])}")
        if self._fell:
            lines.append(f"better: {self._named(self._fell)}")
        if self.rose:
            command = shlex.join(["-o", self._base.path, *self._options(), *self._program.program])
            lines.append(f"If that is meant, make another base: depwatch compare {command}")
        return "\n".join(lines)

    def _options(self) -> list[str]:
        return [] if self._base.hot_after == HOT_AFTER else ["--hot-after", str(self._base.hot_after)]

    def _answer(self) -> str:
        counts = [_counted(len(self.rose), "cause") + " rose" if self.rose else "no cause rose"]
        if self._base.tolerance:
            counts[0] += f" by more than {_counted(self._base.tolerance, 'drop')}"
        counts += [f"{n:,} {word}" for n, word in ((len(self._fell), "fell"), (self._as_before, "as before")) if n]
        started = f" of {self._base.program.started.replace('T', ' ')}" if self._base.program.started else ""
        return f"{self._program.title} against {self._base.path}{started}: {', '.join(counts)}"

    def _endings(self) -> list[str]:
        """What a reader must know of the two runs before he believes the counts."""
        base, now = self._base.program, self._program
        lines = []
        if now.exit != base.exit:
            lines.append(f"They ended differently: {_ending(base)} in the base, {_ending(now)} now.")
        if (arguments := _arguments(base.program)) != _arguments(now.program):
            lines.append(f"Their arguments differ: {' '.join(arguments) or 'none'} in the base.")
        by_facet = next((entry for entry in now.policies if entry.policy == "bulk_by_facet"), None)
        if self.rose and by_facet is not None and "dropped" in by_facet.spread:
            lines.append("Some changes came so fast that they were counted together: counts may differ (--tolerance).")
        return lines

    def _told(self, key: Key) -> list[str]:
        cause = self._now[key]
        before, worst = self._before(key), cause.worst
        word = "more" if before else "new "
        dropped = f"dropped code {_times(cause.dropped)}" + (f", {before:,} in the base" if before else "")
        place = f"{worst.file}:{worst.line}" if worst.file and worst.line else worst.file or "no line of Python code"
        hit = [*cause.functions][:_HIT]
        left = len(cause.functions) - len(hit) + cause.more_functions
        return [
            f"{word}  {worst.facet}  {dropped}; compiled again {_times(cause.recompiled)}",
            f"        changed at {place}, by {worst.cause or 'nobody known'}",
            f"        hit: {', '.join(hit) or 'nobody known'}{f' and {left:,} more' if left else ''}",
            f"        lost: {self._lost(cause)}",
            f"        instead: {advice(worst)}",
        ]

    def _lost(self, cause: Cause) -> str:
        """Time: what was compiled again, and the calls that ran cold until then."""
        lost = {name: prices.lost(cause.recompiled, self._hot_after) for name, prices in self._prices.items()}
        return ", ".join(f"{duration(ns).replace(NBSP, ' ')} ({name})" for name, ns in lost.items())

    def _named(self, keys: Sequence[Key]) -> str:
        names = [f"{key[1]} ({self._before(key):,} → {self._dropped(key):,})" for key in keys[:_NAMED]]
        left = len(keys) - len(names)
        return f"{', '.join(names)}{f' and {left:,} more' if left else ''}"


def _head(command: Sequence[str]) -> Sequence[str]:
    """What runs, without its arguments."""
    return command[: 2 if command[:1] == ["-m"] else 1]


def _name_of(command: Sequence[str]) -> str:
    """Of what runs: a script without its directory, which another machine has elsewhere; or a module."""
    *kind, name = _head(command) or ("no program",)
    return f"the module {name}" if kind else os.path.basename(name.rstrip("/"))


def _arguments(command: Sequence[str]) -> Sequence[str]:
    return command[len(_head(command)) :]


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _ending(trace: Replayed) -> str:
    if trace.exit is None:
        return "in a way that is not known"
    return f"killed by signal {-trace.exit}" if trace.exit < 0 else f"with exit status {trace.exit}"


def _counted(number: int, one: str) -> str:
    return f"{number:,} {one}{'s'[: number != 1]}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
