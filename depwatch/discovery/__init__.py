"""What a function's code can read, found in its bytecode without running any of the program's."""

from depwatch.discovery.find import discover
from depwatch.discovery.reads import MISSING, Cell, Found, Opaque, Read

__all__ = ["MISSING", "Cell", "Found", "Opaque", "Read", "discover"]
