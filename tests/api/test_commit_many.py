"""Many handles in one commit: the same as one by one, without a Python call for each dependency."""

import gc
import weakref
from array import array

import pytest

import depwatch
from support import byte_at, dependents, namespace, without_automatic_drain


def read_all(globals_, *names, unstable_after=6):
    """A recorder, and by name the numbers of what reading it recorded."""
    recorder = depwatch.Recorder("batch", unstable_after)
    numbers = {}
    for name in names:
        before = recorder.reads
        recorder.read_global(globals_, name)
        numbers[name] = range(before, recorder.reads)
    return recorder, numbers


def commit(recorder, numbers, *groups, **options):
    """One handle for each group of names."""
    offsets, reads = array("Q", [0]), array("I")
    for group in groups:
        for name in group:
            reads.extend(numbers[name])
        offsets.append(len(reads))
    return recorder.commit_many(offsets, reads, **options)


def test_each_handle_depends_on_what_its_numbers_say():
    globals_ = namespace(X=1, Y=2)
    recorder, numbers = read_all(globals_, "X", "Y")
    handles = commit(recorder, numbers, "X", "XY", "YX", "XX", "")
    only_x, both, turned, twice, nothing = handles
    assert dependents(globals_, "X") == {only_x.id, both.id, turned.id, twice.id}
    assert dependents(globals_, "Y") == {both.id, turned.id}
    assert [handle.name for handle in handles] == [f"batch[{i}]" for i in range(5)]
    globals_["Y"] = 3
    assert [handle.broken for handle in handles] == [0, 1, 1, 0, 0]
    globals_["X"] = 3
    assert [handle.broken for handle in handles] == [1, 2, 2, 1, 0]
    globals_["Y"] = 2
    globals_["X"] = 1
    assert all(handle.valid for handle in handles) and nothing.valid


def test_one_recorder_commits_as_often_as_it_likes():
    globals_ = namespace(X=1)
    recorder, numbers = read_all(globals_, "X")
    first = commit(recorder, numbers, "X", "X")
    recorder.read_global(globals_, "X")
    second = commit(recorder, numbers, "X")
    last = recorder.commit()
    assert dependents(globals_, "X") == {*first.ids, *second.ids, last.id}
    assert recorder.reads == 0
    with pytest.raises(depwatch.Released, match="was committed or closed"):
        commit(recorder, numbers, "X")


@without_automatic_drain
def test_the_callbacks_get_the_handle_concerned(log):
    globals_ = namespace(X=1, Y=2)
    recorder, numbers = read_all(globals_, "X", "Y")
    told = []
    callbacks = {
        f"on_{state}": lambda handle, state=state: told.append((state, handle.name, handle.artifact))
        for state in ("invalidate", "resume", "retire")
    }
    handles = commit(recorder, numbers, "X", "Y", "XY", artifacts=["a", "b", "c"], **callbacks)
    globals_["X"] = 5
    depwatch.drain()
    assert sorted(told) == [("invalidate", "batch[0]", "a"), ("invalidate", "batch[2]", "c")]
    told.clear()
    globals_["X"] = 1
    handles[1].retire("not needed")
    depwatch.drain()
    assert sorted(told) == [("resume", "batch[0]", "a"), ("resume", "batch[2]", "c"), ("retire", "batch[1]", "b")]
    told.clear()
    handles.retire("all")
    depwatch.drain()
    assert sorted(told) == [("retire", "batch[0]", "a"), ("retire", "batch[2]", "c")]
    assert [handle.reason for handle in handles] == ["all", "not needed", "all"]
    assert dependents(globals_) == set()


def test_explain_knows_why_a_handle_of_many_is_retired():
    globals_ = namespace(X=object())
    recorder, numbers = read_all(globals_, "X")
    handles = commit(recorder, numbers, "X", "X")
    globals_["X"] = None  # nobody has the old value
    depwatch.drain()
    assert handles[1].retired
    told = depwatch.explain(handles[1])
    assert told.startswith(f"handle {handles[1].id} ('batch[1]') is retired: global 'X' of <dict of ")
    assert "can never hold again" in told
    assert handles[0].reason == handles[1].reason


