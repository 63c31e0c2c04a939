"""What the tests of the C API share. `c` is always the module of capi_user.c."""

import platform
import sys

CODE, DEFAULTS, KWDEFAULTS, EXISTENCE, NOT_APPLICABLE = range(5)  # depwatch_part
OBJECT, F64, I64, BOOL = range(4)  # depwatch_cell_kind
VALID, INVALID, RETIRED = range(3)  # depwatch_state
OLD, NEW = object(), object()
LABELS = platform.machine() == "x86_64" and sys.platform == "linux"  # jump labels are patched


def frozen(c, mapping, *names):
    """A recorder that has read these keys."""
    recorder = c.recorder_new("frozen")
    for name in names:
        assert c.read(recorder, c.facet_of_key(mapping, name)) == (mapping[name],)
    return recorder
