"""Left out: arguments that a call leaves out. numba takes their types for equal by the address of the default.

So the same call has another type in each process if its default is an array.
"""

from collections.abc import Iterable
from typing import Any

from numba.core.types import Omitted

from depwatch.integrations.numba.stable import form_of


def is_asked_alike(one: Any, other: Any) -> bool:
    """Whether two processes asked numba for the same: (argument types, return type or None). Raises NoStableForm."""
    (arguments, return_type), (others, other_return_type) = one, other
    return (
        return_type == other_return_type
        and len(arguments) == len(others)
        and all(_is_alike(*pair) for pair in zip(arguments, others, strict=True))
    )


def _is_alike(one: Any, other: Any) -> bool:
    if isinstance(one, Omitted) and isinstance(other, Omitted):
        return form_of(one.value) == form_of(other.value)
    return bool(one == other)


def own_defaults(arguments: Iterable[Any], requested: Iterable[Any]) -> tuple[Any, ...]:
    """The types of arguments with this process's own defaults for those that are left out."""
    pairs = zip(arguments, requested, strict=True)
    return tuple(own if isinstance(argument, Omitted) else argument for argument, own in pairs)
