"""What the tests of the C API share. `c` is always the module of capi_user.c."""

CODE, DEFAULTS, KWDEFAULTS, EXISTENCE, NOT_APPLICABLE = range(5)  # depwatch_part
OBJECT, F64, I64 = range(3)  # depwatch_cell_kind
OLD, NEW = object(), object()


def frozen(c, mapping, *names):
    """A recorder that has read these keys."""
    recorder = c.recorder_new("frozen")
    for name in names:
        assert c.read(recorder, c.facet_of_key(mapping, name)) == (mapping[name],)
    return recorder
