"""The boundary: into which functions discovery goes."""

import json
import textwrap

import pytest
from discovered import codes, found_in, program

import depwatch

TEXT = "import textwrap\ndef g(): return textwrap.dedent('a')\ndef f(): return g()"


def test_the_library_is_not_gone_into_by_default():
    found = found_in(TEXT)
    assert (codes(found.reads), found.leaves) == (["f", "g"], (textwrap.dedent,))


def test_all_goes_into_the_library():
    found = found_in(TEXT, follow="all")
    assert (codes(found.reads)[:3], found.leaves) == (["f", "g", "dedent"], ())


def test_a_function_of_a_package_is_followed_within_it():
    found = depwatch.discover(json.dumps)
    assert "iterencode" in codes(found.reads)
    assert {leaf.__module__.partition(".")[0] for leaf in found.leaves} - {"json"} == {
        leaf.__module__.partition(".")[0] for leaf in found.leaves
    }


def test_a_predicate_is_asked_of_each_function_but_the_first():
    asked = []
    names = program(TEXT)

    def follow(function):
        asked.append(function)
        return function is names["g"]

    found = depwatch.discover(names["f"], follow=follow)
    assert (codes(found.reads), found.leaves) == (["f", "g"], (textwrap.dedent,))
    assert set(asked) == {names["g"], textwrap.dedent}


@pytest.mark.parametrize("wrong", ["none", 1, None])
def test_another_boundary_is_refused(wrong):
    with pytest.raises(TypeError, match='follow must be "default", "all" or a function of a function'):
        found_in(TEXT, follow=wrong)
    with pytest.raises(TypeError, match="argument_types has 1, which is no class"):
        found_in(TEXT, argument_types=(1,))
