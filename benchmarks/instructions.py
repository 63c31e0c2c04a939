"""Instructions that the core's frequent operations take, by callgrind: the same on a busy machine and on a quiet one.

Compared with the reference that is committed for this version of CPython. --check ends with 1 if an operation takes 3 %
more than there, and CI does that. After a change that is meant to cost more, or less: --renew, and commit the file.

A row is what depwatch adds: CPython's own instructions for the same operation, counted in the same run, are taken off
where the operation exists without depwatch. So another build of CPython changes little. Another compiler of the core
changes the numbers themselves; then 20 % are allowed, and the first line says so.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from measure import RESULTS, Row, Spread, finish, load_noop, result_path

PROGRAM = Path(__file__).parent / "programs" / "counted.py"
MORE, MORE_OF_ANOTHER_COMPILER = 0.03, 0.2
ROUNDING = 1  # instructions that may be more in any case
# Of these, what malloc() takes differs from run to run: commit_many() took 770 in most and 835 in some, commit() 9716
# and 10127, of the same code.
MORE_OF_MEMORY = 0.12
OF_MEMORY = (
    "Recorder.read() of a dict's key that is watched already",
    "commit() of one assumption",
    "commit_many() of three assumptions, a handle",
    "release() and the drain after it, a handle of three assumptions",
    "two drains of a break and of its end, a facet with one handle",
)

# Where the system puts objects decides which of them meet in a table by address: a store to a value cell takes 135 as
# a rule, and 145 once in many runs. So what is too much is counted again, and the least counts.
COUNTED_AT_MOST = 3

Counts = dict[str, float]  # instructions an operation


def compiler() -> str:
    """The name and version of the compiler that builds the core here."""
    command = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    return subprocess.run([*command, "--version"], capture_output=True, text=True).stdout.partition("\n")[0]


def count(*arguments: str, **variables: str) -> tuple[Counts, Counts]:
    """What an operation takes under depwatch, and what it takes without it, where that is known.

    arguments: those of PROGRAM; variables: of its environment.
    """
    load_noop()  # built here, and not under callgrind
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        command += ["--zero-before=counted_call", "--dump-after=counted_call", sys.executable, str(PROGRAM), *arguments]
        # Hashes of str decide where keys lie in tables, and with them how many instructions it takes to find them.
        environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"} | variables
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"instructions: {' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        counted = json.loads(done.stdout)
        totals = [total(Path(folder) / f"out.{i + 1}") for i in range(len(counted))]
    found: dict[str, Counts] = {"ours": {}, "base": {}}
    for i in range(0, len(counted), 2):  # N operations, and 2 N
        case, variant, n = counted[i]
        found[variant][case] = (totals[i + 1] - totals[i]) / n
    return found["ours"], found["base"]


def total(dump: Path) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", dump.read_text(), re.MULTILINE)
    assert found is not None, dump
    return int(found[1])


def row(case: str, ours: float, base: float | None, reference: float | None, more: float) -> Row:
    added = ours if base is None else ours - base
    more = max(more, MORE_OF_MEMORY) if case in OF_MEMORY else more
    bound = None if reference is None else max(reference * (1 + more), reference + ROUNDING)
    note = "" if reference is None else f"reference: {reference:.1f}"
    return Row(case, "", Spread.of([added]), None if base is None else Spread.of([base]), None, bound, note)


def least(counted: list[tuple[Counts, Counts]], references: Counts, more: float) -> list[Row]:
    """A row for each operation, of that time it was counted in which depwatch added least."""
    rows = []
    for case in counted[0][0]:
        ours, base = min(
            ((ours[case], bases.get(case)) for ours, bases in counted), key=lambda pair: pair[0] - (pair[1] or 0.0)
        )
        rows.append(row(case, ours, base, references.get(case), more))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench instructions", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="exit status 1 if an operation takes more than the reference"
    )
    parser.add_argument("--renew", action="store_true", help="write the reference")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("instructions: no valgrind on PATH: install your system's package valgrind")
    path = result_path("instructions", "json")
    known = json.loads(path.read_text()) if path.exists() else {"rows": [], "compiler": None}
    if options.check and not known["rows"]:
        sys.exit(f"instructions: no reference {path.name} in {RESULTS.name}/: write it with --renew, and commit it")
    here, more = compiler(), MORE
    if known["rows"] and here != known["compiler"]:
        more = MORE_OF_ANOTHER_COMPILER
        print(f"the reference is of {known['compiler']}, this is {here}: {more:.0%} more are allowed, not {MORE:.0%}")
    references = {} if options.renew else {each["case"]: each["value"]["median"] for each in known["rows"]}
    counted = [count()]
    rows = least(counted, references, more)
    while options.check and len(counted) < COUNTED_AT_MOST and any(each.passed is False for each in rows):
        counted.append(count())
        rows = least(counted, references, more)
    ours = counted[0][0]
    title = "Instructions that depwatch adds to an operation (base: the operation without it)"
    gone = sorted(references.keys() - ours.keys())
    if gone:
        print(f"no longer counted, so renew the reference: {'; '.join(gone)}")
    status = finish("instructions", title, rows, check=options.check, write=options.renew, more={"compiler": here})
    return 1 if options.check and gone else status


if __name__ == "__main__":
    sys.exit(main())
