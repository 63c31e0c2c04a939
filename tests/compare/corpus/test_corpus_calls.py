"""Calls of a program are kept and made again as they were made."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support import ROOT

sys.path.append(str(ROOT / "benchmarks" / "corpus" / "jit"))

from calls import KEPT, Calls, arguments, per_call, repeatable

SEEN: list[Any] = []


def plain(a: int, b: int = 2) -> int:
    return a + b


def all_kinds(a: int, /, b: int, *rest: int, c: int, d: int = 4, **more: int) -> Any:
    inner = lambda: a + b  # so that a and b are in cells
    SEEN.append((inner(), rest, c, d, more))
    return SEEN[-1]


def raises(a: int) -> None:
    raise ValueError(a)


def generates(a: int) -> Iterator[int]:
    yield a


@pytest.fixture
def kept() -> Iterator[Callable[[], dict[str, Any]]]:
    """What is kept of the calls that a test makes until it asks."""
    calls, before = Calls(), sys.stdout
    calls.begin()

    def ended() -> dict[str, Any]:
        calls.end()
        sys.stdout.close()
        sys.stdout = before
        return {name.split()[0]: call for name, _, call in calls.again() if __file__ in name}

    yield ended


def test_a_call_is_kept_with_all_its_arguments(kept: Callable[[], dict[str, Any]]) -> None:
    for turn in range(KEPT + 10):
        all_kinds(turn, 1, 7, 8, c=3, e=5)
    called = kept()
    SEEN.clear()
    assert called["all_kinds"]() == (KEPT - 1 + 1, (7, 8), 3, 4, {"e": 5})  # the call KEPT, counted from 0


def test_what_is_rarely_called_or_raises_or_stays_suspended_is_not_kept(kept: Callable[[], dict[str, Any]]) -> None:
    for turn in range(KEPT):
        if turn:
            plain(1)
        list(generates(1))
        with pytest.raises(ValueError, match="1"):
            raises(1)
    assert not {"plain", "generates", "raises"} & kept().keys()


def test_arguments_are_those_of_the_frame() -> None:
    def inside(a: int, *, b: int) -> Any:
        return arguments(sys._getframe())

    assert inside(1, b=2) == ((1,), {"b": 2})


def test_what_ends_the_process_or_takes_long_is_not_called_again() -> None:
    assert repeatable(lambda: None)
    assert not repeatable(lambda: sys.exit(0))
    assert not repeatable(lambda: sum(range(1_000_000)))


def test_a_call_that_does_more_takes_longer() -> None:
    assert 0 < per_call(lambda: None) * 10 < per_call(lambda: sum(range(2000)))
