"""Results of single traces, kept until the results of all are written: an interrupted replay can go on."""

import contextlib
import hashlib
import json
import os
import re
from importlib.metadata import version
from typing import Any, Final

import msgspec

from depwatch.compare.output import Output

from .result import Replayed

_NAME: Final = re.compile(r"[0-9a-f]{16}\.json")


class Parts:
    """A directory OUTPUT.parts with a JSON file for each trace that is done.

    A part counts only for the same file (path, size, date), options and depwatch. Without resume, what an earlier
    replay left is removed.
    """

    def __init__(self, output: str, options: object, resume: bool) -> None:
        self._directory: Final = f"{os.path.realpath(output)}.parts"
        self._options: Final = repr(options)
        if not resume:
            self.remove()

    def get(self, path: str) -> Replayed | None:
        try:
            with open(self._place(path), encoding="utf-8") as file:
                part = json.load(file)
            if not isinstance(part, dict) or part.get("of") != self._of(path):
                return None
            return msgspec.convert(part.get("result"), Replayed)
        except (OSError, ValueError):
            return None

    def put(self, path: str, result: Replayed) -> None:
        os.makedirs(self._directory, exist_ok=True)
        with Output(self._place(path)) as output:
            output.write(json.dumps({"of": self._of(path), "result": msgspec.to_builtins(result)}))

    def remove(self) -> None:
        """Of that directory, what is ours."""
        with contextlib.suppress(OSError):
            for name in os.listdir(self._directory):
                if _NAME.fullmatch(name):
                    os.unlink(os.path.join(self._directory, name))
            os.rmdir(self._directory)

    def _place(self, path: str) -> str:
        return os.path.join(self._directory, hashlib.sha256(os.path.abspath(path).encode()).hexdigest()[:16] + ".json")

    def _of(self, path: str) -> dict[str, Any]:
        status = os.stat(path)
        return {
            "trace": os.path.abspath(path),
            "size": status.st_size,
            "date": status.st_mtime_ns,
            "options": self._options,
            "depwatch": version("depwatch"),
        }
