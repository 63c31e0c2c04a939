"""What a report is made of: traces, which are replayed first, and replays, as JSON."""

import os
from collections.abc import Iterable, Sequence

from depwatch import DepwatchError
from depwatch.compare.replay.result import Replay
from depwatch.compare.replay.saved import SavedError, read_replay
from depwatch.compare.trace.folder import TraceError, traces_in

from .together import together


class ReportError(Exception):
    """No report can be made: one line that says why."""


def read(paths: Sequence[str]) -> Replay:
    """All of them as one replay: what was replayed already, then the traces. Raises ReportError."""
    if not paths:
        raise ReportError("nothing to report on: name at least one trace (*.parquet) or replay (JSON)")
    try:
        paths = [found for path in paths for found in traces_in(path)]
    except TraceError as error:
        raise ReportError(str(error)) from None
    seen: set[str] = set()
    for path in paths:
        real = os.path.realpath(path)
        if real in seen:
            raise ReportError(f"{path} is given twice: each counts once")
        seen.add(real)
    traces = [path for path in paths if path.endswith(".parquet")]
    try:
        replays = [(path, read_replay(path)) for path in paths if path not in traces]
    except SavedError as error:
        raise ReportError(str(error)) from None
    if traces:
        replays.append((f"the replay of {traces[0]}", _replay(traces)))
    try:
        return together(replays)
    except ValueError as error:
        raise ReportError(str(error)) from None


def _replay(paths: Sequence[str]) -> Replay:
    """What `depwatch replay` finds with its defaults."""
    # Here, as that takes numpy and pyarrow, which a page made of JSON can do without.
    from depwatch.compare.replay.many import replay_traces
    from depwatch.compare.replay.run import Options, assemble

    try:
        options = Options()
        return assemble(replay_traces(paths, options), options)
    except DepwatchError as error:
        raise ReportError(str(error)) from None


def sources(paths: Iterable[str]) -> list[str]:
    """How the report names them: without directories of this machine."""
    return [os.path.basename(os.path.abspath(path)) for path in paths]
