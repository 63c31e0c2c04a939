"""The C API, as a native optimizer calls it."""

from scenarios import scenario

import depwatch
from support import namespace, seen_in

CODE = 0  # depwatch_part
OBJECT, F64, I64 = range(3)  # depwatch_cell_kind


def frozen(c, mapping, *names):
    """A recorder that has read these keys."""
    recorder = c.recorder_new("frozen")
    for name in names:
        assert c.read(recorder, c.facet_of_key(mapping, name)) == (mapping[name],)
    return recorder


@scenario
def facets_are_asked_for(stage):
    c, mapping = stage.c, {"X": stage.value()}

    class Class:
        x = 1

    function = seen_in(namespace(X=1))
    kept = []
    for call in (
        lambda: c.facet_of_key(mapping, "X"),
        lambda: c.facet_of_global(function, "X"),
        lambda: c.facet_of_attribute(Class, "x"),
        lambda: c.facet_of_function(function, CODE),
        lambda: c.facet_of_object(mapping),
    ):
        kept.append((yield call))
        assert (yield lambda: c.facet_id(kept[-1])) == c.facet_id(kept[-1])
    number = yield lambda: c.id_of(mapping)
    assert number == depwatch.id_of(mapping)


@scenario
def native_code_is_committed(stage):
    c, mapping = stage.c, {"X": stage.value(), "Y": 1}
    value = mapping["X"]
    made = []

    def compile_it():
        recorder = c.recorder_new("native")
        assert c.read(recorder, c.facet_of_key(mapping, "X")) == (value,)
        assert c.read(recorder, c.facet_of_key(mapping, "Z")) == ()
        assert c.reads(recorder) == 1
        made.append(c.commit(recorder))

    yield compile_it
    assert len(made) == 1
    assert (yield lambda: c.broken(made[0])) == 0
    mapping["X"] = 1
    assert c.broken(made[0]) == 1
    yield lambda: c.retire(made[0])
    yield lambda: c.release(made[0])

    def refuse():
        try:
            c.broken(made[0])
        except depwatch.Released:
            return "refused"

    assert (yield refuse) == "refused"


@scenario
def much_native_code_is_committed(stage):
    c, mapping = stage.c, {"X": 1}
    offsets, reads = b"".join(i.to_bytes(8, "little") for i in range(101)), (0).to_bytes(4, "little") * 100
    made = []

    def compile_it():
        recorder = frozen(c, mapping, "X")
        made.append(c.commit_many(recorder, offsets, reads))

    yield compile_it
    (handles,) = made
    mapping["X"] = 2
    assert [c.broken(each) for each in handles] == [1] * 100
    stage.finally_do(lambda: [c.release(each) for each in handles])


@scenario
def stale_native_code_is_refused(stage):
    c, mapping = stage.c, {"X": 1}

    def refuse(commit):
        mapping["X"] = 1
        recorder = frozen(c, mapping, "X")
        mapping["X"] = 2
        try:
            commit(recorder)
        except depwatch.Stale:
            return "refused"

    zero = (0).to_bytes(8, "little")
    assert (yield lambda: refuse(c.commit)) == "refused"
    assert (
        yield lambda: refuse(lambda recorder: c.commit_many(recorder, zero + (1).to_bytes(8, "little"), zero[:4]))
    ) == "refused"


