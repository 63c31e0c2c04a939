"""Stands in for depwatch.compare.record: runs a script that writes its journal itself, by the name `journal`."""

import builtins
import runpy
import sys

from journals import JournalWriter

if __name__ == "__main__":
    directory, option, hot_after, name, *arguments = sys.argv[1:]
    assert option == "--hot-after"
    sys.argv = [name, *arguments]
    builtins.journal = JournalWriter(directory, 64 << 10)  # type: ignore[attr-defined]
    builtins.journal_directory = directory  # type: ignore[attr-defined]
    builtins.hot_after = hot_after  # type: ignore[attr-defined]
    runpy.run_path(name, run_name="__main__")
