"""Numbers as they are read."""

from typing import Final

NBSP: Final = "\u00a0"
_TIMES: Final = ((1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"))  # in ns
_SECOND: Final = 1e9
_MINUTES_FROM: Final = 120  # seconds
_HOURS_FROM: Final = 120  # minutes


def count(number: int) -> str:
    return f"{number:,}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """1 program, 2 programs."""
    return f"{count(number)}{NBSP}{one if number == 1 else many or one + 's'}"


def share(part: float, whole: float) -> str:
    """In percent. Neither 0 nor 100 unless it is exactly that."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if percent == 0:
        return f"0{NBSP}%"
    if percent < 0.001:
        return f"<{NBSP}0.001{NBSP}%"
    if 99.9 < percent < 100:
        return f">{NBSP}99.9{NBSP}%"
    return f"{_three(percent)}{NBSP}%"


def duration(ns: float) -> str:
    if ns == 0:
        return f"0{NBSP}s"
    seconds = ns / _SECOND
    if seconds >= _MINUTES_FROM:
        minutes = seconds / 60
        return f"{_three(minutes)}{NBSP}min" if minutes < _HOURS_FROM else f"{_three(minutes / 60)}{NBSP}h"
    size, unit = next(((size, unit) for size, unit in reversed(_TIMES) if ns >= size), _TIMES[0])
    return f"{_three(ns / size)}{NBSP}{unit}"


def on_axis(ns: float) -> str:
    """The same, but never in minutes: powers of ten stay powers of ten."""
    return f"{_three(ns / _SECOND)}{NBSP}s" if ns >= _SECOND else duration(ns)


def seconds(number: float) -> str:
    return duration(number * _SECOND)


def times(ratio: float) -> str:
    return f"{_three(ratio)}{NBSP}times"


def _three(number: float) -> str:
    """Three digits that count, and all that come before the point."""
    if number >= 99.95:
        return f"{number:,.0f}"
    text = f"{number:.2g}" if number < 0.1 else f"{number:.2f}" if number < 9.995 else f"{number:.1f}"
    if "e" in text:
        text = f"{number:.10f}".rstrip("0")
    return text.rstrip("0").rstrip(".") if "." in text else text
