"""The fuzzer in the suite, and the fuzzer itself: it reaches everything it is for, and it finds what is wrong."""

import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from fuzz import labels, program, report
from fuzz.routes import ROUTES
from fuzz.world import HAS_LAZY_IMPORTS
from host.versions import IS_DEBUG
from support import ROOT

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


def environment():
    """The fuzzer on the path, and hashes of str that are always the same."""
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT), *filter(None, sys.path)])
    return os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "0", "COLUMNS": "100"}


def run(*arguments):
    """Run this Python so."""
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment(), timeout=300, check=False
    )


def campaign(steps, batches):
    """What a campaign of that many steps counts; a chunk has that many batches, or as many as it has."""
    script = """
        import json, sys
        from fuzz import campaign
        steps, seed, batches = map(int, sys.argv[1:])
        campaign.CHUNK = min(campaign.CHUNK, batches * campaign.BATCH)
        for counts in campaign.run(steps, seed):
            pass
        print(json.dumps(counts))
    """
    done = run("-c", textwrap.dedent(script), str(steps), str(SEED), str(batches))
    assert done.returncode == 0, done.stdout + done.stderr
    return Counter(json.loads(done.stdout))


def test_a_few_random_programs_find_nothing_that_is_stale():
    counts = campaign(FEW_STEPS, batches=1)
    assert counts["steps"] >= FEW_STEPS


@pytest.fixture(scope="module")
def counts():
    return campaign(STEPS, batches=1000)


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
                "from fuzz import checks; checks.is_up = lambda cell: True",
                "wrong: the code of the label of ",
            )
        }
        if labels.SUPPORTED
        else {}
    ),
    "guards are always up": ("from fuzz import checks; checks.is_up = lambda cell: True", "wrong: the "),
    "what many handles rely on is lost": (
        "commit = depwatch.Recorder.commit_many; depwatch.Recorder.commit_many = lambda recorder, offsets, reads: "
        "commit(recorder, type(offsets)('Q', bytes(8 * len(offsets))), type(reads)('I'))",
        "wrong: stale: ",
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


# ./dev fuzz in children of one process that has imported everything: `sabotage` and the arguments come as lines, and
# go back with its status and where it has written. The children are forked before anything has run.
COMMANDS = """
import json, os, signal, sys, tempfile
import depwatch
from fuzz.__main__ import main
for line in sys.stdin:
    sabotage, arguments = json.loads(line)
    files = [tempfile.mkstemp(dir=sys.argv[1]) for _ in range(2)]
    pid = os.fork()
    if pid == 0:
        for target, (file, _) in enumerate(files, 1):
            os.dup2(file, target)
        signal.alarm(300)
        exec(sabotage)
        main(arguments, prog_name="./dev fuzz")
    for file, _ in files:
        os.close(file)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps([status, *(path for _, path in files)]), flush=True)
"""


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    server = subprocess.Popen(
        [sys.executable, "-c", COMMANDS, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )

    def fuzz(sabotage, *arguments):
        server.stdin.write(json.dumps([sabotage, arguments]) + "\n")
        server.stdin.flush()
        status, *files = json.loads(server.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, *(Path(file).read_text() for file in files))

    yield fuzz
    server.stdin.close()
    assert server.wait(timeout=60) == 0
    server.stdout.close()


def steps_in(text):
    return [line for line in text.splitlines() if line.startswith("  ") and line.split()[0].isdigit()]


QUICKEST = "a cell of floats is frozen"


@pytest.mark.parametrize(
    "sabotage", [name if name == QUICKEST else pytest.param(name, marks=pytest.mark.slow) for name in SABOTAGE]
)
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


def test_the_steps_and_handles_of_one_program_are_told():
    compiling = next(number for number, route in enumerate(program.TABLE) if route and route.name == "compile a piece")
    done = run("-m", "fuzz", "--program", bytes([compiling, 0, 0, 0]).hex(), "-v")
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
    first, second = (run("-m", "fuzz", "--steps", "1", "--seed", "3").stdout for _ in range(2))
    assert first == second
    assert ": 1" in first.splitlines()[-1]
