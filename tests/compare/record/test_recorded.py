"""Values are remembered without being kept."""

import gc
import weakref

import pytest

from depwatch.compare.record.recorded import Recorded


class Thing:
    pass


def test_a_recorded_object_may_die_and_is_then_no_other() -> None:
    thing = Thing()
    recorded, reference = Recorded(thing), weakref.ref(thing)
    assert recorded.is_same(thing)
    del thing
    gc.collect()
    assert reference() is None
    assert not recorded.is_same(Thing())


@pytest.mark.parametrize(
    "value", [[1], {"a": 1}, (1, [2]), object(), None, True, len], ids=lambda value: type(value).__name__
)
def test_what_has_no_bits_to_compare_is_compared_by_identity(value: object) -> None:
    assert Recorded(value).is_same(value)
    assert not Recorded(value).is_same([1])


def test_equal_is_not_the_same() -> None:
    assert not Recorded(1).is_same(1.0)
    assert not Recorded(1).is_same(True)
    assert not Recorded(0.0).is_same(-0.0)
    assert Recorded(float("nan")).is_same(float("nan"))


@pytest.mark.parametrize("number", [7, 10**30, 1 << 10000, 2.5, "short", "x" * 1000], ids=lambda v: str(v)[:9])
def test_numbers_and_strings_are_the_same_if_their_bits_are(number: object) -> None:
    twin = type(number)(number) if not isinstance(number, str) else number[:1] + number[1:]
    assert Recorded(number).is_same(twin)


def test_bytes_are_compared_by_identity_as_the_core_does() -> None:
    value, twin = b"bytes", bytes(bytearray(b"bytes"))
    assert Recorded(value).is_same(value)
    assert not Recorded(value).is_same(twin)


def test_an_int_subclass_is_compared_by_identity() -> None:
    class Number(int):
        pass

    number, twin = Number(3), Number(3)
    assert not Recorded(number).is_same(twin)
