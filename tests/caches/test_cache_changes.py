"""Each change of what a cached function reads, beside plain Python: the next call is right, and undone means kept."""

import threading

import pytest
from cached_programs import CHANGES, COMMON, NOT_KEPT

from depwatch.integrations.functools import cache


def two(text):
    """The namespaces of the program with `f` cached, and of the program as it is."""
    cached, plain = {"__name__": "program", "cache": cache}, {"__name__": "program", "cache": lambda function: function}
    for names in (cached, plain):
        exec(COMMON + text, names)
    cached["f"] = cache(cached["f"])
    return cached, plain


def result(names, x=3):
    try:
        return names["f"](x)
    except Exception as error:
        return repr(error)


def both(source, *namespaces):
    for names in namespaces:
        exec(source, names)


@pytest.mark.parametrize("text, change, undo", CHANGES.values(), ids=CHANGES)
def test_the_next_call_is_right(text, change, undo):
    cached, plain = two(text)
    results = []
    for source in ("", change, undo, change, undo):
        both(source, cached, plain)
        results.append(((result(cached), result(cached)), (result(plain), result(plain))))
    assert [got for got, _ in results] == [want for _, want in results]
    assert results[0] != results[1]  # or the change would show nothing


KEPT = {name: row for name, row in CHANGES.items() if name not in NOT_KEPT}


@pytest.mark.parametrize("text, change, undo", KEPT.values(), ids=KEPT)
def test_a_change_that_was_undone_between_calls_keeps_the_results(text, change, undo):
    cached, plain = two(text)
    want = result(plain)
    assert result(cached) == want
    before = cached["f"].cache_info()
    both(change, cached)
    both(undo, cached)
    assert result(cached) == want
    hits = before.hits + 1
    assert cached["f"].cache_info() == before._replace(hits=hits)


@pytest.mark.parametrize("text, change, undo", CHANGES.values(), ids=CHANGES)
def test_a_thread_that_stores_and_calls_without_a_drain_gets_what_is_right(text, change, undo):
    cached, plain = two(text)
    got, want = [result(cached)], [result(plain)]

    def work():
        for source in (change, undo, change):
            both(source, cached, plain)
            got.append(result(cached))
            want.append(result(plain))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert got == want
