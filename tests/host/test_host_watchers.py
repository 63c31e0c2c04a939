"""Table E and the traps of facts/host-contract.md: watcher slots, callbacks that misbehave, the process's end."""

import pytest
from versions import HOST, IS_DEBUG, TABLE, host_of
from watching import NULL


def test_another_cpython_is_not_in_the_table():
    newest = max(TABLE)
    with pytest.raises(LookupError, match=r"CPython 3\.\d+ is not in the table of tests/host/versions\.py"):
        host_of((newest[0], newest[1] + 1, 0))


def test_a_fresh_process_has_these_slots_free(fresh_process):
    answer = fresh_process(f"""
free = {{}}
for kind in {"".join(HOST.free_slots)!r}:
    try:
        free[kind] = ()
        while True:
            free[kind] += (hostwatch.add(kind),)
    except RuntimeError as full:
        assert "no more" in str(full), full
print(free)
""")
    assert (answer.stderr, answer.stdout) == ("", f"{HOST.free_slots}\n")


def test_the_first_slot_of_dicts_is_cpython_s_own_and_can_be_cleared_all_the_same(fresh_process):
    answer = fresh_process("""
try:
    print(hostwatch.clear("D", 0))
except ValueError as refused:
    print(refused)
""")
    assert answer.stdout == ("None\n" if HOST.cpython_watches_dicts else "No dict watcher set for ID 0\n")


def test_a_cleared_watcher_leaves_its_mark_on_dicts_for_the_next_that_gets_its_slot(host):
    d = {}
    slot = host.c.add("D")
    host.c.watch(slot, d)
    host.c.clear("D", slot)
    assert host.run("d['a'] = 1", {"d": d}) == []
    assert host.c.add("D") == slot  # which never watched d
    assert host.run("d['a'] = 2", {"d": d}) == [("MODIFIED", "a", 2, 1)]
    host.c.unwatch(slot, d)
    host.c.clear("D", slot)


def test_a_cleared_type_watcher_leaves_its_mark_on_types_too(host):
    cls, slot = type("K", (), {}), host.c.add("T")
    host.c.watch(slot, cls)
    host.c.clear("T", slot)
    assert host.run("K.x = 1", {"K": cls}, "T") == []
    assert host.c.add("T") == slot
    host.c.assign_version_tag(cls)
    assert [entry[:2] for entry in host.run("K.x = 2", {"K": cls}, "T")] == [("TYPE", "K")]
    host.c.unwatch(slot, cls)
    host.c.clear("T", slot)


def test_slots_that_nobody_has_are_refused(host):
    free = host.c.add("D")
    host.c.clear("D", free)
    for slot, message in ((free, "No dict watcher set for ID"), (-1, "Invalid dict watcher ID"), (8, "Invalid")):
        with pytest.raises(ValueError, match=message):
            host.c.watch(slot, {})


def test_all_watchers_of_a_dict_are_called_in_the_order_of_their_slots(host):
    second = host.c.add("D")
    d = host.watch({})
    host.c.watch(second, d)
    assert host.run("d['a'] = 1", {"d": d}) == [("ADDED", "a", 1, NULL)] * 2
    host.c.unwatch(second, d)
    assert host.run("d['a'] = 2", {"d": d}) == [("MODIFIED", "a", 2, 1)]
    host.c.clear("D", second)


CHANGES = {"ADDED": "d['b'] = 1", "MODIFIED": "d['a'] = 1", "DELETED": "del d['a']", "CLEARED": "d.clear()"}


@pytest.mark.parametrize("change", CHANGES)
def test_watching_or_unwatching_a_dict_in_its_own_callback_is_undone_on_3_12(host, change):
    for deed in ("watch", "unwatch"):
        bad = host.c.add_bad(deed, host.slots["D"])
        d = {"a": 0}
        host.c.watch(bad, d)
        if deed == "unwatch":
            host.watch(d)
        host.run(CHANGES[change], {"d": d})
        host.c.unwatch(bad, d)
        host.c.clear("D", bad)
        is_watched = host.run("d['new'] = 1", {"d": d}) == [("ADDED", "new", 1, NULL)]
        assert is_watched is ((deed == "watch") != HOST.watch_in_own_callback_is_undone), deed
        host.unwatch(d)


def test_a_callback_that_sets_the_key_that_is_being_added_makes_it_twice(fresh_process):
    answer = fresh_process("""
d = {"a": 0}
hostwatch.watch(hostwatch.add_bad("set the same key"), d)
d["b"] = 1
print(list(d))
""")
    assert (answer.stdout, answer.returncode) == ("['a', 'b', 'b']\n", 0)


def run_with_failing_callback(fresh_process, deed):
    return fresh_process(f"""
import sys
sys.unraisablehook = lambda problem: print("unraisable", problem.exc_value)
d = {{"a": 0}}
slot = hostwatch.add_bad({deed!r})
hostwatch.watch(slot, d)
try:
    hostwatch.set_item(d, "b", 1)
except SystemError as error:
    print("SystemError")
hostwatch.unwatch(slot, d)
print(d, flush=True)
""")


def test_a_callback_that_fails_with_an_exception_is_unraisable_and_the_write_happens(fresh_process):
    answer = run_with_failing_callback(fresh_process, "fail")
    assert (answer.stdout, answer.returncode) == ("unraisable from the callback\n{'a': 0, 'b': 1}\n", 0)


def test_a_callback_that_fails_without_an_exception_may_kill_the_process(fresh_process):
    answer = run_with_failing_callback(fresh_process, "fail without an exception")
    expected = HOST.bare_failure_debug if IS_DEBUG else HOST.bare_failure
    assert ("tolerated" if answer.returncode == 0 else "killed") == expected, answer


def test_a_callback_that_succeeds_with_an_exception_spoils_what_comes_next(fresh_process):
    answer = run_with_failing_callback(fresh_process, "succeed with an exception")
    if IS_DEBUG:
        assert answer.returncode < 0, answer
    else:
        assert answer.stdout == "SystemError\n{'a': 0, 'b': 1}\n", answer


def test_callbacks_are_called_hundreds_of_times_after_finalization_has_begun(fresh_process):
    answer = fresh_process("""
import json, enum
from watching import Watching
host = Watching(hostwatch)
host.watch(globals(), vars(json), vars(enum), *(hostwatch.type_dict(cls) for cls in (json.JSONEncoder, enum.Enum)))
host.watch(json.JSONEncoder)
hostwatch.tell_late_events()
""")
    assert answer.returncode == 0, answer
    late = dict(part.split("=") for part in answer.stdout.split()[1:])
    assert int(late["D"]) > 0
    assert min(int(late["F"]), int(late["C"])) > 100
    assert int(late["T"]) == (2 if HOST.type_event_at_dealloc else 1)  # of the class, which is freed


def test_a_forked_child_keeps_the_watchers(fresh_process):
    answer = fresh_process("""
import os
from watching import Watching
host = Watching(hostwatch)
d = host.watch({})
if (child := os.fork()) == 0:
    log = host.run("d['a'] = 1", {"d": d})
    os._exit(0 if log == [("ADDED", "a", 1, ...)] else 1)
print(os.waitpid(child, 0)[1])
""")
    assert (answer.stderr, answer.stdout) == ("", "0\n")