def test_a_facet_that_changed_since_it_was_read_refuses_them_all():
    globals_ = namespace(X=1, Y=2)
    recorder, numbers = read_all(globals_, "X", "Y")
    globals_["Y"] = 3
    before = depwatch.stats()
    with pytest.raises(depwatch.Stale, match=r"global 'Y' of <dict of 3 items> .* changed since it was read"):
        commit(recorder, numbers, "X", "XY")
    handles = commit(recorder, numbers, "X")
    assert dependents(globals_) == set(handles.ids)
    assert depwatch.stats()["handles"] - before["handles"] == 1


def test_a_value_that_another_recorder_has_read_since_refuses_them_all():
    globals_ = namespace(X=1, Y=2)
    recorder, numbers = read_all(globals_, "X", "Y")
    globals_["X"] = 3
    other, _ = read_all(globals_, "X")  # X is assumed to be 3 from now on, and holds
    assert depwatch.stats()["breaks"] >= 1
    with pytest.raises(depwatch.Stale, match="global 'X'"):
        commit(recorder, numbers, "Y", "X")
    assert len(commit(recorder, numbers, "Y", "Y")) == 2
    fresh, fresh_numbers = read_all(globals_, "Y", "X")
    assert commit(fresh, fresh_numbers, "XY")[0].valid
    other.close()


def test_a_facet_that_breaks_too_often_is_given_up():
    globals_ = namespace(X=1)
    recorder, numbers = read_all(globals_, "X", unstable_after=2)
    handles = commit(recorder, numbers, "X", "X")
    for _ in range(2):
        globals_["X"] = 2
        depwatch.drain()
        globals_["X"] = 1
        depwatch.drain()
    assert all(handle.retired and "too often" in handle.reason for handle in handles)


def test_their_ids_are_ascending_even_where_some_are_used_again():
    globals_ = namespace(X=1)
    recorder, numbers = read_all(globals_, "X")
    first = commit(recorder, numbers, *"X" * 10)
    for i in (7, 2, 5):
        first[i].release()
    depwatch.drain()
    second = commit(recorder, numbers, *"X" * 5)
    assert list(second.ids) == sorted(second.ids)
    assert {first.ids[i] for i in (7, 2, 5)} < set(second.ids)
    assert dependents(globals_, "X") == {*first.ids, *second.ids}


def test_handles_are_a_sequence_and_the_same_objects_each_time():
    globals_ = namespace(X=1)
    recorder, numbers = read_all(globals_, "X")
    handles = commit(recorder, numbers, *"XXX")
    assert (len(handles), repr(handles)) == (3, "<3 Handles 'batch'>")
    assert handles[-1] is handles[2] is list(handles)[2] is handles[1:][1]
    assert [handle.id for handle in handles] == list(handles.ids)
    with pytest.raises(IndexError):
        handles[3]
    assert list(handles.broken_addresses) == [handle.broken_address for handle in handles]
    assert [byte_at(address) for address in handles.broken_addresses] == [0, 0, 0]


def test_nobody_needs_to_keep_handles_that_may_run():
    globals_ = namespace(X=1)
    recorder, numbers = read_all(globals_, "X")
    told = []
    handles = commit(recorder, numbers, "X", "X", on_invalidate=lambda handle: told.append(handle.id))
    ids, alive = list(handles.ids), weakref.ref(handles)
    del handles
    gc.collect()
    globals_["X"] = 2
    depwatch.drain()
    assert sorted(told) == ids
    alive().release()
    depwatch.drain()
    gc.collect()
    assert alive() is None
    assert dependents(globals_, "X") == set()


def test_dropping_them_once_all_are_retired_gives_the_ids_back():
    globals_ = namespace(X=1)
    recorder, numbers = read_all(globals_, "X")
    before = depwatch.stats()["handles"]
    handles = commit(recorder, numbers, "X", "X", "X")
    held = handles[1]
    handles.retire("over")
    del handles
    gc.collect()
    assert depwatch.stats()["handles"] - before == 1, "somebody has one of them"
    assert held.reason == "over"
    held.release()
    assert depwatch.stats()["handles"] == before


