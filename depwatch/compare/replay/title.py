"""What a program is called, by its command line; and whose child it is."""

import os
from collections.abc import Sequence
from typing import Any, Final

_MOST: Final = 80  # characters


def title(command: Any) -> str:
    """A script without its directory; a module with what follows it."""
    if not isinstance(command, Sequence) or isinstance(command, str) or not command:
        return "a program"
    words = [str(word) for word in command]
    if words[0] == "-m":
        return _short(" ".join(words[1:])) if len(words) > 1 else "a module"
    script = os.path.basename(words[0].rstrip("/")) or words[0]
    home = os.path.basename(os.path.dirname(words[0]))
    if script == "run_benchmark.py" and home.startswith("bm_"):
        return f"pyperformance: {home.removeprefix('bm_')}"
    return _short(" ".join([script, *words[1:]]))


def child(program: dict[str, Any]) -> tuple[int | None, str | None, str | None]:
    """(process, the trace of the program that it is a child of, "fork" or "start"); None each: it is no child."""
    process, of = program.get("process"), program.get("program")
    if not (isinstance(process, dict) and isinstance(of, str) and isinstance(process.get("id"), int)):
        return None, None, None
    return max(process["id"], 0), of, "fork" if process.get("how") == "fork" else "start"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"
