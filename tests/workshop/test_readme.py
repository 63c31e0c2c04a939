"""The README's example runs, and prints what it says."""

import json
import re
import subprocess
import sys

import instead
from support import ROOT

README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_example_fits_a_screen():
    (example,) = EXAMPLES
    assert len(example.splitlines()) <= 40


def test_the_example_runs_and_prints_what_its_comments_say(tmp_path):
    (example,) = EXAMPLES
    script = tmp_path / "example.py"
    script.write_text(example)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    expected = re.findall(r"# prints (.*)$", example, re.MULTILINE)
    printed = done.stdout.splitlines()
    assert expected
    assert [line for line in printed if line in expected] == expected
    # What explain() says, whatever its exact words: the name, both values, and the line that made the change.
    culprit = 1 + next(i for i, line in enumerate(example.splitlines()) if "the assumption breaks here" in line)
    told = "\n".join(printed)
    for part in ("RATE", "1.25", "1.5", f"example.py:{culprit}"):
        assert part in told


def test_the_two_commands_are_there():
    assert "./dev compare" in README
    assert "./dev test" in README


def test_the_table_of_costs_is_that_of_the_results():
    results = json.loads((ROOT / "benchmarks" / "results" / "instead-3.13.0.json").read_text())
    assert instead.table(results) in README


def test_the_readme_is_no_longer_than_two_screens():
    assert len(README.splitlines()) <= 125
