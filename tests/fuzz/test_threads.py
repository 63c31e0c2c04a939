"""The fuzzer of threads: it does all that it is for, finds nothing, and would find what is wrong."""

import os
import re
import subprocess
import sys

import pytest

from fuzz import sabotaged, thread_deeds
from support import ROOT

SECONDS = "3"
ACTORS = (
    "a callback",
    "a collection",
    "a destructor",
    "a key",
    "a listener",
    "a signal",
    "a weak reference",
    "artifacts",
)


def fuzz(*arguments, sabotage="", folder=ROOT):
    """./dev fuzz, of the depwatch in that folder, after some code."""
    program = f"{sabotage}\nfrom fuzz.__main__ import main\nmain(prog_name='./dev fuzz')"
    path = os.pathsep.join([str(folder), str(ROOT / "tests"), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "0", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_threads_do_everything_at_the_same_time_and_nothing_is_wrong():
    done = fuzz("--threads", SECONDS, "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    told = done.stdout
    assert told.splitlines()[-1].endswith(" deeds of threads, seeds 1..1, nothing wrong")
    done_at_all = set(re.findall(r"│ ([\w ]+?)(?::[^│]*)? *│", told))
    assert {deed.__name__.replace("_", " ") for deed in thread_deeds.DEEDS} <= done_at_all
    assert {f"act in {actor}" for actor in ACTORS} <= done_at_all


# A depwatch that is wrong, and what must then be said.
SABOTAGE = {
    "code is stale": (
        "from fuzz import thread_lives; thread_lives.same = lambda a, b: False",
        "wrong: stale: ",
    ),
    "a subscription is deaf": (
        "import depwatch; subscribe = depwatch.subscribe; "
        "depwatch.subscribe = lambda listener, *what: subscribe(lambda event: None, *what)",
        "wrong: told of 0 changes",
    ),
    "a question raises": (
        "import depwatch; depwatch.explain = lambda handle: 1 // 0",
        "ZeroDivisionError",
    ),
    "the process crashes": (
        "import os, depwatch; depwatch.explain = lambda handle: os.abort()",
        "the process ended with SIGABRT",
    ),
    "handles are kept": (
        "import depwatch; kept = []; commit = depwatch.Recorder.commit; depwatch.Recorder.commit = "
        "lambda recorder, *given, **more: (handle := commit(recorder, *given, **more), kept.append(handle))[0]; "
        "kept.append(depwatch.Recorder('kept'))",
        "wrong: left when all is gone: {",
    ),
}


QUICK = ("code is stale", "the process crashes")


@pytest.mark.parametrize(
    "sabotage", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SABOTAGE if name not in QUICK)]
)
def test_what_is_wrong_is_told_with_the_seed_that_found_it(sabotage):
    code, trouble = SABOTAGE[sabotage]
    done = fuzz("--threads", SECONDS, "--seed", "7", sabotage=code)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "in the round of seed 7: " in done.stdout
    assert trouble in done.stdout
    assert "that round again: ./dev fuzz --threads 10 --seed 7" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" something wrong in 1 round")


@pytest.mark.slow
def test_the_threads_fuzzer_finds_a_retire_that_acts_on_a_number():
    """One of the faults that led to objects in place of numbers, put back; in the 30 s that CI takes."""
    folder = sabotaged.build("retire", sabotaged.RETIRES_BY_NUMBER)
    done = fuzz("--threads", "30", "--seed", "1", folder=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "in the round of seed " in done.stdout
