"""A cache whose results are dropped when anything that they were computed from has changed."""

import functools
from collections.abc import Callable

import depwatch


def cache[**P, R](*types: type) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """@cache(int, str): for calls with arguments of exactly these classes. Other calls run the function each time.

    Raises depwatch.Unwatchable for a function that reads what nothing reports changes of, such as the items of a list.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        assumed = depwatch.assume(function, argument_types=types)
        results: dict[tuple[object, ...], R] = {}

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if kwargs or tuple(map(type, args)) != types:
                return function(*args, **kwargs)
            if assumed.renew():  # something was changed, and not changed back: what it reads now is assumed from now on
                results.clear()
            if args not in results:
                value = function(*args, **kwargs)
                if not assumed.valid:  # it was changed meanwhile: the value may be of before or after
                    return value
                results[args] = value
            return results[args]

        vars(call)["assumed"] = assumed  # call.assumed.explain() says why results were dropped
        return call

    return decorate


if __name__ == "__main__":
    RATE = 2

    def helper(x: int) -> int:
        print(f"computing {x} * {RATE}")
        return x * RATE

    @cache(int)
    def price(x: int) -> int:
        return helper(x) + 1

    print(price(10), price(10))
    RATE = 3  # read by a function that price() calls
    print(price(10))
    RATE = 4
    RATE = 3  # changed and changed back: the result is still there
    print(price(10))
