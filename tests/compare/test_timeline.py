"""Telling the first fifth from the rest, and sampling, with a clock of the test's."""

import pytest

from depwatch.compare.samples import OVERHEAD, WINDOW, Samples
from depwatch.compare.timeline import Timeline


def test_a_counter_is_as_it_was_after_the_last_activity_before_that_time() -> None:
    done = 0
    timeline = Timeline(0.0, lambda now: (done, now))
    for second in range(1, 10):
        timeline.activity(float(second))
        done += 1
    timeline.end(10.0)
    assert [timeline.at(seconds)[0] for seconds in (0.5, 1.0, 2.5, 9.5, 10.0)] == [0, 1, 2, 9, 9]
    assert timeline.at(2.5)[1] == 2.5  # an estimate grows in between


def test_long_runs_keep_few_entries_and_stay_precise() -> None:
    done = 0
    timeline = Timeline(0.0, lambda now: (done,))
    for number in range(100_000):
        timeline.activity(number / 1000)
        done += 1
    timeline.end(100.0)
    assert len(timeline._times) <= 514
    assert abs(timeline.at(20.0)[0] - 20_000) <= 500


def test_nothing_is_sampled_while_nothing_thrashes() -> None:
    samples = Samples(0.0)
    assert not any(samples.should_turn(second * WINDOW, 0.0) for second in range(1, 100))
    assert samples.estimate(1, 5.0) == 0


def test_what_thrashes_goes_on_at_the_rate_of_the_last_window() -> None:
    samples = Samples(0.0)
    samples.counted[1] += 30
    assert samples.should_turn(WINDOW, 10 * WINDOW)
    samples.pause(WINDOW, 10 * WINDOW)
    assert samples.paused
    assert samples.due == WINDOW + 10 * WINDOW / OVERHEAD
    assert samples.estimate(1, 3 * WINDOW) == pytest.approx(60)
    samples.resume(3 * WINDOW, 10 * WINDOW)
    assert samples.estimate(1, 100.0) == pytest.approx(60)
    assert not samples.counted
