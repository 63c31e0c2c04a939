"""The program's own time: a clock that stands still while we work, so that rates are those of the program."""

from time import perf_counter


class Clock:
    __slots__ = ("spent",)

    def __init__(self) -> None:
        self.spent = 0.0  # seconds, on observing

    def now(self) -> float:
        return perf_counter() - self.spent
