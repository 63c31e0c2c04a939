"""The traces of a folder, found without pyarrow: a report made of JSON needs none."""

import os

from depwatch import DepwatchError


class TraceError(DepwatchError):
    """A file that is no trace, or none that can be read; the message is one line and names the file."""


def traces_in(name: str) -> list[str]:
    """The traces of a folder, by name; a file as it is. Raises TraceError for a folder without any."""
    if not os.path.isdir(name):
        return [name]
    found = sorted(entry for entry in os.listdir(name) if entry.endswith(".parquet") and entry[0] != ".")
    if not found:
        raise TraceError(f"{name}: has no traces; name a folder of *.parquet files")
    return [os.path.join(name, entry) for entry in found]
