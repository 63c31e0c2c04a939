"""A process for each chunk of a campaign: every chunk starts from the same state, and a crash ends only its own."""

import contextlib
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
from typing import NamedTuple

from fuzz import campaign
from fuzz.program import Watch
from fuzz.wrong import Wrong

_HEAD = struct.Struct("QQQQ")  # steps, fired, fired needlessly, length of the program that follows
MAX_SECONDS = 20  # for one program, which takes some milliseconds
_LIVE = ("steps", "fired", "fired needlessly")

type Before = Callable[[bytes], None]
type Work = Callable[[Counter[str], Before], None]


class Result(NamedTuple):
    """How it ended."""

    seed: int | None
    counts: Counter[str]
    program: bytes  # the last that ran
    kind: str  # of trouble, in a word; empty if nothing is wrong
    trouble: str  # what is wrong, in words


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
            kind = trouble = ""

            def before(steps: bytes) -> None:
                self.board.write(counts, steps)
                faulthandler.dump_traceback_later(MAX_SECONDS, exit=True, file=self._file)

            try:
                work(counts, before)
            except BaseException as error:
                kind, trouble = kind_of(error), describe(error)
            self._file.write(json.dumps({"counts": counts, "kind": kind, "trouble": trouble}).encode())
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
        self._file.close()
        program = self.board.program()
        if status == 0:
            told = json.loads(text)
            return Result(self.seed, Counter(told["counts"]), program, told["kind"], told["trouble"])
        number = os.waitstatus_to_exitcode(status)
        kind = signal.Signals(-number).name if number < 0 else f"status {number}"
        return Result(self.seed, self.board.counts(), program, kind, f"the process ended with {kind}\n{text}".rstrip())

    def result(self) -> Result:
        """How it ended, once it has."""
        found = self.ended(wait=True)
        assert found is not None
        return found

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def kind_of(error: BaseException) -> str:
    return str(error).partition(":")[0][:20] if isinstance(error, Wrong) else type(error).__name__


def describe(error: BaseException) -> str:
    """What is wrong. Only an error that is no finding of ours needs its traceback; the program is told by others."""
    error.__notes__ = []
    return f"wrong: {error}" if isinstance(error, Wrong) else "".join(traceback.format_exception(error)).rstrip()


def chunk(seed: int) -> Process:
    """That chunk of a campaign. Call within few_objects()."""

    def work(counts: Counter[str], before: Before) -> None:
        campaign.chunk(seed, counts, before=before)

    return Process(work, seed)


def one(steps: bytes, watch: Watch | None = None) -> Process:
    """One program."""

    def work(counts: Counter[str], before: Before) -> None:
        before(steps)
        campaign.one(steps, counts, watch)

    return Process(work)


class _Again(Exception):
    """The same trouble as before."""


def shrunk(found: Result) -> Result:
    """The same trouble from a program that hypothesis has shrunk; as it was found if that alone gives no trouble.

    The chunk is made once more, without running what gave no trouble; each try is a process of its own.
    """
    best: list[Result] = []

    def run(steps: bytes) -> None:
        if not best and steps != found.program:
            return
        result = one(steps).result()
        if result.kind == found.kind:
            best.append(result)
            raise _Again

    assert found.seed is not None
    with contextlib.suppress(_Again):
        campaign.each_program(found.seed, run, shrink=True)
    return best[-1]._replace(seed=found.seed, counts=found.counts) if best else found
