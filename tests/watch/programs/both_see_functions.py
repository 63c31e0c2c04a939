from beside import AFTER, BEFORE, CODE, FUNCTION, Logging, both

import depwatch

functions, codes = both(FUNCTION), [Logging(CODE, BEFORE), Logging(CODE, AFTER)]
for depended_on in (False, True, False):
    namespace = {}
    exec("def make():\n    def made(): pass\n    return made\ndef new(): pass", namespace)
    made, new = namespace["make"](), namespace["new"]
    code, other_code = made.__code__, new.__code__
    for other in functions:
        other.watch(code)
        other.watch(other_code)
    for other in codes:
        other.watch(code)
    del code
    created = []
    if depended_on:
        recorder = depwatch.Recorder("function")
        recorder.read_function(made, "code", "defaults", "kwdefaults", "existence")
        recorder.depend_on(made.__code__)
        handle = recorder.commit()
        subscription = depwatch.subscribe_created(created.append, made.__code__)
    again = namespace["make"]()
    made.__defaults__ = (1,)
    made.__kwdefaults__ = None
    made.__code__ = other_code
    assert not depended_on or handle.broken == 2, handle.broken
    del made, again
    if depended_on:
        depwatch.drain()
        assert len(created) == 1 and handle.retired
        created.clear()
        handle.release()
        subscription.cancel()
        depwatch.drain()
    namespace.clear()
    in_full = [
        ("CREATE", None, None),
        ("DEFAULTS", None, (1,)),
        ("KWDEFAULTS", None, None),
        ("CODE", None, "new"),
        ("DESTROY", None, None),
        ("DESTROY", None, None),
    ]
    for other in functions:
        assert other.taken() == in_full
        other.unwatch(None)
    for other in codes:
        assert other.taken() == [("DESTROY", None, None)]
        other.unwatch(None)
    del new, other_code
