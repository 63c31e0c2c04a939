"""Who did it: what the file of a change belongs to."""

from typing import Final

HARNESS: Final = "the test harness"
OUTSIDE: Final = "outside Python"
PROGRAM: Final = "the program"

_HARNESSES: Final = frozenset(
    {"_hypothesis_pytestplugin", "_pytest", "coverage", "hypothesis", "mock", "pluggy", "pytest", "unittest"}
)
_OTHERS: Final = {"<program>": PROGRAM, "<else>": "files elsewhere"}


def cause(file: str | None) -> str:
    """file as a trace has it: docs/trace-format.md."""
    if file is None:
        return OUTSIDE
    place, _, path = file.partition("/")
    package = path.partition("/")[0].removesuffix(".py")
    if place in ("<site>", "<stdlib>") and package in _HARNESSES:
        return HARNESS
    if place == "<site>":
        return f"library {package}"
    if place == "<stdlib>" or place.startswith("<frozen "):
        return "the standard library"
    return _OTHERS.get(place, "generated code")
