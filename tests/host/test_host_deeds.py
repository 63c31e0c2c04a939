"""Trap 1 and section D of facts/host-contract.md: a dict that its own callback changes."""

import json

import pytest
from deeds import ACTIONS, OPERATIONS
from versions import HOST


@pytest.fixture(scope="module")
def outcomes(fresh_process):
    """{(operation, action): "ok" or what came of it}

    With the allocators that overwrite what is freed, or what comes of using it would depend on the build.
    """
    answer = fresh_process("import runpy; runpy.run_module('deeds', run_name='__main__')", PYTHONMALLOC="debug")
    assert answer.returncode == 0, answer
    return {(operation, action): said for operation, action, said in json.loads(answer.stdout)}


def test_a_callback_that_changes_its_dict_breaks_it_or_kills_the_process(outcomes):
    """The other cases were survived on this version, which is no promise."""
    assert outcomes.keys() == {(operation, action) for operation in OPERATIONS for action in ACTIONS}
    assert {case for case, said in outcomes.items() if said != "ok"} == HOST.unsound


def test_cloning_and_deallocating_are_the_only_operations_that_survive_every_action(outcomes):
    assert {operation for operation, _ in HOST.unsound} == OPERATIONS.keys() - {"clone", "deallocate"}


def test_a_key_that_is_set_while_it_is_added_is_there_twice(outcomes):
    assert outcomes["add", "set the same key"] == "a key twice"