def test_a_handle_can_be_released_by_itself_and_the_others_together():
    globals_ = namespace(X=1)
    recorder, numbers = read_all(globals_, "X")
    handles = commit(recorder, numbers, "X", "X", "X")
    one = handles[0]
    one.release()
    assert dependents(globals_, "X") == set(handles.ids[1:])
    handles.release()
    assert dependents(globals_, "X") == set()
    assert (handles.release(), handles.check()) == (None, False)
    for use in (
        lambda: handles.retire("x"),
        lambda: handles[1],
        lambda: handles.broken_addresses,
        lambda: handles.breaks,
    ):
        with pytest.raises(depwatch.Released, match="handles of 'batch' were released"):
            use()
    assert repr(handles) == "<3 Handles 'batch', released>"
    assert repr(one) == f"<Handle {one.id} 'batch[0]', released>"


def test_cells_are_shared_and_released_with_the_last_of_the_handles():
    globals_ = namespace(X=1)
    recorder, numbers = read_all(globals_, "X")
    cell = recorder.value_cell(globals_, "X", "i64")
    handles = commit(recorder, numbers, "X", "X")
    recorder.close()
    globals_["X"] = 7
    assert cell.value == 7
    handles[0].release()
    depwatch.drain()
    assert cell.value == 7
    handles.release()
    depwatch.drain()
    with pytest.raises(depwatch.Released):
        cell.value


@pytest.mark.parametrize(
    ("offsets", "reads", "told"),
    [
        ([], [], "offsets must begin with 0 and end with the number of reads, which is 0"),
        ([0], [0], "offsets must begin with 0 and end with the number of reads, which is 1"),
        ([1, 1], [0], "offsets must begin with 0"),
        ([0, 1, 0, 1], [0], r"offsets\[2\] is 0, less than the one before \(1\)"),
        ([0, 1], [9], r"reads\[0\] is 9; this recorder has read 2 facets"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(offsets, reads, told):
    recorder, _ = read_all(namespace(X=1), "X")
    before = depwatch.stats()["handles"]
    with pytest.raises(ValueError, match=told):
        recorder.commit_many(array("Q", offsets), array("I", reads))
    assert depwatch.stats()["handles"] == before


def test_other_arguments_that_cannot_be_meant_are_refused():
    recorder, _ = read_all(namespace(X=1), "X")
    offsets, reads = array("Q", [0, 1]), array("I", [0])
    with pytest.raises(ValueError, match="there are 2 artifacts for 1 handles"):
        recorder.commit_many(offsets, reads, ["a", "b"])
    with pytest.raises(TypeError, match="a callback must be callable, not 3"):
        recorder.commit_many(offsets, reads, on_retire=3)
    for wrong, told in ((array("I", [0, 1]), "array"), (array("d", [0, 1]), "array"), ([0, 1], "list"), (5, "5")):
        with pytest.raises(TypeError, match=rf"^offsets must be an array of uint64, array\('Q'\), not .*{told}"):
            recorder.commit_many(wrong, reads)
    with pytest.raises(TypeError, match=r"^reads must be an array of uint32, array\('I'\), not .*array"):
        recorder.commit_many(offsets, array("i", [0]))
    assert len(recorder.commit_many(array("Q", [0]), array("I"))) == 0


def test_ten_thousand_at_once_are_exact():
    globals_ = namespace(**{f"n{i}": i for i in range(300)})
    recorder, numbers = read_all(globals_, *(name for name in globals_ if name.startswith("n")))
    name_of = {number: name for name, own in numbers.items() for number in own[-1:]}  # the first is of the builtins
    offsets, reads = array("Q", [0]), array("I")
    for i in range(10_000):
        reads.extend({(i * 7 + j * j) % recorder.reads for j in range(i % 9)})
        offsets.append(len(reads))
    handles = recorder.commit_many(offsets, reads)
    expected = {}
    for i, handle in enumerate(handles.ids):
        for read in reads[offsets[i] : offsets[i + 1]]:
            expected.setdefault(name_of.get(read, "__builtins__"), set()).add(handle)
    assert {name: dependents(globals_, name) for name in [*numbers, "__builtins__"] if name in expected} == expected
