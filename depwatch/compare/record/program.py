"""A Python program that is recorded: what CPython is told, and how the recorder comes into its process.

CPython starts the program itself, so that it runs as it would without us. It imports `sitecustomize` before, and finds
the one in the folder start/, first on PYTHONPATH, which leaves nothing of this behind.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

START: Final = str(Path(__file__).parent / "start")  # has a sitecustomize.py, which has these two names again
VARIABLE: Final = "DEPWATCH_RECORD"


@dataclass(frozen=True, slots=True)
class Program:
    """What follows `python` on a command line."""

    name: str  # a script, a directory or zip file with a __main__, or a module
    is_module: bool
    arguments: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        return [*(["-m"] if self.is_module else []), self.name, *self.arguments]

    def environment(self, journal: str, hot_after: int, of_us: Mapping[str, str]) -> dict[str, str]:
        """The environment in which `python *command` is recorded, in place of ours. journal: an absolute directory."""
        path = of_us.get("PYTHONPATH")
        given = {
            "journal": journal,
            "hot_after": hot_after,
            "script": None if self.is_module else self.name,
            "PYTHONPATH": path,
        }
        return {**of_us, "PYTHONPATH": START + (os.pathsep + path if path else ""), VARIABLE: json.dumps(given)}
