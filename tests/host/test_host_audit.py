"""What the audit events say that no watcher says, and when a hook is not added; in processes of their own."""

import pytest

SETUP = """
import hostaudit, sys, types
class P: pass
class Q: pass
class R(P): pass
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
    ("K.__bases__ = (R,)", "K", "__bases__", "(R,)"),
    ("K.__bases__ = None", "K", "__bases__", "None"),
    ("type.__dict__['__bases__'].__set__(K, (R,))", "K", "__bases__", "(R,)"),
    ("K.__name__ = 'L'", "K", "__name__", "'L'"),
    ("f.__code__ = g.__code__", "f", "__code__", "g.__code__"),
    ("f.__defaults__ = (1,)", "f", "__defaults__", "(1,)"),
    ("f.__kwdefaults__ = {}", "f", "__kwdefaults__", "{}"),
]


@pytest.mark.parametrize("change", range(len(AUDITED)), ids=[a[0] for a in AUDITED])
def test_the_assignment_is_audited_before_it_happens(fresh_process, change):
    change, obj, attribute, value = AUDITED[change]
    answer = fresh_process(f"""{SETUP}
import contextlib
obj, value = {obj}, {value}
before = type(obj)
hostaudit.take()
with contextlib.suppress(TypeError):  # no such bases: audited all the same
    {change}
((hook, event, arguments, type_meanwhile),) = hostaudit.take()
assert (hook, event) == ("first", "object.__setattr__")
assert arguments[0] is obj and arguments[1:] == ({attribute!r}, value), arguments
assert type_meanwhile is before
assert {attribute!r} != "__class__" or type(obj) is value is not before
""")
    assert (answer.stderr, answer.returncode) == ("", 0)


REENTRANT = """
import hostwatch
class Meta(type):
    do = None
    def mro(cls):
        do, Meta.do = Meta.do, None
        if do is not None: do()
        return type.mro(cls)
class A: pass
class B(A): pass
class N1: pass
class N2: pass
class C(B, metaclass=Meta): pass
slot = hostwatch.add("D")
hostwatch.watch(slot, hostwatch.subclasses(A))
def inner(): B.__bases__ = (N1,)
def fail(): raise ZeroDivisionError
hostaudit.take()
hostwatch.take()
hostwatch.record(True)
"""


@pytest.mark.parametrize("what", ["inner", "fail"])
def test_bases_assigned_in_the_middle_or_put_back_send_no_event_but_that_audit(fresh_process, what):
    """CPython takes the class out of no table of subclasses. Here the audit events come before."""
    answer = fresh_process(f"""{SETUP}{REENTRANT}
Meta.do = {what}
try: B.__bases__ = (N2,)
except ZeroDivisionError: pass
hostwatch.record(False)
audited = [(args[0].__name__, args[1], args[2][0].__name__) for _, event, args, _ in hostaudit.take()
           if event == "object.__setattr__"]
print([entry[1] for entry in hostwatch.take()], audited, B.__bases__[0].__name__, B in A.__subclasses__())
""")
    assert answer.stderr == ""
    outer, inner = ("B", "__bases__", "N2"), ("B", "__bases__", "N1")
    expected = ([], [outer, inner], "N1", True) if what == "inner" else ([], [outer], "A", True)
    assert answer.stdout == " ".join(map(str, expected)) + "\n"


FRAMES = """
import sys
seen = []
def look(cls):
    frame = sys._getframe()
    while frame is not None and frame.f_code is not assign.__code__:
        frame = frame.f_back
    seen.append((frame.f_lasti if frame else None))
def assign():
    B.__bases__ = (N1,)
    return sys._getframe().f_lasti
"""


def test_the_frame_that_assigns_bases_stays_at_its_instruction_until_that_is_done(fresh_process):
    answer = fresh_process(f"""{SETUP}{REENTRANT}{FRAMES}
import dis
Meta.do = lambda: look(C)
after = assign()
(at,) = seen
print([i.opname for i in dis.get_instructions(assign) if i.offset == at], after > at)
""")
    assert (answer.stderr, answer.stdout) == ("", "['STORE_ATTR'] True\n")


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
