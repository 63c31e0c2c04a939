"""How numbers are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depwatch.compare.report import figures


def plain(text: str) -> str:
    return text.replace(figures.NBSP, " ")


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "–"),
        (0, 9, "0 %"),
        (9, 9, "100 %"),
        (1, 10**9, "< 0.001 %"),
        (15, 10_000, "0.15 %"),
        (15, 100_000, "0.015 %"),
        (1, 3, "33.3 %"),
        (999_999, 1_000_000, "> 99.9 %"),
        (3, 2, "150 %"),
    ],
)
def test_shares(part: int, whole: int, text: str) -> None:
    assert plain(figures.share(part, whole)) == text


@given(st.integers(0, 10**12), st.integers(1, 10**12))
def test_a_share_is_nothing_or_all_only_if_it_is_exactly_that(part: int, whole: int) -> None:
    text = plain(figures.share(min(part, whole), whole))
    assert (text == "0 %") == (min(part, whole) == 0)
    assert (text == "100 %") == (part >= whole)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 s"),
        (0.3, "0.3 ns"),
        (0.001, "0.001 ns"),
        (40, "40 ns"),
        (1234, "1.23 µs"),
        (1.2e8, "120 ms"),
        (9.999e8, "1,000 ms"),
        (1.5e9, "1.5 s"),
        (119e9, "119 s"),
        (360e9, "6 min"),
        (3600e9 * 30, "30 h"),
    ],
)
def test_durations(ns: float, text: str) -> None:
    assert plain(figures.duration(ns)) == text


def test_counts_have_one_or_many() -> None:
    assert plain(figures.counted(1, "program")) == "1 program"
    assert plain(figures.counted(1234, "dependency", "dependencies")) == "1,234 dependencies"


def test_an_axis_keeps_powers_of_ten() -> None:
    assert [plain(figures.on_axis(10.0**power)) for power in (3, 8, 12)] == ["1 µs", "100 ms", "1,000 s"]
