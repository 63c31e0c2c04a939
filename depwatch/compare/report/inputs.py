"""What a report is made of: traces, which are replayed first, and replays, as JSON."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from depwatch import DepwatchError
from depwatch.compare.replay import FORMAT
from depwatch.compare.replay.result import Replay
from depwatch.compare.trace.folder import TraceError, traces_in

from .together import together

_SHOWN: Final = 60  # characters of a wrong value that a message repeats


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
    replays = [(path, _read_json(path)) for path in paths if path not in traces]
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


def _read_json(path: str) -> Replay:
    try:
        text = Path(path).read_text(encoding="utf-8")
        data = json.loads(text, parse_constant=_refuse_constant)
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ReportError(f"{path} is no text: name a trace (*.parquet) or a replay (JSON)") from None
    except RecursionError:
        raise ReportError(f"{path} is no replay: it is nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ReportError(f"{path} is no JSON ({error.msg}, {where}): depwatch replay -o writes it whole") from None
    except ValueError as error:
        raise ReportError(f"{path} is no replay: {error}") from None
    return _typed(data, path)


def _typed(data: Any, path: str) -> Replay:
    found = data.get("format") if isinstance(data, dict) else None
    if found is None or "traces" not in data:
        raise ReportError(f"{path} is no replay of depwatch: it has no 'format' and 'traces'")
    if found != FORMAT or isinstance(found, bool):
        newer = isinstance(found, int) and found > FORMAT
        remedy = "install a newer depwatch" if newer else "replay its traces again"
        raise ReportError(f"{path} has format {_short(found)}, this depwatch reads {FORMAT}: {remedy}")
    try:
        replay = msgspec.convert(data, Replay)
    except msgspec.ValidationError as error:
        raise ReportError(f"{path} is no valid replay: {_short(error, 200)}") from None
    if not replay.traces:
        raise ReportError(f"{path} has no traces in it: replay at least one")
    return replay


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _short(value: object, limit: int = _SHOWN) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def sources(paths: Iterable[str]) -> list[str]:
    """How the report names them: without directories of this machine."""
    return [os.path.basename(os.path.abspath(path)) for path in paths]
