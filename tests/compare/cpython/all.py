"""Runs files of CPython's test suite, each in a process of its own: `python all.py FOLDER test_gc test_sys ...`."""

import os
import subprocess
import sys

LIMIT = 300  # seconds for a file


def main(folder, *names):
    one = os.path.join(os.path.dirname(os.path.abspath(__file__)), "one.py")
    for name in names:
        with open(os.path.join(folder, f"{name}.log"), "w") as log:
            command = [sys.executable, one, name, os.path.join(folder, f"{name}.json")]
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=LIMIT, check=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
