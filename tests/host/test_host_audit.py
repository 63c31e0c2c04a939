"""What the audit events say that no watcher says, and when a hook is not added; in processes of their own."""

import pytest

SETUP = """
import hostaudit, sys, types
class P: pass
class Q: pass
class Meta(type): pass
class OtherMeta(type): pass
class K(P, metaclass=Meta): __slots__ = ()
class Module(types.ModuleType): pass
def f(): pass
def g(): pass
o, m = P(), types.ModuleType("m")
hostaudit.add("first")
"""

# what is done, the first argument, the attribute, the new value: the event is sent before anything has changed
AUDITED = [
    ("o.__class__ = Q", "o", "__class__", "Q"),
    ("object.__setattr__(o, '__class__', Q)", "o", "__class__", "Q"),
    ("m.__class__ = Module", "m", "__class__", "Module"),
    ("K.__class__ = OtherMeta", "K", "__class__", "OtherMeta"),
    ("K.__name__ = 'L'", "K", "__name__", "'L'"),
    ("f.__code__ = g.__code__", "f", "__code__", "g.__code__"),
    ("f.__defaults__ = (1,)", "f", "__defaults__", "(1,)"),
    ("f.__kwdefaults__ = {}", "f", "__kwdefaults__", "{}"),
]


@pytest.mark.parametrize("change", range(len(AUDITED)), ids=[a[0] for a in AUDITED])
def test_the_assignment_is_audited_before_it_happens(fresh_process, change):
    change, obj, attribute, value = AUDITED[change]
    answer = fresh_process(f"""{SETUP}
obj, value = {obj}, {value}
before = type(obj)
hostaudit.take()
{change}
((hook, event, arguments, type_meanwhile),) = hostaudit.take()
assert (hook, event) == ("first", "object.__setattr__")
assert arguments[0] is obj and arguments[1:] == ({attribute!r}, value), arguments
assert type_meanwhile is before
assert {attribute!r} != "__class__" or type(obj) is value is not before
""")
    assert (answer.stderr, answer.returncode) == ("", 0)


UNAUDITED = ["o.x = 1", "K.x = 1", "m.x = 1", "o.__dict__ = {}", "f.x = 1", "vars(m)['y'] = 1"]


def test_ordinary_attributes_and_the_dict_of_an_instance_are_not_audited(fresh_process):
    answer = fresh_process(f"""{SETUP}
for change in {UNAUDITED}:
    exec(compile(change, "<host>", "exec"))
print(hostaudit.take())
""")
    assert (answer.stderr, answer.stdout) == ("", "[]\n")


def test_a_class_that_is_refused_has_been_audited_all_the_same(fresh_process):
    answer = fresh_process(f"""{SETUP}
try:
    hostaudit.take()
    o.__class__ = int
except TypeError:
    print([(event, arguments[1:]) for _, event, arguments, _ in hostaudit.take()], type(o) is P)
""")
    assert (answer.stderr, answer.stdout) == ("", "[('object.__setattr__', ('__class__', <class 'int'>))] True\n")


def test_a_hook_that_another_refuses_with_a_runtime_error_is_silently_not_added(fresh_process):
    answer = fresh_process(f"""{SETUP}
print(hostaudit.add_refusing(RuntimeError))
print(hostaudit.add("second"))  # 0: as if it had succeeded
sys.addaudithook(lambda event, arguments: print("never"))
hostaudit.take()
o.__class__ = Q
print([entry[:2] for entry in hostaudit.take()])
""")
    assert (answer.stderr, answer.stdout) == ("", "0\n0\n[('first', 'object.__setattr__')]\n")


def test_a_hook_that_another_refuses_with_another_exception_raises_it(fresh_process):
    answer = fresh_process(f"""{SETUP}
hostaudit.add_refusing(ValueError)
try:
    hostaudit.add("second")
except ValueError as refused:
    print(refused)
hostaudit.take()
o.__class__ = Q
print([entry[:2] for entry in hostaudit.take()])
""")
    assert (answer.stderr, answer.stdout) == ("", "no more hooks\n[('first', 'object.__setattr__')]\n")


def test_hooks_are_called_in_the_order_in_which_they_were_added(fresh_process):
    answer = fresh_process(f"""{SETUP}
print(hostaudit.add("second"))
hostaudit.take()
o.__class__ = Q
print([entry[:2] for entry in hostaudit.take()])
""")
    events = "[('first', 'object.__setattr__'), ('second', 'object.__setattr__')]"
    assert (answer.stderr, answer.stdout) == ("", f"0\n{events}\n")
