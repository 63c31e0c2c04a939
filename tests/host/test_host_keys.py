"""What ext/facet/stored_keys.c and keys.h rest on: a dict keeps the hash of a key, and whose __eq__ it asks."""

import importlib
import types

import pytest


@pytest.fixture(scope="session")
def stored(built):
    """stored(dict): [(hash, key), ...], or None where all keys are exact strs."""
    return importlib.import_module("hostkeys").stored


class Key:
    def __init__(self, name):
        self.name = name

    def __hash__(self):
        return hash(self.name)


class Name(str):
    pass


@pytest.mark.parametrize("n", [1, 5, 100, 300, 70_000])
def test_a_dict_whose_keys_are_exact_strs_has_a_table_for_these(stored, n):
    assert stored({f"name {i}": i for i in range(n)}) is None
    assert stored(type("C", (), {})().__dict__) is None
    key = Key("x")
    assert stored({f"name {i}": i for i in range(n)} | {key: 1})[-1] == (hash("x"), key)


def test_another_key_turns_the_table_into_a_general_one(stored):
    for key in (1, Name("x"), (), None):
        names = {"a": 1, "b": 2}
        names[key] = 3
        assert [stored_key for _, stored_key in stored(names)] == ["a", "b", key]
        del names["a"]
        assert [stored_key for _, stored_key in stored(names)] == ["b", key]


def test_a_dict_keeps_the_hash_that_a_key_had_when_it_was_stored(stored):
    class Changing(Key):
        pass

    names = {Changing("x"): 1}
    Changing.__hash__ = object.__hash__
    ((kept, key),) = stored(names)
    assert (kept, hash(key) == kept) == (hash("x"), False)
    Changing.__eq__ = lambda self, other: other == "x"
    assert names["x"] == 1


def test_a_dict_asks_no_key_of_another_hash(stored):
    class Asked(Key):
        def __eq__(self, other):
            raise AssertionError

        __hash__ = Key.__hash__

    names = {Asked("x"): 1, "y": 2}
    assert names["y"] == 2
    assert "z" not in names


def test_instances_of_immutable_types_keep_their_class_unless_they_are_modules():
    class Other:
        pass

    class Module(types.ModuleType):
        pass

    for instance in (1, "x", (), None, len, lambda: 1, int, object(), b"", frozenset(), 1.5):
        with pytest.raises(TypeError):
            instance.__class__ = Other
    module = types.ModuleType("m")
    module.__class__ = Module
    assert type(module) is Module
