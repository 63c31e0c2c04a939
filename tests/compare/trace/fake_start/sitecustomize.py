"""Stands in for depwatch's: runs no recorder, but gives the program what it needs to write its journal itself, as
built-in names."""

import builtins
import json
import os
import sys
from pathlib import Path

given = json.loads(os.environ.pop("DEPWATCH_RECORD"))
sys.path.remove(str(Path(__file__).parent))
os.environ["PYTHONPATH"] = os.environ["PYTHONPATH"].partition(os.pathsep)[2]

from journals import JournalWriter  # noqa: E402 (needs the path of before)

vars(builtins).update(
    journal=JournalWriter(given["journal"], 64 << 10),
    journal_directory=given["journal"],
    hot_after=given["hot_after"],
)
