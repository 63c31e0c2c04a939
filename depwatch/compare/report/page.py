"""The page: one HTML file that needs nothing else, written whole or not at all."""

import os
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from depwatch.compare.output import Output
from depwatch.compare.replay.result import PHASES, Replay

from . import figures
from .contents import Contents
from .inputs import ReportError
from .lineup import COLUMNS

# Control characters, lone surrogates, and what changes the direction of text: a name of the program must not be able
# to make the page unwritable, or to show something else than it is.
_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def render(replay: Replay, sources: Sequence[str]) -> str:
    """sources: how the page names what it was made of."""
    return _template().render(page=Contents(replay, sources), columns=COLUMNS, phases=PHASES)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,  # for every template, whatever its name: text of programs is not to be trusted
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("count", "counted", "share", "duration", "seconds", "times"):
        environment.filters[name] = getattr(figures, name)
    return environment.get_template("report.html")


def _visible(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
    return value


def check_output(output: str, inputs: Sequence[str]) -> None:
    """Raise ReportError if no file can be made there."""
    path = os.path.realpath(output)
    folder = os.path.dirname(path)
    if os.path.isdir(path):
        raise ReportError(f"{output} is a directory: name a file in it, such as {os.path.join(output, 'report.html')}")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ReportError(f"{output} is no regular file: name another one")
    if path in map(os.path.realpath, inputs):
        raise ReportError(f"{output} is one of the inputs, and would be lost: name another file")
    if not os.path.isdir(folder):
        raise ReportError(f"no file can be made at {output}: there is no directory {os.path.dirname(output)}")
    if not os.access(folder, os.W_OK):
        raise ReportError(f"no file can be made at {output}: its directory is not writable")


def write(output: str, text: str) -> int:
    """Return its size in bytes. The file is there whole or not at all. Raises ReportError."""
    try:
        with Output(output) as file:
            return file.write(text)
    except OSError as error:
        raise ReportError(f"{output} cannot be written: {error.strerror}") from None
