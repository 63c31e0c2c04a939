"""Which lines of ext/ do tests reach? `./dev python tests/gcov.py [ARGUMENTS of pytest]`; --all: all tests.

Builds a copy of what is committed with gcov's counters, in build/gcov/, and runs the tests there in one process. A line
counts if any of the object files that it is compiled into reached it. A process that ends by a signal counts nothing.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORK = ROOT / "build" / "gcov"
INSTRUMENTED = {"CFLAGS": "--coverage -fno-inline", "LDFLAGS": "--coverage"}


def build():
    WORK.mkdir(parents=True, exist_ok=True)  # what is compiled already stays
    archive = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(WORK, filter="data")
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(command, check=True, cwd=WORK, env=os.environ | INSTRUMENTED)
    for counted in WORK.rglob("*.gcda"):
        counted.unlink()


def reached():
    """{file: {line: whether it was reached}} for ext/, without what Cython makes."""
    files = defaultdict(lambda: defaultdict(bool))
    for counted in sorted(WORK.rglob("ext/**/*.gcda")):
        if counted.stem != "_core":
            told = subprocess.run(
                ["gcov", "--json-format", "--stdout", counted], check=True, capture_output=True, cwd=WORK
            )
            for file in json.loads(told.stdout)["files"]:
                if file["file"].startswith("ext/"):
                    for line in file["lines"]:
                        files[file["file"]][line["line_number"]] |= line["count"] > 0
    return files


def main():
    build()
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", *sys.argv[1:]]
    status = subprocess.run(tests, cwd=WORK, env=os.environ | {"PYTHONPATH": str(WORK)}).returncode
    files = reached()
    for name, lines in sorted(files.items(), key=lambda item: sum(item[1].values()) / len(item[1])):
        missing = [number for number, was in sorted(lines.items()) if not was]
        print(f"{sum(lines.values()) / len(lines):6.1%} of {len(lines):4}  {name}  {str(missing)[1:-1]}")
    lines = [was for lines in files.values() for was in lines.values()]
    print(f"{sum(lines) / len(lines):6.1%} of {len(lines)} lines of ext/")
    return status


if __name__ == "__main__":
    sys.exit(main())
