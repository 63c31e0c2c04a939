"""The names of files as a trace has them: relative to what they belong to, and without the machine's directories."""

import os
from typing import Final

STDLIB: Final = os.path.dirname(os.__file__)
_SITE: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Places:
    def __init__(self, program: str) -> None:
        self.program: Final = program  # the directory of the script, or where a module was started

    def name(self, file: str) -> str:
        """The name of a file that code objects or modules have."""
        if file.startswith("<"):
            return file
        path = os.path.abspath(file)
        starts = [("program", len(self.program)), ("stdlib", len(STDLIB))]
        found = [(n, what) for (what, n), d in zip(starts, (self.program, STDLIB), strict=True) if _is_in(path, d)]
        found += [(at + len(part) - 1, "site") for part in _SITE if (at := path.rfind(part)) >= 0]
        if not found:
            return f"<else>/{os.path.basename(path)}"
        n, what = max(found)
        return f"<{what}>/{path[n:].lstrip(os.sep)}"


def _is_in(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip(os.sep) + os.sep)
