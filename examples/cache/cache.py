"""An example: a cache whose results are dropped when anything that they were computed from has changed."""

import functools

import depwatch


def cache(*types):
    """@cache(int, str): for calls with arguments of exactly these classes."""

    def decorate(function):
        results, assumed = {}, depwatch.assume(function, argument_types=types)

        @functools.wraps(function)
        def call(*args):
            if tuple(map(type, args)) != types:
                return function(*args)
            if assumed.renew():
                results.clear()
            if args not in results:
                value = function(*args)
                if not assumed.valid:
                    return value
                results[args] = value
            return results[args]

        call.assumed = assumed
        return call

    return decorate
