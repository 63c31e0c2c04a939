"""Jump labels through the C API: machine code that is patched inside the store, made by an extension in C."""

from pathlib import Path

import pytest

import depwatch
from depwatch import Released, Unstable, Unwatchable
from native import LABELS, NEW, OLD
from support import without_automatic_drain

ONE, TWO = 1, 2  # what the code returns: with the nop, and after the jump
TARGET = 16  # bytes from the nop


def label(c, mapping, address, name="key"):
    recorder = c.recorder_new("labelled")
    made, value = c.jump_label(recorder, c.facet_of_key(mapping, name), address, address + TARGET)
    assert (value, c.reads(recorder)) == (mapping[name], 0), "it is no assumption"
    return made


if not LABELS:

    def test_labels_are_refused_where_there_are_none(c):
        address = c.emit(False)
        with pytest.raises(Unwatchable, match="on x86-64 Linux only: use a guard cell"):
            label(c, {"key": OLD}, address)
        c.free_code(address)

    # The rest rewrites x86-64 instructions; that they are refused elsewhere is tested above.
    pytest.skip("jump labels are for x86-64 Linux", allow_module_level=True)


@pytest.fixture
def code(c):
    address = c.emit(False)
    yield address
    c.free_code(address)


@without_automatic_drain
def test_the_code_jumps_inside_the_store_and_runs_on_when_it_is_undone(c, code):
    mapping = {"key": OLD}
    made = label(c, mapping, code)
    told = [(c.label_guard(made), c.call(code))]
    for value in (NEW, 3, OLD, NEW):
        mapping["key"] = value
        told.append((c.label_guard(made), c.call(code)))
    del mapping["key"]
    mapping["key"] = OLD
    told.append((c.label_guard(made), c.call(code)))
    c.drain()
    told.append((c.label_guard(made), c.call(code)))
    assert told == [(1, ONE), (0, TWO), (0, TWO), (1, ONE), (0, TWO), (0, TWO), (1, ONE)]
    c.label_release(made)


def test_a_released_label_leaves_the_code_as_it_is_and_its_place_free(c, code):
    mapping = {"key": OLD}
    made = label(c, mapping, code)
    with pytest.raises(ValueError, match=r"there is a label at 0x\w+ already"):
        label(c, mapping, code)
    mapping["key"] = NEW
    mapping["key"] = OLD
    c.label_release(made)
    c.label_release(made)
    with pytest.raises(Released, match="the label was released, so its code may be gone"):
        c.label_guard(made)
    mapping["key"] = NEW
    assert c.call(code) == ONE
    again = label(c, mapping, code)
    mapping["key"] = OLD
    assert c.call(code) == TWO
    del again  # the last reference does the same
    mapping["key"] = NEW
    assert c.call(code) == TWO


@without_automatic_drain
def test_a_label_a_guard_cell_and_a_handle_of_one_facet_change_together(c, code):
    mapping = {"key": OLD}
    facet = c.facet_of_key(mapping, "key")
    recorder = c.recorder_new("all")
    c.read(recorder, facet)
    guard, _ = c.guard_cell(recorder, facet)
    made, value = c.jump_label(recorder, facet, code, code + TARGET)
    assert (value, c.reads(recorder)) == (OLD, 1)
    handle = c.commit(recorder)  # the label is the caller's, not the handle's
    seen = []
    for value in (NEW, OLD):
        mapping["key"] = value
        seen.append((c.label_guard(made), c.guard(guard), c.broken(handle), c.call(code)))
    assert seen == [(0, 0, 1, TWO), (1, 1, 0, ONE)]
    c.release(handle)
    c.drain()
    mapping["key"] = NEW
    assert (c.label_guard(made), c.call(code)) == (0, TWO)
    c.label_release(made)
    c.cell_release(guard)


def test_code_in_memory_that_its_owner_writes_on_stays_writable(c):
    address = c.emit(True)
    mapping = {"key": OLD}
    made = label(c, mapping, address)
    c.poke(address + 6, 7)  # the number that the code returns
    assert c.call(address) == 7
    mapping["key"] = NEW
    assert c.call(address) == TWO
    c.label_release(made)
    c.free_code(address)


def test_what_cannot_be_patched_or_meant_is_refused_and_nothing_is_changed(c, code):
    mapping = {"key": OLD, "often": OLD}
    facet = c.facet_of_key(mapping, "key")
    maps = Path("/proc/self/maps").read_text().splitlines()
    unreadable = next((int(line.split("-")[0], 16) for line in maps if "[vsyscall]" in line), 8)
    recorder = c.recorder_new("refused")
    for address, target, error, told in (
        (code + 4, code + TARGET, ValueError, "crosses a multiple of 8"),
        (code, code + 2**32, ValueError, "a jump reaches 2"),
        (code + TARGET, code, ValueError, "not the 5-byte nop"),
        (8, 64, ValueError, "there is no executable code at"),
        (0, 0, ValueError, "there is no executable code at"),
        (2**64 - 8, 2**64 - 64, ValueError, "there is no executable code at"),
        (unreadable, unreadable + 16, ValueError, "there is no executable code at"),
        (id(mapping) & ~7, id(mapping) & ~7, ValueError, "there is no executable code at"),
    ):
        with pytest.raises(error, match=told):
            c.jump_label(recorder, facet, address, target)
    for refuse, error in (
        (lambda: c.jump_label(None, facet, code, code + TARGET), TypeError),
        (lambda: c.jump_label(recorder, None, code, code + TARGET), TypeError),
        (lambda: c.jump_label(recorder, c.facet_of_key({}, "absent"), code, code + TARGET), KeyError),
        (lambda: c.jump_label(recorder, c.facet_of_object(mapping), code, code + TARGET), ValueError),
        (lambda: c.label_guard(None), TypeError),
        (lambda: c.label_release(facet), TypeError),
    ):
        with pytest.raises(error):
            refuse()
    handle = c.recorder_new("breaks")
    c.read(handle, c.facet_of_key(mapping, "often"))
    handle = c.commit(handle)
    mapping["often"] = NEW
    depwatch.drain()
    with pytest.raises(Unstable):
        c.jump_label(c.recorder_new("once", 1), c.facet_of_key(mapping, "often"), code, code + TARGET)
    c.release(handle)
    assert c.reads(recorder) == 0
    depwatch.drain()
    mapping["key"] = NEW
    assert c.call(code) == ONE


def test_labels_leave_nothing(c):
    def once():
        code, mapping = c.emit(False), {"key": OLD}
        made = label(c, mapping, code)
        mapping["key"] = NEW
        assert c.call(code) == TWO
        del made
        c.free_code(code)

    def left():
        depwatch.drain()
        return [depwatch.stats()[each] for each in ("objects", "facets", "handles")]

    once()
    before = left()
    for _ in range(20):
        once()
    assert left() == before
