from beside import DICT, both, freeze

import depwatch

before, after = both(DICT)
assert before.slot < after.slot - 1  # depwatch's is between


def change(namespace):
    namespace["X"] = 2
    namespace["X"] = 1
    namespace["Z"] = 3
    del namespace["Z"]
    namespace.update(X=4, Y=5)
    namespace.clear()
    namespace.update({"X": 6})
    namespace["X"] = 1


source = {"X": 6}
in_full = [
    ("MODIFIED", "X", 2),
    ("MODIFIED", "X", 1),
    ("ADDED", "Z", 3),
    ("DELETED", "Z", None),
    ("MODIFIED", "X", 4),
    ("MODIFIED", "Y", 5),
    ("CLEARED", None, None),
    ("CLONED", source, None),
    ("MODIFIED", "X", 1),
]
for depended_on in (False, True, False):
    namespace = {"X": 1, "Y": 1}
    before.watch(namespace)
    handle = freeze(namespace, "X") if depended_on else None
    after.watch(namespace)
    change(namespace)
    assert before.taken() == in_full and after.taken() == in_full
    if handle is not None:
        breaks = depwatch.stats()["breaks"]
        depwatch.drain()
        assert breaks > 0 and handle.valid and handle.broken == 0
        handle.release()
        depwatch.drain()  # the namespace is depwatch's no more
    namespace["X"] = 7
    assert before.taken() == after.taken() == [("MODIFIED", "X", 7)]

    # Nor do they unwatch it for depwatch.
    handle = freeze(namespace, "X")
    before.unwatch(namespace)
    after.unwatch(namespace)
    namespace["X"] = 8
    assert before.taken() == after.taken() == []
    assert handle.broken == 1
    handle.release()
