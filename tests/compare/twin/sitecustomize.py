"""Runs real handles beside the recorder, if this is found first: see live.py, which counts as depwatch's own code."""

import os
import types
from pathlib import Path

if "DEPWATCH_TWIN" in os.environ:
    import depwatch
    from depwatch.compare.record import recording

    _source = Path(__file__).parents[1] / "live.py"
    _live = types.ModuleType("live")
    _place = str(Path(depwatch.__file__).with_name("twin.py"))
    exec(compile(_source.read_text(encoding="utf-8"), _place, "exec"), _live.__dict__)
    recording.Recording = _live.Twin
    if "DEPWATCH_ROOM" in os.environ:  # for windows of one moment: so many rows, so many a second
        recording._tap.room(*map(float, os.environ["DEPWATCH_ROOM"].split(",")))
