"""What type checkers see of decorated functions: their signatures. At runtime they are numba's dispatchers."""

from collections.abc import Callable
from typing import Any, Concatenate, Protocol, Self, overload

from depwatch.integrations.numba.function import Policy
from depwatch.integrations.numba.plain import OnRefusal


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


class WithOptions(Protocol):
    """A decorator that has its options."""

    def __call__[**P, R](self, function: Callable[P, R], /) -> Jitted[P, R]: ...


class TypedDecorator(Protocol):
    """njit and jit."""

    @overload
    def __call__[**P, R](
        self,
        function: Callable[P, R],
        /,
        *,
        policy: Policy = ...,
        keep: int = ...,
        on_refusal: OnRefusal = ...,
        **options: Any,
    ) -> Jitted[P, R]: ...

    @overload
    def __call__(
        self,
        signatures: str | list[Any] | tuple[Any, ...] | None = ...,
        /,
        *,
        policy: Policy = ...,
        keep: int = ...,
        on_refusal: OnRefusal = ...,
        **options: Any,
    ) -> WithOptions: ...
