"""Many programs, made by hypothesis, from one seed."""

import contextlib
import gc
from collections import Counter
from collections.abc import Callable, Iterator

import hypothesis
from hypothesis import strategies as st

from fuzz import program
from support import few_objects, without_automatic_drain

BLOCK = 8  # steps in one draw: cheaper to draw than steps, and few enough to be shrunk one by one
BLOCKS = st.binary(min_size=BLOCK * program.STEP, max_size=BLOCK * program.STEP)
MAX_BLOCKS = 38
PROGRAMS = st.lists(BLOCKS, min_size=12, max_size=MAX_BLOCKS).map(b"".join)
MAX_PROGRAM = MAX_BLOCKS * BLOCK * program.STEP  # bytes
CHUNK = 100  # programs that are made from one seed
# After its first ten, hypothesis makes most programs from one that it has by copying blocks in it: four in five blocks
# would be known ones. So no more than these are asked for at a time.
BATCH = 10
STEPS_OF_CHUNK = 15_000  # about


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    """Collections at any time would make a failure depend on what ran before it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@without_automatic_drain
def one(steps: bytes, counts: Counter[str], watch: program.Watch | None = None) -> None:
    """One program. Drains happen where it says so, and nowhere else."""
    with without_collections():
        program.run(steps, counts, watch)


@without_automatic_drain
def chunk(seed: int, counts: Counter[str], before: Callable[[bytes], None] = lambda steps: None) -> None:
    """The programs of this seed, and before(steps) before each. Raises what the first that fails raises.

    Nothing is shrunk here, as after a failure the process is in no state to go on: see process.shrunk().
    """
    failed: list[Exception] = []

    def run(steps: bytes) -> None:
        if failed:  # hypothesis wants to see it once more
            raise failed[0]
        before(steps)
        try:
            program.run(steps, counts)
        except Exception as error:  # whatever it is, it is raised again below
            failed.append(error)
            raise

    with without_collections():
        try:
            each_program(seed, run)
        except Exception:  # hypothesis may have put its own around it: raise what the program raised
            if failed:
                raise failed[0] from None
            raise


def each_program(seed: int, run: Callable[[bytes], None], shrink: bool = False) -> None:
    """Call run with the programs of this seed until it raises; then, if asked to, with shorter ones that may, too."""
    phases = [hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if shrink else [])]
    batches = CHUNK // BATCH
    for batch in range(batches):

        @hypothesis.seed(seed * batches + batch)
        @hypothesis.settings(
            max_examples=BATCH,
            deadline=None,
            database=None,
            derandomize=False,
            suppress_health_check=list(hypothesis.HealthCheck),
            print_blob=False,
            report_multiple_bugs=False,
            phases=phases,
        )
        @hypothesis.given(PROGRAMS)
        def each(steps: bytes) -> None:
            run(steps)

        each()


def run(steps: int, seed: int) -> Iterator[Counter[str]]:
    """The counts so far after each chunk, until that many steps are run. Chunk i has the seed `seed + i`."""
    counts: Counter[str] = Counter()
    with few_objects():
        while counts["steps"] < steps:
            chunk(seed, counts)
            seed += 1
            yield counts
