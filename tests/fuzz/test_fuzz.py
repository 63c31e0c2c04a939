"""The fuzzer in the suite, and the fuzzer itself: it reaches everything it is for, and it finds what is wrong."""

import json
from collections import Counter

import pytest

from fuzz import labels, program, report
from fuzz.routes import ROUTES
from fuzz.world import HAS_LAZY_IMPORTS
from host.versions import IS_DEBUG
from parent import Parent
from support import start

# Over 200,000 steps on the four release and two debug interpreters of CI, where a debug build takes five times as long.
STEPS = 25_000 if IS_DEBUG else 40_000
FEW_STEPS = 3_000
SEED = 1  # one for all: the same programs take different ways on each version
CAUSES = ("changed", "died", "superseded", "unstable", "lost", "ambiguous", "class of the module", "bases")
USED = (
    "committed", "fired", "healed", "told", "refused", "unstable", "stale, refused at commit", "cells checked",
    "committed with others", "stale, refused at commit of many", "entries that ran", "entry refused, there is one",
    *(["labels checked"] if labels.SUPPORTED else []),
    *(["lazy imports", "lazy imports made"] if HAS_LAZY_IMPORTS else []),
)  # fmt: skip


VARIABLES = {"PYTHONHASHSEED": "0", "COLUMNS": "100"}  # hashes of str are always the same


@pytest.fixture(scope="module")
def parent():
    """A process that has imported the fuzzer."""
    made = Parent("fuzz.__main__", **VARIABLES)
    yield made
    made.end()


CAMPAIGN = """
import json, sys
from fuzz import campaign
steps, seed, batches = map(int, sys.argv[1:])
campaign.CHUNK = min(campaign.CHUNK, batches * campaign.BATCH)
for counts in campaign.run(steps, seed):
    pass
print(json.dumps(counts))
"""


