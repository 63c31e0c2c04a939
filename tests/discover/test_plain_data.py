"""Plain data stays plain through recursion and through decorators that pass on whatever they are given."""

import pytest
from discovered import program

import depwatch

PASSED_ON = """
RATE = 2
def decorate(function):
    def call(*args, **kwargs): return function(*args, **kwargs)
    return call
class C:
    def __init__(self, x): pass
    def __mul__(self, other): return other
def helper(x): return x
"""


def world(text, *types):
    names = program(PASSED_ON + text)
    found = depwatch.discover(names["f"], argument_types=types)
    return sorted({each.text for each in found.opaque if each.kind == "world"})


PLAIN = {
    "recursion": "def f(n): return n if n < 2 else f(n - 1) + f(n - 2)",
    "mutual recursion": "def g(n): return f(n) + 1\ndef f(n): return n if n < 2 else g(n - 1) + f(n - 2)",
    "a decorated callee": "@decorate\ndef g(x): return x * RATE\ndef f(x): return g(x) + 1",
    "a keyword": "@decorate\ndef g(x, *, y): return x * y\ndef f(x): return g(x, y=x) + 1",
    "a default": "@decorate\ndef g(x, y=3): return x * y\ndef f(x): return g(x)",
    "all that is given": "def g(*args, **kwargs): return args[0] + kwargs['y']\ndef f(x): return g(x, y=x)",
}
NOT_PLAIN = {
    "recursion that returns an item": (
        "L = [1]\ndef f(n): return L[0] if n < 2 else f(n - 1) + 1",
        [".__add__ of a value of unknown class", "__getitem__ of <list of 1 item>"],
    ),
    "mutual recursion that returns an item": (
        "L = [1]\ndef g(n): return f(n)\ndef f(n): return L[0] if n < 2 else g(n - 1) + 1",
        [".__add__ of a value of unknown class", "__getitem__ of <list of 1 item>"],
    ),
    "a default that is a function": (
        "@decorate\ndef g(x, y=helper): return y + 1\ndef f(x): return g(x)",
        [],
    ),
    "a function that is passed on": (
        "@decorate\ndef g(x, y): return x * 2\ndef f(x): return g(x, helper)",
        [".__mul__ of a value of unknown class"],
    ),
    "more than is told of the function itself": (
        "def f(x, *args): return args[0] + 1",
        [".__add__ of a value of unknown class"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
def test_what_is_computed_from_plain_data_alone_is_plain(text):
    assert world(text, int) == []


@pytest.mark.parametrize("text, told", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_may_be_anything_is_told(text, told):
    assert world(text, int) == told


def test_a_default_is_followed_though_more_arguments_may_be_given():
    names = program(PASSED_ON + "@decorate\ndef g(x, y=helper): return y(x)\ndef f(x): return g(x)")
    found = depwatch.discover(names["f"], argument_types=(int,))
    assert "function 'code' of <function helper>" in map(str, found.reads)
