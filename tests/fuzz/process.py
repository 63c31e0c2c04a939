"""A process for each chunk of a campaign: every chunk starts from the same state, and a crash ends only its own."""

import faulthandler
import json
import mmap
import os
import signal
import struct
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from fuzz import campaign, program
from fuzz.checks import Wrong

_HEAD = struct.Struct("QQQQ")  # steps, fired, fired needlessly, length of the program that follows
_LIVE = ("steps", "fired", "fired needlessly")

type Before = Callable[[bytes], None]
type Work = Callable[[Counter[str], Before], None]


class Result(NamedTuple):
    """How it ended. trouble: None if nothing is wrong, else what is, in words."""

    seed: int | None
    counts: Counter[str]
    trouble: str | None


class Board:
    """Memory that the parent reads while the child writes, and after the child has crashed."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _HEAD.size + campaign.MAX_PROGRAM)

    def write(self, counts: Counter[str], steps: bytes) -> None:
        steps = steps[: campaign.MAX_PROGRAM]
        self._memory[_HEAD.size : _HEAD.size + len(steps)] = steps
        _HEAD.pack_into(self._memory, 0, *(counts[what] for what in _LIVE), len(steps))

    def counts(self) -> Counter[str]:
        return Counter(dict(zip(_LIVE, _HEAD.unpack_from(self._memory)[:3], strict=True)))

    def program(self) -> bytes:
        """What ran last."""
        length = _HEAD.unpack_from(self._memory)[3]
        return self._memory[_HEAD.size : _HEAD.size + length]


class Process:
    """Work that goes on in a child."""

    def __init__(self, work: Work, seed: int | None = None) -> None:
        self.seed = seed
        self.board = Board()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 # what the child reports, or the stack where it crashed
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._work(work)

    def _work(self, work: Work) -> None:
        """In the child: it must not return into the parent's code, whatever happens."""
        status = 1
        try:
            faulthandler.enable(self._file)
            counts: Counter[str] = Counter()
            trouble = None
            try:
                work(counts, lambda steps: self.board.write(counts, steps))
            except BaseException as error:
                trouble = describe(error)
            self._file.write(json.dumps({"counts": counts, "trouble": trouble}).encode())
            self._file.flush()
            sys.stdout.flush()
            status = 0
        finally:
            os._exit(status)

    def ended(self, wait: bool = False) -> Result | None:
        """How it ended, or None if it has not."""
        pid, status = os.waitpid(self.pid, 0 if wait else os.WNOHANG)
        if pid == 0:
            return None
        self._file.seek(0)
        text = self._file.read().decode(errors="replace")
        if status == 0:
            told = json.loads(text)
            return Result(self.seed, Counter(told["counts"]), told["trouble"])
        number = os.waitstatus_to_exitcode(status)
        how = f"killed by {signal.Signals(-number).name}" if number < 0 else f"ended with status {number}"
        trouble = f"the process was {how} in this program\n{program.render(self.board.program())}\n{text}"
        return Result(self.seed, self.board.counts(), trouble)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def describe(error: BaseException) -> str:
    """What is wrong: the error with the program's steps. Only an error that is no finding of ours needs its traceback."""
    steps = [note for note in getattr(error, "__notes__", []) if note.startswith("the program's steps")]
    if isinstance(error, Wrong):
        return "\n".join([f"wrong: {error}", *steps[:1]])
    error.__notes__ = steps[:1]
    return "".join(traceback.format_exception(error))


def chunk(seed: int) -> Process:
    """That chunk of a campaign. Call within campaign.settled()."""

    def work(counts: Counter[str], before: Before) -> None:
        campaign.chunk(seed, counts, before=before)

    return Process(work, seed)


def one(steps: bytes, watch: Any) -> Process:
    """One program."""

    def work(counts: Counter[str], before: Before) -> None:
        before(steps)
        campaign.one(steps, counts, watch)

    return Process(work)