def campaign(parent, steps, batches):
    """What a campaign of that many steps counts; a chunk has that many batches, or as many as it has."""
    done = parent.run(CAMPAIGN, str(steps), str(SEED), str(batches), limit=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return Counter(json.loads(done.stdout))


def test_a_few_random_programs_find_nothing_that_is_stale(parent):
    counts = campaign(parent, FEW_STEPS, batches=1)
    assert counts["steps"] >= FEW_STEPS


@pytest.fixture(scope="module")
def counts(parent):
    return campaign(parent, STEPS, batches=1000)


@pytest.mark.slow
def test_random_programs_find_nothing_that_is_stale(counts):
    assert counts["steps"] >= STEPS


@pytest.mark.slow
def test_at_most_one_in_a_hundred_firings_is_needless(counts):
    assert report.needless(counts) <= 0.01


@pytest.mark.slow
def test_programs_take_every_route(counts):
    assert [route.name for route in ROUTES if not counts[f"route: {route.name}"]] == []


@pytest.mark.slow
def test_programs_use_all_that_an_optimizer_can(counts):
    assert [what for what in USED if not counts[what]] == []


@pytest.mark.slow
def test_handles_are_retired_for_every_reason_that_a_program_can_cause(counts):
    assert [cause for cause in CAUSES if not counts[f"retired: {cause}"]] == []


def test_every_route_has_a_byte_and_every_byte_but_0_a_route():
    assert program.TABLE[0] is None
    assert set(program.TABLE[1:]) == set(ROUTES)
    assert len({route.name for route in ROUTES}) == len(ROUTES)


# --- what the fuzzer finds -------------------------------------------------------------------------------------------

# A depwatch that is wrong, and what the fuzzer must then say.
SABOTAGE = {
    "handles are always valid": (
        "from fuzz import checks; checks.byte_of = lambda handle: 255 if handle.retired else 0",
        "wrong: stale: ",
    ),
    "a cell of floats is frozen": (
        "from fuzz import checks; checks.word_of = lambda cell: 12.75",
        "wrong: the ",
    ),
    **(
        {
            "labels are always up": (
                "from fuzz import checks; is_up = checks.is_up; "
                "checks.is_up = lambda cell: hasattr(cell, 'target') or is_up(cell)",
                "wrong: the code of the label of ",
            )
        }
        if labels.SUPPORTED
        else {}
    ),
    "guards are always up": ("from fuzz import checks; checks.is_up = lambda cell: True", "wrong: the "),
    "what many handles rely on is lost": (
        "commit = depwatch.Recorder.commit_many; depwatch.Recorder.commit_many = lambda recorder, offsets, reads, **m: "
        "commit(recorder, type(offsets)('Q', bytes(8 * len(offsets))), type(reads)('I'), **m)",
        "wrong: ",
    ),
    "an entry looks at another handle": (
        "install = depwatch.install; depwatch.install = lambda function, optimized, handle: "
        "install(function, optimized, depwatch.Recorder('valid').commit())",
        "wrong: stale: the entry of ",
    ),
    "nothing is drained": (
        "from fuzz import program; from types import SimpleNamespace as Made; program._core = Made("
        "counters=program._core.counters, unsettled=lambda: False); depwatch.drain = lambda: 0",
        "wrong: ",
    ),
    "reasons are made up": (
        "from fuzz import checks; checks.reason_of = lambda handle: 'it died'",
        "wrong: retired without that reason: ",
    ),
    "a process that crashes": (
        "import os; from fuzz import routes_optimizer; depwatch.explain = lambda handle: os.abort()",
        "the process ended with SIGABRT",
    ),
}
if IS_DEBUG:  # what is tested here is the fuzzer, not the interpreter, and each takes many processes
    SABOTAGE = {name: SABOTAGE[name] for name in ("handles are always valid", "a process that crashes")}
FEW = 6  # steps of a shrunk program


@pytest.fixture
def fuzz(parent):
    """./dev fuzz, and what is sabotaged before."""

    def fuzz(sabotage, *arguments):
        program = f"import depwatch\n{sabotage}\nfrom fuzz.__main__ import main\nmain(prog_name='./dev fuzz')"
        return parent.run(program, *arguments, limit=300)

    return fuzz


def steps_in(text):
    return [line for line in text.splitlines() if line.startswith("  ") and line.split()[0].isdigit()]


@pytest.mark.slow
@pytest.mark.parametrize("sabotage", SABOTAGE)
def test_a_wrong_depwatch_is_found_and_shrunk_to_a_few_steps_that_fail_again(fuzz, sabotage):
    code, trouble = SABOTAGE[sabotage]
    found = fuzz(code, "--steps", "1", "--seed", "2")
    assert found.returncode == 1, found.stdout + found.stderr
    assert f"in the chunk of seed 2: {trouble}" in found.stdout
    assert "the whole chunk again: ./dev fuzz --seed 2 --steps 1" in found.stdout
    steps = steps_in(found.stdout)
    assert 0 < len(steps) <= FEW, found.stdout
    (again,) = (line for line in found.stdout.splitlines() if line.startswith("again: ./dev fuzz --program "))
    alone = fuzz(code, "--program", again.split()[-1])
    assert alone.returncode == 1
    assert alone.stdout.startswith(trouble)
    assert steps_in(alone.stdout) == steps
    assert again in alone.stdout
    assert fuzz("pass", "--program", again.split()[-1]).stdout == f"nothing is wrong after {len(steps)} steps\n"


def test_the_steps_and_handles_of_one_program_are_told(fuzz):
    compiling = next(number for number, route in enumerate(program.TABLE) if route and route.name == "compile a piece")
    done = fuzz("pass", "--program", bytes([compiling, 0, 0, 0]).hex(), "-v")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "  1 compile a piece (0, 0, 0)",
        "      <Handle 0 'fuzz', valid>",
        "        holds: global rate of a function",
        "nothing is wrong after 1 steps",
    ]


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["--program", "nonsense"], "a failure prints it in hexadecimal"),
        (["-v"], "give it with --program"),
        (["--steps", "0"], "0 is not in the range"),
    ],
)
def test_a_wrong_call_is_told_with_status_2(fuzz, arguments, problem):
    done = fuzz("pass", *arguments)
    assert done.returncode == 2
    assert problem in done.stderr


@pytest.mark.slow
def test_the_same_seed_gives_the_same_counts():
    program = "from fuzz.__main__ import main; main()"
    first, second = (start(program, "--steps", "1", "--seed", "3", environment=VARIABLES).stdout for _ in range(2))
    assert first == second
    assert ": 1" in first.splitlines()[-1]
