"""Where JITs are known to run stale code: SYSTEM PROGRAM; prints what a hot loop answers before and after a change."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

RIGHT = "old new new new"  # what plain Python prints
SLOT = "class C:\n __slots__ = ('v',)\n def __init__(self): self.v = 'old'"
PROPERTY = "class C:\n @property\n def v(self): return 'old'"
VALUE = "class C:\n def __init__(self): self.v = 'old'"
METHOD = "class C:\n def m(self): return 'old'"
INHERITED = "class B:\n def m(self): return 'old'\nclass A:\n def m(self): return 'new'\nclass C(B): pass"
NEW_PROPERTY = "C.v = property(lambda self: 'new')"
NEW_METHOD = "C.m = lambda self: 'new'"
# what is defined; what the loop evaluates, o a global; the change; the attribute of C that the loop relies on
PROGRAMS = {
    "a property replaces a slot": (SLOT, "o.v", NEW_PROPERTY, "v"),
    "a property replaces a property": (PROPERTY, "o.v", NEW_PROPERTY, "v"),
    "a property shadows an instance's value": (VALUE, "o.v", NEW_PROPERTY, "v"),
    "a method is replaced": (METHOD, "o.m()", NEW_METHOD, "m"),
    "a subclass overrides a method": (INHERITED, "o.m()", NEW_METHOD, "m"),
    "other bases bring another method": (INHERITED, "o.m()", "C.__bases__ = (A,)", "m"),
}
HOT = 20_000


def compiled_by_cinderx(space: dict[str, Any], attribute: str) -> Callable[[int], str]:
    import cinderx.jit as jit

    use: Callable[[int], str] = space["use"]
    for _ in range(200):
        use(2)
    if not jit.force_compile(use):
        raise RuntimeError("CinderX does not compile the loop")
    return use


def optimized_with_depwatch(space: dict[str, Any], attribute: str) -> Callable[[int], str]:
    """The loop's answer is compiled in, on the assumptions that an optimizer would have; without them, plain Python."""
    import depwatch

    recorder = depwatch.Recorder("use")
    recorder.read_global(space, "o")
    try:
        recorder.read_type_attr(space["C"], attribute)
    except AttributeError:  # the instance's own. That its class has none is no facet: rely on all of the class
        recorder.depend_on(space["C"])
    answer = space["use"](1)
    handle = recorder.commit(lambda n: answer)
    return lambda n: handle.artifact(n) if handle.valid else space["use"](n)


def main() -> None:
    system, program = sys.argv[1:]
    source, expression, change, attribute = PROGRAMS[program]
    space: dict[str, Any] = {}
    loop = f"def use(n):\n result = None\n for _ in range(n): result = {expression}\n return result"
    exec(f"{source}\no = C()\n{loop}", space)
    use: Callable[[int], str] = space["use"]
    if system == "cinderx":
        use = compiled_by_cinderx(space, attribute)
    elif system == "depwatch":
        use = optimized_with_depwatch(space, attribute)
    before = use(HOT)
    exec(change, space)
    print(before, use(1), use(HOT), use(HOT))


if __name__ == "__main__":
    main()
