"""The rooms of ext/: what a room includes and calls lies to its right in api > notice > ... > watch."""

import re

from objects import EXT, core_objects, symbols_of

ROOMS = ("api", "notice", "event", "action", "facet", "index", "watch")


def may_know(room, other):
    return ROOMS.index(room) <= ROOMS.index(other)


def test_every_file_of_the_core_is_in_a_room_that_says_what_it_is():
    files = [path for path in EXT.rglob("*") if path.is_file()]
    assert {path.parent for path in files} == {EXT / room for room in ROOMS}
    opened = [path for path in files if re.search(r"^(/\* |\"\"\")Room ", path.read_text())]
    assert sorted(path.parent.name for path in opened) == sorted(ROOMS)


def test_no_include_runs_back():
    arrows = set()
    for path in EXT.rglob("*.[chp]*"):
        for room in re.findall(r'(?:#include|cdef extern from|^include) "(\w+)/', path.read_text(), re.MULTILINE):
            arrows.add((path.parent.name, room))
    assert {("api", "notice"), ("event", "action"), ("facet", "index")} <= arrows
    assert [arrow for arrow in sorted(arrows) if not may_know(*arrow)] == []


def test_no_call_runs_back():
    objects = core_objects("-O2")
    symbols = symbols_of(*objects.values())
    where = {
        name: source.parent.name
        for source, path in objects.items()
        for name, kind in symbols[path].items()
        if kind.isupper() and kind not in "UVW"
    }
    calls = {
        (source.parent.name, where[name], name)
        for source, path in objects.items()
        for name, kind in symbols[path].items()
        if kind == "U" and name in where
    }
    assert ("event", "action", "facet_becomes_unknown") in calls
    assert [call for call in sorted(calls) if not may_know(*call[:2])] == []
