"""`pip install depwatch` alone: a command that has all of its help, and that says which extra it lacks."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Runs `depwatch` with each list of arguments in sys.argv[2] where, beside the standard library, there are only the
# modules in sys.argv[1]; prints [status, stdout, stderr] of each.
RUN = """
import contextlib, importlib.machinery, io, json, sys

there = {*json.loads(sys.argv[1]), *sys.stdlib_module_names}
finders = sys.meta_path[:]


class Finder:
    find_distributions = importlib.machinery.PathFinder.find_distributions

    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        if top in there or top.startswith("_"):
            return next(filter(None, (finder.find_spec(name, path, target) for finder in finders)), None)


sys.meta_path[:] = [Finder]
import depwatch
print(sorted({"argparse", "depwatch.cli", "depwatch.commands"} & sys.modules.keys()))
from depwatch.cli import main

ended = []
for arguments in json.loads(sys.argv[2]):
    out, err, status = io.StringIO(), io.StringIO(), 0
    sys.argv = ["depwatch", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            status = end.code
    ended.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(ended))
"""

COMMANDS = ("compare", "record", "replay", "report")


def distributions(name, extras, seen):
    """What pip installs for a distribution with these extras."""
    if (name, *extras) not in seen:
        seen.add((name, *extras))
        for line in requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras or [""]):
                distributions(canonicalize_name(needed.name), sorted(needed.extras), seen)
    return {name for name, *_ in seen}


def run(folder, extras, *calls):
    """depwatch, run with each list of arguments after `pip install depwatch[extras]`."""
    installed = distributions("depwatch", extras, set())
    owners = packages_distributions().items()
    there = [module for module, names in owners if any(canonicalize_name(name) in installed for name in names)]
    env = os.environ | {"COLUMNS": "80", "NO_COLOR": "1"}
    command = [sys.executable, "-c", RUN, json.dumps(["depwatch", *there]), json.dumps(calls)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[]\n")  # importing depwatch imports nothing of the command
    return json.loads(done.stdout.splitlines()[-1])


def test_a_plain_install_is_depwatch_and_pyroaring():
    assert distributions("depwatch", [], set()) == {"depwatch", "pyroaring"}


def test_a_plain_install_has_the_version_and_the_help_of_every_command(tmp_path):
    calls = [["--version"], ["--help"], *([command, "--help"] for command in COMMANDS)]
    version, whole, *helps = run(tmp_path, [], *calls)
    assert version == [0, "depwatch 0.1.0\n", ""]
    assert [whole[0], whole[2]] == [0, ""]
    for command, (status, out, err) in zip(COMMANDS, helps, strict=True):
        assert re.search(rf"^ +{command} +[a-z]", whole[1], re.MULTILINE)
        assert (status, err) == (0, "")
        assert out.startswith(f"usage: depwatch {command} ")
        options = re.findall(r"^  (-.*?|[a-zA-Z]+)(?:  +(\S.*)|\n {8,}(\S.*))$", out, re.MULTILINE)
        assert len(options) >= 3
        for name, beside, below in options:
            assert (beside or below)[0].islower(), name
    options = [set(re.findall(r"^  (?:-h, )?(--?[a-z-]+)", out, re.MULTILINE)) for _, out, _ in helps]
    program = {"--help", "-o", "-m", "--hot-after", "--json", "--values"}
    replay = {"--give-up", "--policies", "--prices", "--check", "--resume", "--scheduler", "--perfetto"}
    report = {"--help", "-o", "--json"}
    compare = program | {"--against", "--tolerance"}
    assert options == [compare, program | {"--python"}, {"--help", "-o", "--hot-after", "--json"} | replay, report]


WITHOUT = {
    ("compare", "program.py"): ("compare", "msgspec, numpy, pyarrow and rich", "compare"),
    ("compare",): ("compare", "msgspec, numpy, pyarrow and rich", "compare"),
    ("record", "program.py"): ("record", "numpy and pyarrow", "compare"),
    ("replay", "trace.parquet"): ("replay", "msgspec, numpy, pyarrow and rich", "compare"),
    ("report", "replay.json"): ("report", "jinja2, msgspec, numpy and pyarrow", "report"),
}


def test_a_command_without_its_extra_says_how_to_install_it_and_does_nothing(tmp_path):
    (tmp_path / "program.py").write_text("open('ran', 'w')")
    sentences = [
        f'depwatch {command} needs {packages}, which the extra {extra!r} installs: pip install "depwatch[{extra}]"\n'
        for command, packages, extra in WITHOUT.values()
    ]
    assert run(tmp_path, [], *WITHOUT) == [[2, "", sentence] for sentence in sentences]
    assert [path.name for path in tmp_path.iterdir()] == ["program.py"]


def test_an_extra_for_dask_is_named_when_the_others_are_there(tmp_path):
    sentence = "needs distributed, which the extra 'dask' installs: pip install \"depwatch[dask]\"\n"
    found = run(tmp_path, ["compare"], ["replay", "--scheduler", "tcp://here:1", "trace.parquet"])
    assert found == [[2, "", f"depwatch replay --scheduler {sentence}"]]


def test_wrong_arguments_are_refused_without_any_extra(tmp_path):
    wrong = {
        "replay --give-up six trace.parquet": "argument --give-up: 'six' is no number: write 6, or 1,6,20, or 1-100",
        "record --python missing program.py": "argument --python: 'missing' is no file that can be run",
        "record -o . program.py": "argument -o: '.' is a directory: name a file",
        "replay": "the following arguments are required: TRACES",
        "report --bogus": "unknown arguments: --bogus",
    }
    ended = run(tmp_path, [], *(call.split() for call in wrong))
    for (status, out, err), (call, problem) in zip(ended, wrong.items(), strict=True):
        assert (status, out) == (2, "")
        assert err.splitlines()[-1] == f"depwatch {call.split()[0]}: error: {problem}"


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["compare", "report"])
def test_an_extra_installs_all_that_its_commands_import(tmp_path, extra):
    (tmp_path / "program.py").write_text("def f(): return len('')\nfor i in range(99): f()\n")
    calls = [["record", "program.py"], ["compare", "program.py"], ["replay", "trace.parquet", "-o", "replay.json"]]
    if extra == "report":
        calls = [calls[0], ["report", "trace.parquet"]]
    for status, _, err in run(tmp_path, [extra], *calls):
        assert status == 0, err
    made = {"trace.parquet", "replay.json" if extra == "compare" else "report.html"}
    assert {path.name for path in tmp_path.iterdir()} == {"program.py"} | made
