"""Counting the calls that are not monitored, with a clock of the test's."""

import weakref

import pytest

from depwatch.compare.calls import AT_FIRST, BATCH, FAST, WINDOW, CallCount, Rate


def rate() -> Rate:
    def function() -> None: ...

    return Rate(weakref.ref(function.__code__))


def test_a_function_that_is_called_seldom_stays_monitored() -> None:
    count, slow = CallCount(0.0), rate()
    assert not count.monitor(slow, 0.0)
    assert not any(count.is_fast(slow, number / (FAST / 2)) for number in range(5000))
    assert count.estimated(10.0) == 0


def test_the_first_calls_of_a_hot_function_are_counted_whatever_its_rate() -> None:
    count, fast = CallCount(0.0), rate()
    count.monitor(fast, 0.0)
    assert [count.is_fast(fast, n * 1e-6) for n in range(1, AT_FIRST + 1)] == [False] * (AT_FIRST - 1) + [True]


def test_a_fast_function_is_extrapolated_until_its_window_and_then_by_the_window() -> None:
    count, fast = CallCount(0.0), rate()
    count.monitor(fast, 0.0)
    while not count.is_fast(fast, 0.1):  # 5000 a second, seen when it was busy
        pass
    assert count.estimated(1.1) == pytest.approx(AT_FIRST / 0.1)
    assert count.next_window(1.1) is fast
    assert count.estimated(1.1) == pytest.approx(AT_FIRST / 0.1)  # should the program end now
    assert count.close(4, WINDOW * 2, 0.0, 1.1 + WINDOW * 2)  # 2000 a second, seen at any time
    assert count.exact == 4
    assert count.estimated(1.1 + WINDOW * 2) == pytest.approx(2000 * 1.0)
    assert count.estimated(2.1 + WINDOW * 2) == pytest.approx(2000 * 2.0)


def test_a_function_that_has_become_slow_is_monitored_again() -> None:
    count, was_fast = CallCount(0.0), rate()
    count.monitor(was_fast, 0.0)
    while not count.is_fast(was_fast, 0.1):
        pass
    count.next_window(1.1)
    assert not count.close(0, 0.005, 0.0, 1.105)
    assert count.estimated(9.0) == 0
    assert [count.is_fast(was_fast, 2.0 + n * 1e-6) for n in range(BATCH)][-1] is False  # 64 calls in a second


def test_windows_stop_when_they_have_cost_enough() -> None:
    count, fast = CallCount(0.0), rate()
    count.monitor(fast, 0.0)
    while not count.is_fast(fast, 0.1):
        pass
    assert count.next_window(1.0) is fast
    count.close(1000, 0.01, 0.5, 1.0)
    assert count.next_window(1.1) is None
    assert count.next_window(100.0) is fast


def test_a_function_that_is_cold_again_is_no_longer_estimated() -> None:
    count, fast = CallCount(0.0), rate()
    count.monitor(fast, 0.0)
    while not count.is_fast(fast, 0.1):
        pass
    count.leave(fast, 1.1)
    assert count.estimated(1.1) == count.estimated(50.0) == pytest.approx(5000)
    assert count.monitor(fast, 60.0)  # hot again: it is known to be fast
    assert count.estimated(61.0) == pytest.approx(10000)
