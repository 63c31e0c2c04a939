"""Which keys of a dict can never be equal to a str: what may be told from tp_richcompare and tp_hash alone."""

import pytest

A_CODE = (lambda: 0).__code__


class Boom:
    """Fails the test that compares it or takes its hash."""

    def __eq__(self, other):
        raise AssertionError("compared")

    def __hash__(self):
        return hash("text")


# Of each type whose values never equal a str; those that hold other objects hold one that must not be asked.
NEVER_A_STR = [
    object(),
    0,
    hash("text"),
    0.0,
    1j,
    True,
    b"text",
    ("text",),
    (Boom(),),
    frozenset(["text"]),
    frozenset([Boom()]),
    range(3),
    A_CODE,
    None,
    int,
    type,
    type("text", (), {}),
    len,
    lambda: "text",
    pytest,
]
TYPES = sorted({type(value) for value in NEVER_A_STR}, key=lambda cls: cls.__name__)
STRS = ["text", "", "0", "None", "0.0"]


@pytest.mark.parametrize("value", NEVER_A_STR, ids=lambda value: type(value).__name__)
def test_values_of_these_builtin_types_equal_no_str_and_ask_nobody(value):
    for text in STRS:
        assert (value == text, text == value) == (False, False)
        assert type(value).__eq__(value, text) is NotImplemented
        assert {text: 1}.get(value) is None


def test_bytes_have_the_hash_of_their_str_and_with_b_comparing_the_two_runs_python(fresh_process):
    """So a look-up of a str among keys that are bytes can: the one exception to the above, and only with -b."""
    source = """
import warnings
warnings.showwarning = lambda message, *rest: print("python ran:", message)
warnings.simplefilter("always")
print(hash(b"text") == hash("text"), {b"text": 1}.get("text"), flush=True)
"""
    quiet = fresh_process(source)
    assert (quiet.stdout, quiet.returncode) == ("True None\n", 0), quiet
    warning = fresh_process(source, "-b")
    *ran, answer = warning.stdout.splitlines()  # a debug build compares more often
    assert set(ran) == {"python ran: Comparison between bytes and string"}, warning
    assert answer == "True None"
    error = fresh_process(source.replace('"always"', '"error"'), "-bb")
    assert error.returncode == 1
    assert "BytesWarning: Comparison between bytes and string" in error.stderr


def subclass_of(base, **body):
    return type("Sub", (base,), body)


SUBCLASSABLE = [object, int, float, complex, bytes, tuple, frozenset, str, type]


@pytest.mark.parametrize("base", SUBCLASSABLE)
def test_a_subclass_without_comparisons_compares_by_the_very_function_of_its_base(hostwatch, base):
    for body in ({}, {"__slots__": ()}, {"__repr__": lambda self: "", "attribute": 1}):
        assert hostwatch.comparison(subclass_of(base, **body)) == hostwatch.comparison(base)
    deeper = subclass_of(subclass_of(base))
    assert hostwatch.comparison(deeper) == hostwatch.comparison(base)


@pytest.mark.parametrize("name", ["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"])
@pytest.mark.parametrize("base", SUBCLASSABLE)
def test_a_subclass_with_any_comparison_compares_by_another_function(hostwatch, base, name):
    own = subclass_of(base, **{name: lambda self, other: True, "__hash__": base.__hash__})
    assert hostwatch.comparison(own)[0] != hostwatch.comparison(base)[0]
    assert hostwatch.comparison(subclass_of(own)) == hostwatch.comparison(own)


def test_a_str_subclass_with_a_hash_of_its_own_hashes_by_another_function(hostwatch):
    own = subclass_of(str, __hash__=lambda self: 1)
    richcompare, hash_function = hostwatch.comparison(own)
    assert richcompare == hostwatch.comparison(str)[0]
    assert hash_function != hostwatch.comparison(str)[1]


def test_a_comparison_that_a_class_gets_later_shows_at_once_in_it_and_its_subclasses(hostwatch):
    cls = subclass_of(str)
    sub = subclass_of(cls)
    cls.__eq__ = lambda self, other: True
    changed = hostwatch.comparison(cls), hostwatch.comparison(sub)
    del cls.__eq__
    assert [pair[0] != hostwatch.comparison(str)[0] for pair in changed] == [True, True]
    assert [pair[1] == hostwatch.comparison(str)[1] for pair in changed] == [True, True]


def test_values_that_do_equal_a_str_have_another_function(hostwatch):
    """What must not be in the list above: a bytearray or a list is no key, but these are."""
    equal = subclass_of(object, __eq__=lambda self, other: other == "text", __hash__=lambda self: hash("text"))()
    assert {"text": 1}[equal] == 1
    never = {hostwatch.comparison(cls)[0] for cls in TYPES}
    assert hostwatch.comparison(type(equal))[0] not in never
    assert hostwatch.comparison(str)[0] not in never
