"""Runs a program in this process as `python` would: a script or -m and a module, and its arguments."""

import os
import runpy
import sys


def run(command: list[str]) -> None:
    """In the module __main__ that there is, whose dict stays after the end: what depends on it can be asked for."""
    if command[0] == "-m":
        sys.argv[:] = command[1:]
        sys.path[0] = os.getcwd()
        run_as_main = vars(runpy)["_run_module_as_main"]  # what `python -m` uses
        run_as_main(command[1])
    else:
        sys.argv[:] = command
        sys.path[0] = os.path.dirname(command[0])
        main = vars(sys.modules["__main__"])
        main["__file__"] = command[0]
        with open(command[0], "rb") as file:
            exec(compile(file.read(), command[0], "exec"), main)
