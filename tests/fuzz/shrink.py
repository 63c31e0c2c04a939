"""A shorter program that fails in the same way. Each try is a process: one that fails leaves things behind."""

import time
from collections.abc import Callable

from fuzz.program import STEP, shortest

MAX_SECONDS = 60  # enough for a few steps; what is left then is still a program that fails


class Shrinker:
    def __init__(self, program: bytes, fails: Callable[[bytes], bool]) -> None:
        program = shortest(program)
        self.steps = [program[start : start + STEP] for start in range(0, len(program), STEP)]
        self._fails = fails
        self._end = time.monotonic() + MAX_SECONDS

    def _accepts(self, steps: list[bytes]) -> bool:
        if time.monotonic() > self._end or not self._fails(b"".join(steps)):
            return False
        self.steps = steps
        return True

    def _remove(self, size: int) -> bool:
        """Runs of so many steps that it can do without."""
        before, start = len(self.steps), 0
        while start < len(self.steps):
            if not self._accepts(self.steps[:start] + self.steps[start + size :]):
                start += size
        return len(self.steps) < before

    def _lower(self) -> None:
        """The numbers of each step."""
        for index in range(len(self.steps)):
            for place in range(1, STEP):
                for lower in (0, *(1 << bit for bit in range(8))):
                    step = bytearray(self.steps[index])
                    if lower >= step[place]:
                        break
                    step[place] = lower
                    if self._accepts([*self.steps[:index], bytes(step), *self.steps[index + 1 :]]):
                        break

    def run(self) -> bytes:
        size = len(self.steps) // 2
        while size > 1:
            self._remove(size)
            size //= 2
        while self._remove(1):
            pass
        self._lower()
        while self._remove(1):
            pass
        return b"".join(self.steps)


def shrink(program: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """The shortest that was found; the program itself if nothing can go."""
    return Shrinker(program, fails).run()
