"""IPython runs a notebook's worth of cells in process: names in builtins and the display hook come and go with each."""

import contextlib
import io

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

CELLS = 8_000
TEXTS = [
    "import math\ntotal = {n}\ntotal",
    "def square(x):\n    return x * x\n[square(n) for n in range({n} % 50)]",
    "table = {{name: math.sqrt(len(name) + {n}) for name in dir(math)}}\nsum(table.values())",
    "%time _ = sum(range({n}))",
    "for turn in range(3):\n    print(turn, total)",
    "class Point:\n    def __init__(self, x):\n        self.x = x\n"
    "    def __repr__(self):\n        return f'<{{self.x}}>'\n[Point(x) for x in range(5)]",
]


def main() -> None:
    configuration = Config()
    configuration.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=configuration)
    failed = 0
    with contextlib.redirect_stdout(io.StringIO()) as output:
        for number in range(CELLS):
            result = shell.run_cell(TEXTS[number % len(TEXTS)].format(n=number), store_history=False)
            failed += not result.success
    print(CELLS, "cells,", failed, "failed,", output.getvalue().count("\n"), "lines")


main()
