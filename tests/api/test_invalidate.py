"""Proposal B as an operation: everything that depends on any of some objects, found and retired at once."""

import types

import pytest
from pyroaring import BitMap

import depwatch
from support import byte_at, dependents, freeze, freeze_attribute, namespace, without_automatic_drain


def test_what_depends_on_any_of_many_objects_is_retired_and_nothing_else():
    class Shape:
        area = 1

    one, other, unwatched = namespace(X=1), namespace(X=1, Y=2), {}
    module = types.ModuleType("module")
    module.rate = 1
    objects = [one, other, Shape, module]

    def commit():
        recorder = depwatch.Recorder("of the module")
        recorder.read_attr(module, "rate")
        return [freeze(one, "X").commit(), freeze(other, "Y").commit(), freeze_attribute(Shape, "area").commit(),
                recorder.commit()]  # fmt: skip

    for some in ([], [unwatched], [one], [one, one, unwatched], [other, Shape], objects, iter(objects)):
        asked, handles = list(some), commit()
        expected = BitMap([h.id for h, owner in zip(handles, objects, strict=True) if any(owner is a for a in asked)])
        assert BitMap().union(*(depwatch.dependents(obj) for obj in asked)) == expected
        found = depwatch.invalidate(iter(asked), "why")
        assert type(found) is BitMap and found == expected
        assert {handle.id for handle in handles if handle.retired} == set(expected)
        for handle in handles:
            handle.release()


@without_automatic_drain
def test_all_are_retired_at_once_and_told_why_at_the_drain(log):
    one, other = namespace(X=1), namespace(X=1, Y=2)
    hit = [log.commit(freeze(one, "X", name="a")), log.commit(freeze(other, "X", name="b"))]
    both = log.commit(freeze(one, "X", name="c"))
    apart = namespace(X=1)
    spared = log.commit(freeze(apart, "X", name="d"))
    assert depwatch.invalidate([one, other], "reloaded") == BitMap([hit[0].id, hit[1].id, both.id])
    assert [byte_at(handle.broken_address) for handle in (*hit, both, spared)] == [255, 255, 255, 0]
    assert {handle.reason for handle in (*hit, both)} == {"reloaded"}
    assert sorted(log.drained()) == [("retired", "a"), ("retired", "b"), ("retired", "c")]
    assert dependents(one) | dependents(other) == set()
    assert depwatch.invalidate([one, other], "again") == BitMap()
    assert spared.valid and spared.reason is None
    assert hit[0].reason == "reloaded"
    assert depwatch.explain(both) == f"handle {both.id} ('c') is retired: reloaded"


def test_what_is_broken_is_retired_too_and_what_is_retired_is_not_counted():
    globals_ = namespace(X=1)
    broken, retired = freeze(globals_, "X").commit(), freeze(globals_, "X").commit()
    globals_["X"] = 2
    retired.retire("before")
    assert set(depwatch.invalidate([globals_], "now")) <= {broken.id}
    assert (broken.reason, retired.reason) == ("now", "before")


def test_new_handles_can_depend_on_what_was_invalidated():
    globals_ = namespace(X=1)
    freeze(globals_, "X").commit()
    depwatch.invalidate([globals_], "once")
    again = freeze(globals_, "X").commit()
    assert again.valid
    assert dependents(globals_) == {again.id}


@pytest.mark.parametrize("undone", ["refuse", "allow"])
def test_a_recorder_that_read_before_is_stale_and_one_that_reads_after_is_not(undone):
    contents, others = namespace(X=[1]), namespace(Z=1)
    before, elsewhere, after = (depwatch.Recorder(name) for name in ("before", "elsewhere", "after"))
    before.read_global(contents, "X")
    elsewhere.read_global(others, "Z")
    contents["X"].append(2)
    assert depwatch.invalidate([contents], "the list has grown") == BitMap()
    after.read_global(contents, "X")
    with pytest.raises(depwatch.Stale, match="changed since it was read for 'before'"):
        before.commit(undone=undone)
    assert after.commit(undone=undone).valid and elsewhere.commit(undone=undone).valid


@pytest.mark.parametrize("objects", [3, None])
def test_objects_come_in_a_collection(objects):
    with pytest.raises(TypeError, match=rf"^the objects must be an iterable, .*, not {objects}$"):
        depwatch.invalidate(objects, "x")


def test_the_reason_is_a_str_or_nothing_is_retired():
    globals_ = namespace(X=1)
    handle = freeze(globals_, "X").commit()
    with pytest.raises(TypeError, match="the reason must be a str, not None"):
        depwatch.invalidate([globals_], None)
    assert handle.valid
