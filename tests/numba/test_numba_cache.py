"""cache=True: what one process stores another takes, if all that it rests on is so there, and not otherwise."""

import threading
import types

import pytest
from stories import read_stories, told

from depwatch.integrations.numba.folder import ENTRIES, Folder


@pytest.mark.parametrize("name", read_stories())
def test_each_process_of_a_story_gives_what_it_should_from_the_disk_or_not(name):
    for number, process in enumerate(read_stories()[name]):
        wanted = [(number, step.source, step.want.strip()) for step in process.steps]
        given = [
            (number, step.source, result) for step, result in zip(process.steps, told()[name, number], strict=True)
        ]
        assert given == wanted


def test_who_reads_while_others_write_finds_whole_entries_or_none(tmp_path):
    locator = types.SimpleNamespace(ensure_cache_path=lambda: None)
    impl = types.SimpleNamespace(locator=locator, filename_base="f")
    folder = Folder(types.SimpleNamespace(_impl=impl, cache_path=str(tmp_path)))

    def write(name):
        for number in range(50):
            folder.add("key", f"{name} {number}".encode(), f"{name} {number} ".encode() * 5000, None)

    writers = [threading.Thread(target=write, args=(name,)) for name in ("one", "two")]
    for writer in writers:
        writer.start()
    seen = 0
    while any(writer.is_alive() for writer in writers):
        for entry in folder.entries("key"):
            code = entry.code()
            assert code is None or code == (entry.head + b" ") * 5000
            seen += code is not None
    assert seen > 0
    assert len([*folder.entries("key")]) == len([*tmp_path.iterdir()]) == ENTRIES
