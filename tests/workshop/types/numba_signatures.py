"""What mypy and pyright see of functions decorated by depwatch.integrations.numba. Part of ./dev lint; never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import Callable
from typing import assert_type

import depwatch.integrations.numba as nb
from depwatch.integrations.numba import jit, njit, watch


@njit
def plain(x: int, y: float = 1.0) -> float:
    return x * y


@njit(nogil=True, policy="bulk")
def with_options(x: int) -> str:
    return str(x)


@jit("int64(int64)")
def with_signature(x: int) -> int:
    return x


@nb.jit(on_refusal="plain")
def may_be_plain(*, name: str) -> None: ...


class Shape:
    @njit
    def area(self, factor: float) -> float:
        return factor


assert_type(plain(1), float)
assert_type(plain(1, y=2.0), float)
assert_type(with_options(1), str)
assert_type(with_signature(1), int)
may_be_plain(name="a")
assert_type(watch(plain)(1), float)
assert_type(Shape().area(2.0), float)
as_function: Callable[[int], str] = with_options
python: Callable[[int], str] = with_options.py_func
with_options.inspect_types()
nb.patch(on_refusal="raise")
nb.unpatch()
nb.set_num_threads(nb.prange)

# What type checkers must refuse: warn_unused_ignores makes an error of each comment that is not needed.
plain("a")  # type: ignore[arg-type]
with_signature()  # type: ignore[call-arg]
njit(plain.py_func, policy="none")  # type: ignore[call-overload]
