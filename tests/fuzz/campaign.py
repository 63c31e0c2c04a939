"""Many programs, made and shrunk by hypothesis, from one seed."""

import gc
from collections import Counter
from collections.abc import Iterator

import hypothesis
from hypothesis import strategies as st

import depwatch
from fuzz import program
from support import without_automatic_drain

BLOCK = 8  # steps in one draw: cheaper to draw than steps, and few enough to be shrunk one by one
BLOCKS = st.binary(min_size=BLOCK * program.STEP, max_size=BLOCK * program.STEP)
PROGRAMS = st.lists(BLOCKS, min_size=12, max_size=38).map(b"".join)
CHUNK = 100  # programs that hypothesis makes from one seed: it remembers them all


def settle_down() -> None:
    """Full collections in programs must not look at all that hypothesis keeps.

    The tables of subclasses of static bases are found through the collector: let depwatch find them before.
    """
    recorder = depwatch.Recorder("warm up")
    recorder.read_type_attr(type("Root", (), {"a": 1}), "a")
    recorder.close()
    depwatch.drain()
    gc.collect()
    gc.freeze()


@without_automatic_drain
def chunk(seed: int, counts: Counter[str], max_programs: int = CHUNK) -> None:
    """CHUNK programs from this seed. Drains happen where the program says so, and nowhere else."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=max_programs,
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
        phases=[phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain],
    )
    @hypothesis.given(PROGRAMS)
    def run(steps: bytes) -> None:
        program.run(steps, counts)

    collecting = gc.isenabled()
    gc.disable()  # collections at any time would make a failure depend on what ran before it
    try:
        run()
    finally:
        if collecting:
            gc.enable()


def run(steps: int, seed: int) -> Iterator[Counter[str]]:
    """The counts so far after each chunk, until that many steps are run. Chunk i has the seed `seed + i`."""
    counts: Counter[str] = Counter()
    settle_down()
    while counts["steps"] < steps:
        chunk(seed, counts)
        seed += 1
        yield counts
