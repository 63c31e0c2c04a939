"""An MRO that is not the one that the bases give: what it becomes is told by no event, so it is refused."""

import abc
import enum
from typing import NamedTuple

import pytest

import depwatch


class Meta(type):
    """Gets an mro() for a while."""


def reversed_once(bases):
    """A class whose MRO an mro() made that is gone."""
    Meta.mro = lambda cls: [cls, *bases[::-1], object]
    try:
        return Meta("Made", bases, {})
    finally:
        del Meta.mro


@pytest.fixture
def family():
    first, second = type("First", (), {"x": 1}), type("Second", (), {"x": 2})
    return first, second, reversed_once((first, second))


def readers(cls):
    recorder = depwatch.Recorder("reader")
    return [
        lambda: recorder.read_type_attr(cls, "x"),
        lambda: recorder.guard_cell(cls, "x"),
        lambda: recorder.depend_on(cls),
        lambda: depwatch.subscribe(lambda event: None, cls, "x").cancel(),
    ]


@pytest.mark.parametrize("reader", range(4), ids=["attribute", "guard", "whole", "subscription"])
def test_a_class_whose_mro_was_made_by_an_mro_that_is_gone_is_refused(family, reader):
    first, _, made = family
    assert made.x == 2
    with pytest.raises(depwatch.Unwatchable, match=r"the MRO of Made is not the one .*__bases__ again"):
        readers(made)[reader]()
    first.__bases__ = first.__bases__  # makes the MRO anew, and no event tells
    assert made.x == 1
    readers(made)[reader]()


def test_a_class_that_inherits_from_such_a_class_is_refused(family):
    first, _, made = family
    derived = type("Derived", (made,), {})
    for read in readers(derived):
        with pytest.raises(depwatch.Unwatchable, match=r"the MRO of Made is not the one that type.mro\(\) makes"):
            read()
    first.__bases__ = first.__bases__
    assert derived.x == 1
    for read in readers(derived):
        read()


def test_after_an_mro_that_raised_the_classes_it_left_are_refused():
    base = type("Base", (), {"x": 1})
    left, right = type("Left", (base,), {"x": 2}), type("Right", (base,), {"x": 3})
    both = type("Both", (left, right), {})
    Meta("Last", (both,), {})

    def raising(cls):
        del Meta.mro
        both.__bases__ = (right, left)
        raise ValueError

    Meta.mro = raising
    with pytest.raises(ValueError):
        left.__bases__ = (base,)
    left_behind = list(both.__mro__) != type.mro(both)  # versions of CPython differ in what they undo
    for read in readers(both):
        if left_behind:
            with pytest.raises(depwatch.Unwatchable, match=r"the MRO of Both is not the one that type.mro\(\) makes"):
                read()
        else:
            read()


class Pair(NamedTuple):
    x: int


class Of[T]:
    x = 1


class OfInt(Of[int], abc.ABC):
    x = 2


class Color(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize("cls", [Pair, Of, OfInt, Color, type("Number", (int,), {}), type("Plain", (), {})])
def test_the_mro_of_ordinary_classes_is_what_their_bases_give(cls):
    depwatch.Recorder("reader").depend_on(cls)
