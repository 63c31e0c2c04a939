"""A random program whose functions are cached gives what it gives without caches, whatever changes and when."""

import pytest
from random_program import Copy, run

from depwatch.integrations.functools import cache, lru_cache


def trusted(decorator):
    return lambda *args, **kwargs: decorator(*args, **kwargs, ignore=("interfere", "due"))


def two_copies():
    def identity(function):
        return function

    return Copy(trusted(cache), trusted(lru_cache)), Copy(identity, lambda **kwargs: identity)


@pytest.mark.parametrize("seed", range(2))
def test_no_result_of_a_random_program_is_stale(seed):
    assert run(1_500, seed, *two_copies()) == []


@pytest.mark.slow
def test_no_result_of_ten_thousand_random_steps_is_stale():
    assert run(10_000, 7, *two_copies()) == []
