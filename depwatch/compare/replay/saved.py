"""A replay that was written as JSON, read again."""

import json
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from depwatch import DepwatchError

from . import FORMAT
from .result import Replay

_SHOWN: Final = 60  # characters of a wrong value that a message repeats


class SavedError(DepwatchError):
    """A file that is no replay: one line that says why."""


def read_replay(path: str) -> Replay:
    """Raises SavedError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        data = json.loads(text, parse_constant=_refuse_constant)
    except OSError as error:
        raise SavedError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SavedError(f"{path} is no text: name a trace (*.parquet) or a replay (JSON)") from None
    except RecursionError:
        raise SavedError(f"{path} is no replay: it is nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise SavedError(f"{path} is no JSON ({error.msg}, {where}): depwatch replay -o writes it whole") from None
    except ValueError as error:
        raise SavedError(f"{path} is no replay: {error}") from None
    return _typed(data, path)


def _typed(data: Any, path: str) -> Replay:
    found = data.get("format") if isinstance(data, dict) else None
    if found is None or "traces" not in data:
        raise SavedError(f"{path} is no replay of depwatch: it has no 'format' and 'traces'")
    if found != FORMAT or isinstance(found, bool):
        newer = isinstance(found, int) and found > FORMAT
        remedy = "install a newer depwatch" if newer else "replay its traces again"
        raise SavedError(f"{path} has format {_short(found)}, this depwatch reads {FORMAT}: {remedy}")
    try:
        replay = msgspec.convert(data, Replay)
    except msgspec.ValidationError as error:
        raise SavedError(f"{path} is no valid replay: {_short(error, 200)}") from None
    if not replay.traces:
        raise SavedError(f"{path} has no traces in it: replay at least one")
    return replay


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _short(value: object, limit: int = _SHOWN) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
