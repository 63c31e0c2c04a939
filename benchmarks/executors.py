"""What CPython's JIT makes and drops in the corpus's programs, beside what a replay says; needs gdb, a debug build."""

import argparse
import json
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

from corpus.entries import CorpusError, Entry, load
from corpus.environment import Environment
from corpus.measure import TRACE, StepFailed, measure, variables
from corpus.origins import TRACED_AFTER, Function, called, explained
from corpus.run import CORPUS, DIRECTORY
from corpus.units import quartiles, size_of, units
from depwatch.compare.output import Output
from depwatch.compare.policies import HOT_AFTER
from depwatch.compare.process import Limits, run
from depwatch.compare.replay.run import Options, replay_trace

UNDER_GDB = Path(__file__).parent / "corpus" / "jit" / "under_gdb.py"
GDB = ("gdb", "-q", "-batch", "-nx")
COUNTED = "counted.json"
REPLAY = Options(policies=("cpython",))
LIMIT = 1200  # seconds of CPU time: a debug build under gdb takes ten times as long


def main() -> None:
    parser = argparse.ArgumentParser("./dev bench executors", description=__doc__)
    parser.add_argument("--only", default="", help="these programs, separated by commas")
    parser.add_argument("--again", action="store_true", help="count anew what is in the results, with its traces")
    parser.add_argument("--limit", type=float, default=LIMIT, help=f"seconds of CPU time for each step, else {LIMIT}")
    parser.add_argument("-o", dest="output", type=Path, help="default: results/executors-VERSION.json")
    arguments = parser.parse_args()
    if problem := _problem():
        sys.exit(f"executors: {problem}")
    only = [name for name in arguments.only.split(",") if name]
    corpus = load(CORPUS)
    version = sys.version.split()[0]
    output = arguments.output or CORPUS.parent / "results" / f"executors-{version}.json"
    limits = Limits(arguments.limit, 3 * arguments.limit)
    found: dict[str, Any] = json.loads(output.read_text("utf-8")) if output.exists() else {"programs": {}, "failed": {}}
    for entry in corpus.entries:
        if (entry.name in found["programs"]) != arguments.again or (only and entry.name not in only):
            continue  # so that a run that was interrupted goes on
        directory = DIRECTORY / f"{version}-executors" / entry.name
        directory.mkdir(parents=True, exist_ok=True)
        try:
            if arguments.again and (directory / TRACE).exists():
                _count(Environment(corpus, entry, directory), directory, limits)
            else:
                measure(corpus, entry, directory, REPLAY, limits, lambda _: None, _under(directory))
            row = _row(entry, directory / TRACE, json.loads((directory / COUNTED).read_text("utf-8")))
        except (StepFailed, CorpusError) as error:
            found["failed"][entry.name] = str(error).replace(str(DIRECTORY), "<corpus>")
            _write(output, found)
            print(f"{entry.name}: {error}", file=sys.stderr)
            continue
        found["failed"].pop(entry.name, None)
        found["programs"][entry.name] = row
        found["python"] = version
        _write(output, found)
        print(entry.name, json.dumps(found["programs"][entry.name]), file=sys.stderr)


def _write(output: Path, found: dict[str, Any]) -> None:
    with Output(str(output)) as file:
        file.write(json.dumps(found, indent=1) + "\n")


def _problem() -> str | None:
    """Why nothing can be counted here."""
    if shutil.which("gdb") is None:
        return "no gdb on PATH: install it (apt-get install gdb)"
    if not sysconfig.get_config_var("Py_DEBUG"):
        return f"{sys.executable} is no debug build, whose functions gdb finds: set PYTHON and DEPWATCH_VENV to one"
    jit = getattr(sys, "_jit", None)
    if jit is None or not jit.is_available():
        return f"{sys.executable} has no JIT: CPython 3.15 built with --enable-experimental-jit has"
    return None


def _under(directory: Path) -> tuple[list[str], dict[str, str]]:
    """What comes before a command so that gdb runs it, and what it needs in its environment."""
    counted = str(directory / COUNTED)
    return [*GDB, "-x", str(UNDER_GDB), "--args"], {"PYTHON_JIT": "1", "DEPWATCH_COUNTED": counted}


def _count(environment: Environment, directory: Path, limits: Limits) -> None:
    """Only that: the trace is there. Raises CorpusError."""
    words, more = _under(directory)
    command = [*words, environment.python, *environment.command()]
    ended = run(command, directory / "work", variables(directory) | more, directory / "running.log", limits)
    if ended.status != 0:
        raise CorpusError(f"running {ended.how}: {ended.line}")


def _row(entry: Entry, trace: Path, counted: dict[str, Any]) -> dict[str, Any]:
    calls, counts = called(trace), counted["counts"]
    by_change, otherwise = _of("dropped as changed: ", counts), _of("dropped by ", counts)
    return {
        "chosen": str(entry.chosen),
        "predicted": _predicted(trace, calls, HOT_AFTER)
        | {"dependencies": units(trace)["function"]["objects"]}
        | {"as hot as for the JIT": _predicted(trace, calls, TRACED_AFTER)},
        "counted": {
            "made": counts.get("made", 0),
            "dropped": sum(by_change.values()),
            "dropped by changes of": by_change,
            "dropped otherwise": sum(otherwise.values()),
            "dropped otherwise by": otherwise,
            "dropped at the end": counts.get("dropped at the end", 0),
            "changes": _of("changed: ", counts),
            "dependencies": quartiles([size_of(bits) for bits in counted["bits"]]),
            "dropped by mistake": counted["expected"],
        },
        "explained": explained(calls, counted["places"]),
    }


def _predicted(trace: Path, calls: dict[Function, int], hot_after: int) -> dict[str, Any]:
    """By CPython's rule, of functions that are hot after so many calls."""
    (policy,) = replay_trace(str(trace), Options(policies=("cpython",), hot_after=(hot_after,))).policies
    hot = sum(count >= hot_after for count in calls.values())
    return {"made": hot + policy.whole.recompiled, "hot functions": hot, "dropped": policy.whole.dropped}


def _of(prefix: str, counts: dict[str, int]) -> dict[str, int]:
    return {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}


if __name__ == "__main__":
    main()
