"""A recorder in this process has the room for windows of one moment that DEPWATCH_ROOM gives: rows, rows a second."""

import os

if "DEPWATCH_ROOM" in os.environ:
    from depwatch.compare.record import _tap

    _tap.room(*map(float, os.environ["DEPWATCH_ROOM"].split(",")))