@scenario
def wrong_arguments_of_native_code_are_refused(stage):
    c, mapping = stage.c, {"X": 1}
    recorder = frozen(c, mapping, "X")
    depwatch_recorder = depwatch.Recorder("with cells")
    depwatch_recorder.guard_cell(seen_in(namespace(X=1)), "X")
    facet = c.facet_of_key(mapping, "X")
    zero, one = (0).to_bytes(8, "little"), (1).to_bytes(8, "little")

    def refuse(call, *arguments):
        try:
            call(*arguments)
        except (TypeError, ValueError, KeyError, depwatch.DepwatchError) as error:
            return type(error).__name__

    for call in (
        (c.commit, depwatch_recorder),
        (c.commit, 5),
        (c.read, recorder, 5),
        (c.commit_many, recorder, one + one, b""),
        (c.commit_many, recorder, zero + one + zero, b""),
        (c.commit_many, recorder, zero + one, b"\7\0\0\0"),
        (c.value_cell, facet, 17),
        (c.value_cell, c.facet_of_key(mapping, "no"), I64),
        (c.value_cell, c.facet_of_object(mapping), I64),
        (c.guard_cell, recorder, c.facet_of_key(mapping, "no")),
        (c.load, 5, I64),
        (c.label_guard, 5),
        (c.unlisten, 5),
        (c.listen_null, 0, facet, 0, None),
        (c.release, 12345),
    ):
        assert (yield lambda call=call: refuse(*call)) is not None


@scenario
def native_cells_are_made(stage):
    c, mapping = stage.c, {"X": 1, "F": 1.5, "O": stage.value()}
    recorder = c.recorder_new("cells")
    cells = []
    for name, kind in (("X", I64), ("F", F64), ("O", OBJECT)):
        facet = c.facet_of_key(mapping, name)
        cells.append((yield lambda facet=facet, kind=kind: c.value_cell(facet, kind)))
        assert c.load(cells[-1], kind) == mapping[name]
    cell, value = yield lambda: c.guard_cell(recorder, c.facet_of_key(mapping, "O"))
    assert c.guard(cell) == 1 and value is mapping["O"]
    mapping["O"] = 1
    assert c.guard(cell) == 0
    for each in (cell, *cells):
        yield lambda each=each: c.cell_release(each)


@scenario
def a_native_label_is_made(stage):
    c, mapping = stage.c, {"X": stage.value()}
    address = c.emit(False)
    recorder = c.recorder_new("label")
    label, _ = yield lambda: c.jump_label(recorder, c.facet_of_key(mapping, "X"), address, address + 16)
    mapping["X"] = 1
    assert c.call(address) == 2
    yield lambda: c.label_release(label)

    def refuse():
        try:
            c.label_guard(label)
        except depwatch.Released:
            return "refused"

    assert (yield refuse) == "refused"


@scenario
def native_listeners_listen(stage):
    c, mapping = stage.c, {"X": 1, "Y": 1}
    facet = c.facet_of_key(mapping, "X")
    kept = [(yield lambda: c.listen(facet))]
    mapping["X"] = 2
    assert len(c.told()) == 1
    kept.append((yield lambda: c.listen_functions("no file")))
    exec("def mine(): pass", {})
    kept.append((yield lambda: c.listen_created((lambda: None).__code__)))
    c.told()
    for each in kept:
        yield lambda each=each: c.unlisten(each)
    mapping["X"] = 3
    assert c.told() == []


@scenario
def native_listeners_of_handles_listen(stage):
    c, names = stage.c, [f"N{i}" for i in range(70)]
    mapping = dict.fromkeys(names, 1)
    handles = [c.commit(frozen(c, mapping, name, names[(number + 1) % 70])) for number, name in enumerate(names)]
    kept = []

    def listen():
        while len(kept) < 70:
            kept.append(c.listen_handle(handles[len(kept)], 1))

    yield listen
    mapping["N5"] = 2
    assert sorted(told[1] for told in c.told_of_handles()) == sorted([handles[4], handles[5]])
    for each in kept:
        c.unlisten(each)
    for handle in handles:
        c.release(handle)


@scenario
def native_handles_with_listeners_are_purged(stage):
    c, mapping = stage.c, {"X": 1}
    handles = [c.commit(frozen(c, mapping, "X")) for _ in range(8)]
    kept = [c.listen_handle(handle, 1) for handle in handles]
    mapping["X"] = 2
    for handle in handles:
        c.release(handle)
    c.told_of_handles()
    yield c.drain
    assert kept


@scenario
def the_capsule_is_asked_for(stage):
    yield stage.c.import_again
