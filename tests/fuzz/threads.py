"""./dev fuzz --threads: threads that read, commit, index, retire, release, change and drain, a microsecond at a time.

Each owns some lives, whose values only it changes: so it can say at any moment what is true. Signal handlers,
destructors, weak references, collections, keys and callbacks act in between. In the end all is compared, all goes, and
nothing is left.
"""

import gc
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import depwatch
from depwatch import _core
from fuzz import process
from fuzz.process import Process, Result
from fuzz.thread_crew import Crew, Member
from fuzz.thread_deeds import ACTS, DEEDS
from fuzz.wrong import Wrong

THREADS = 8
ROUND = 10  # seconds, each in a process of its own
SIGNAL = 0.002  # seconds between two
SWITCH = 1e-6  # seconds
KEPT = ("objects", "facets", "handles", "dependencies")


@contextmanager
def acting(crew: Crew) -> Iterator[None]:
    """Signals come, collections act, exceptions that nobody gets are failures, and threads take turns all the time."""

    def hook(unraisable: Any) -> None:
        crew.fail(unraisable.exc_value)

    def collecting(phase: str, info: dict[str, int]) -> None:
        if info["generation"] or crew.members[0].chance.random() < 0.2:
            crew.act("a collection")

    before = sys.unraisablehook, sys.getswitchinterval(), gc.get_threshold()
    handler = signal.signal(signal.SIGALRM, lambda number, frame: crew.act("a signal"))
    sys.unraisablehook = hook
    sys.setswitchinterval(SWITCH)
    gc.set_threshold(300, 5, 5)
    gc.enable()
    gc.callbacks.append(collecting)
    signal.setitimer(signal.ITIMER_REAL, SIGNAL, SIGNAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        gc.callbacks.remove(collecting)
        sys.unraisablehook = before[0]
        sys.setswitchinterval(before[1])
        gc.set_threshold(*before[2])


def work(member: Member, until: float, each: Callable[[], None]) -> None:
    """Each deed once, then what chance says until then; and each() about every second."""
    crew = member.crew
    crew.come(member)
    next_beat = 0.0
    try:
        for deed in member.chance.sample(list(DEEDS), len(DEEDS)):
            member.do({deed: 1})
        while (now := time.monotonic()) < until and not crew.resting:
            if now >= next_beat:
                each()
                next_beat = now + 1
            member.do(DEEDS)
    except BaseException as error:
        crew.fail(error)


def settle() -> None:
    """Until nothing is left to be told or dropped."""
    for _ in range(20):
        if not gc.collect() + depwatch.drain() and not _core.unsettled():
            return


def compare_all(crew: Crew) -> None:
    """Everybody is gone but us: now each handle, cell and callback must be exactly right."""
    settle()
    _core.check_index()
    for member in crew.members:
        for hearing in member.hearings:
            hearing.check()
        for piece in member.pieces:
            piece.check(settled=True)
            if piece.told is not None:
                piece.told.check()


def count(crew: Crew) -> Counter[str]:
    counts = sum((Counter(member.counts) for member in crew.members), Counter[str]())
    steps = counts.total()
    return counts + Counter({f"act in {where}": number for where, number in crew.where.items()}) + Counter(steps=steps)


def run(seed: int, seconds: float, counts: Counter[str], beat: Callable[[], None]) -> None:
    """One round. Raises the first failure. beat is called now and then, by the main thread."""
    settle()
    before = depwatch.stats()
    crew = Crew(seed, THREADS, ACTS)
    until = time.monotonic() + seconds
    with acting(crew):
        others = [threading.Thread(target=work, args=(member, until, lambda: None)) for member in crew.members[1:]]
        for thread in others:
            thread.start()
        work(crew.members[0], until, beat)
        for thread in others:
            thread.join()
    crew.resting = True
    counts.update(count(crew))
    if not crew.failures:
        compare_all(crew)
        crew.come(None)
        crew.members.clear()
        crew.hot.clear()
        crew.ring, crew.disputed = [], None
        settle()
        _core.check_index()
        after = depwatch.stats()
        left = {name: after[name] - before[name] for name in KEPT if after[name] != before[name]}
        if left:
            raise Wrong(f"left when all is gone: {left}")
    for failure in crew.failures:
        raise failure


def start(seed: int, seconds: float) -> Process:
    def work(counts: Counter[str], before: process.Before) -> None:
        run(seed, seconds, counts, lambda: before(b""))

    return Process(work, seed)


def rounds(seconds: float, seed: int) -> Iterator[Result]:
    """What each round gave, until one has found something or the seconds are over."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0.5:
        result = start(seed, min(ROUND, left)).result()
        yield result
        if result.kind:
            return
        seed += 1
