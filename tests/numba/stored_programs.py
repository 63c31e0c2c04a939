"""Programs of a place and a value, with cache=True, run by several processes that share a folder; against plain Python.

The files change from process to process, and the values in each of them.
"""

import importlib
import json
import random
import sys
import tempfile
from pathlib import Path

from grown import Grown, first_wrong
from numba_programs import nobody_calls_by_address
from situations import IN_PYTHON, PLACES, VALUES, Python, is_possible, may_be_refused

import parent
from depwatch import Unwatchable

LIMIT = 1500  # seconds for a process that works for 20: a machine may have much else to do
BEGIN = """
from cases import names
from depwatch.integrations import numba as watched
def njit(function=None, **options):
    if function is None:
        return lambda function: njit(function, **options)
    return watched.njit(function, cache=function.__code__.co_filename == __file__, **options)  # not what changes bring
from grown import more_names
globals().update(names() | more_names())
"""
GROWN_STEPS = 4  # of a process


def programs(chance, number):
    """(place, value) of this many programs, mostly of those whose code can be stored."""
    pairs = [(place, value) for place in PLACES for value in VALUES if is_possible(place, value)]
    stored = [pair for pair in pairs if "@overload" not in PLACES[pair[0]]]
    return [chance.choice(stored if chance.random() < 0.8 else pairs) for _ in range(number)]


def grown(seed, edit, process=0):
    """A program that grew, as a process has it whose file was edited so."""
    program = Grown(seed, GROWN_STEPS, parallel=False)
    if edit:
        program.setup.append(edit)
    return program, program.steps if process % 2 == 0 else program.steps[:1] + program.steps[:0:-1]


def differences(seed, number, processes, grown_too=0):
    """What processes find that is not as in plain Python, and how often code was loaded, in all."""
    chance = random.Random(seed)
    chosen = programs(chance, number)
    seeds = [chance.randrange(10**6) for _ in range(grown_too)]
    wrong, loaded = [], 0
    with tempfile.TemporaryDirectory(prefix="depwatch-cached-") as folder:
        request = Path(folder) / "request.json"
        for process in range(processes):
            turns = []
            for index, (place, value) in enumerate(chosen):
                setup, expression, changes = VALUES[value]
                also = [change for change in changes if not change.startswith("del ")] or [""]
                edit = chance.choice(["", "", *also]) if process else ""
                if "njit" in edit:
                    edit = ""  # a file that decorates a second function of the name numbers its lines anew
                first = f"{setup}\n{edit}\n"
                sources = [
                    first + each.replace("{e}", expression).replace("{p}", expression)
                    for each in (PLACES[place], IN_PYTHON.get(place, PLACES[place]))
                ]
                (Path(folder) / f"cached_{index}.py").write_text(BEGIN + sources[0])
                given = list(changes) if process % 2 == 0 else [*chance.choices(also, k=4)]
                turns.append((index, place, value, sources[1], given))
            turns_of_grown = []
            for index, each in enumerate(seeds):
                edit = chance.choice(["", "", *grown(each, "")[0].edits]) if process else ""
                (Path(folder) / f"grown_{index}.py").write_text(BEGIN + grown(each, edit)[0].text)
                turns_of_grown.append((index, each, edit, process))
            request.write_text(json.dumps([turns, turns_of_grown]))
            done = parent.parent("numba").run(
                Path(__file__), str(request), limit=LIMIT, environment={"NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
            )
            assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
            found = json.loads(done.stdout)
            wrong += [(process, *each) for each in found["wrong"]]
            loaded += found["loaded"]
    return wrong, loaded


@nobody_calls_by_address()
def run(index, place, value, source, changes):
    """The first result that is not as in Python, or None."""
    python = Python(source)
    try:
        ours = importlib.import_module(f"cached_{index}")
        for change in ("", *changes):
            exec(change, vars(ours))
            exec(change, vars(python))
            for _ in range(2):
                got, expected = ours.f(2), python.f(2)
                if got != expected:
                    return f"after {change!r}: {got!r}, not {expected!r}"
    except Unwatchable as refused:
        return None if may_be_refused(place, value) else f"refused: {refused}"
    return None


def main(request):
    import warnings

    from numba.core import config

    from depwatch.integrations.numba import store

    config.reload_config()  # the parent has imported numba with other variables
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(Path(request).parent))
    wrong = []
    turns, turns_of_grown = json.loads(Path(request).read_text())
    for index, place, value, source, changes in turns:
        if (found := run(index, place, value, source, changes)) is not None:
            wrong.append((place, value, changes, found))
    for index, seed, edit, process in turns_of_grown:
        program, steps = grown(seed, edit, process)
        if (found := first_wrong(program, steps, importlib.import_module(f"grown_{index}"))) is not None:
            wrong.append((seed, edit, steps, found))
    print(json.dumps({"wrong": wrong, "loaded": len(store._loaded)}))


if __name__ == "__main__":
    main(sys.argv[1])
