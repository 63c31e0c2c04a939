"""What type checkers see of decorated functions: their signatures. At runtime they are numba's dispatchers."""

from collections.abc import Callable
from typing import Any, Concatenate, Protocol, Self, overload


class Jitted[**P, R](Protocol):
    """A dispatcher of numba's."""

    @property
    def py_func(self) -> Callable[P, R]:
        """The Python function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...

    @overload
    def __get__[T, **Q, S](
        self: "Jitted[Concatenate[T, Q], S]", instance: T, owner: type | None = None, /
    ) -> Callable[Q, S]: ...

    def __getattr__(self, name: str, /) -> Any:
        """What else a dispatcher has, which numba gives no types: inspect_types(), signatures, ..."""


class Decorator(Protocol):
    """What a decorator with options makes of a function."""

    def __call__[**P, R](self, function: Callable[P, R], /) -> Jitted[P, R]: ...
