"""Section D of facts/host-contract.md: a sub-interpreter has watcher slots and events of its own."""

import pytest
from versions import IS_DEBUG


@pytest.fixture
def log_of_sub(fresh_process):
    """log_of_sub(source): what it prints in a sub-interpreter of a process whose main interpreter has watchers."""

    def log_of_sub(source):
        answer = fresh_process(f"""
import hostreact
from watching import Watching, module
host = Watching(hostwatch)  # its callbacks, and so its log, are those of the whole process
slots, d = host.slots, host.watch({{}})
hostwatch.record(True)
print(hostreact.run_in_subinterpreter(f'''
import gc, hostwatch
slots = {{slots}}
{source}
'''), flush=True)
d["main"] = 1
hostwatch.record(False)
print([entry[1:2] + entry[3:5] for entry in hostwatch.take() if entry[0] != "F" or entry[3] != "<module>"])
""")
        assert (answer.stderr, answer.returncode) == ("", 0), answer
        return answer.stdout.splitlines()

    return log_of_sub


def test_the_main_interpreter_s_slots_are_nobody_s_in_a_sub_interpreter(log_of_sub):
    said = log_of_sub("""
for obj, kind in (({{}}, "D"), (type("K", (), {{}}), "T")):
    try:
        hostwatch.watch(slots[kind], obj)
    except ValueError as refused:
        print(str(refused).replace(str(slots[kind]), "N"), flush=True)
""")
    assert said == ["No dict watcher set for ID N", "No type watcher set for ID N", "True", "[('ADDED', 'main', 1)]"]


def test_a_sub_interpreter_gives_the_same_slots_again(log_of_sub):
    said = log_of_sub("""
print({{kind: hostwatch.add(kind) for kind in "DTFC"}} == slots, flush=True)
""")
    assert said == ["True", "True", "[('ADDED', 'main', 1)]"]


def test_the_main_interpreter_hears_nothing_of_a_sub_interpreter(log_of_sub):
    said = log_of_sub("""
d = {{}}
d["sub"] = 1
class K: pass
K.x = 1
exec(compile("def f(): pass", "<host>", "exec"))
f.__defaults__ = (1,)
del f
""")
    assert said == ["True", "[('ADDED', 'main', 1)]"]


def test_a_sub_interpreter_s_own_watchers_hear_of_it_once(log_of_sub):
    said = log_of_sub("""
d = {{}}
hostwatch.watch(hostwatch.add("D"), d)
hostwatch.add("F")
d["sub"] = 1
exec(compile("def f(): pass", "<host>", "exec"))
del f
hostwatch.record(False)
del d
hostwatch.record(True)
""")
    assert said[0] == "True"
    log = eval(said[1], {"Ellipsis": ...})
    assert log == [("ADDED", "sub", 1), ("CREATE", "f", ...), ("DESTROY", "f", ...), ("ADDED", "main", 1)]


def test_a_sub_interpreter_s_class_is_watched_there(log_of_sub):
    said = log_of_sub("""
slot = hostwatch.add("T")
class K: pass
hostwatch.watch(slot, K)
K.x = 1
hostwatch.record(False)
del K
gc.collect()
hostwatch.record(True)
""")
    log = eval(said[1], {"Ellipsis": ...})
    assert (said[0], log) == ("True", [("TYPE", "K", ...), ("ADDED", "main", 1)])


MODIFIED_INT = """
import hostwatch, hostreact
hostwatch.watch(hostwatch.add("T"), int)
hostwatch.record(True)
hostreact.type_modified(int)
hostwatch.record(False)
print([entry[1] for entry in hostwatch.take() if entry[2] == id(int)], flush=True)
"""


@pytest.mark.parametrize("where", ["main", "sub"])
def test_a_modified_static_type_sends_its_event_in_any_interpreter(fresh_process, where):
    """Nobody may say so: debug builds check it."""
    in_sub = f"import hostreact; hostreact.run_in_subinterpreter({MODIFIED_INT!r})"
    answer = fresh_process(MODIFIED_INT if where == "main" else in_sub)
    if IS_DEBUG:
        assert answer.returncode < 0, answer
        assert "type_modified_unlocked: Assertion" in answer.stderr
    else:
        assert (answer.stdout, answer.returncode) == ("['TYPE']\n", 0), answer
