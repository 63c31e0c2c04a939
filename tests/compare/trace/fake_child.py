"""Stands in for depwatch.compare.record: runs a script that writes its journal itself, by the name `journal`."""

import runpy
import sys

from journals import JournalWriter

if __name__ == "__main__":
    directory, option, hot_after, name, *arguments = sys.argv[1:]
    assert option == "--hot-after"
    sys.argv = [name, *arguments]
    journal = JournalWriter(directory, 64 << 10)
    names = {"journal": journal, "journal_directory": directory, "hot_after": hot_after}
    runpy.run_path(name, names, run_name="__main__")
