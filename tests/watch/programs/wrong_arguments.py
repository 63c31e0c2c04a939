from slots import Plain, check, recorder

import depwatch

for refused in (
    lambda: recorder.read_global(1, "x"),
    lambda: recorder.read_attr(Plain(), "x"),
    lambda: recorder.read_type_attr(int, "real"),
    lambda: recorder.depend_on(int),
    lambda: depwatch.id_of(3),
    lambda: depwatch.subscribe(3, {}),
    lambda: depwatch.dependents({}),
):
    try:
        refused()
    except (TypeError, depwatch.Unwatchable):
        pass
check(0, 0, 0, 0)
