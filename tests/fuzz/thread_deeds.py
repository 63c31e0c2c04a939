"""What threads do to depwatch and to what it watches, each deed chosen by chance."""

import gc
import weakref
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from operator import getitem
from typing import Any

import depwatch
from depwatch import _core
from fuzz.thread_crew import Crew, Deed, Member
from fuzz.thread_lives import MISSING, NAMES, Bomb, Hearing, Life, Piece, Target, Told
from fuzz.wrong import Wrong
from support import at_once, same

MAX_PIECES = 12  # of a thread


class Callbacks:
    """Of one handle, in Python."""

    def __init__(self, crew: Crew) -> None:
        self.crew, self.retirements = crew, 0

    def changed(self, handle: depwatch.Handle) -> None:
        self.crew.act("a callback")

    def retired(self, handle: depwatch.Handle) -> None:
        try:
            self.retirements += 1
            if self.retirements > 1:
                raise Wrong(f"{handle} was retired {self.retirements} times")
            if not handle.retired or type(handle.reason) is not str:
                raise Wrong(f"{handle} was told to be retired for the reason {handle.reason!r}")
        except depwatch.Released:
            pass  # by another thread, after the call began
        except Wrong as error:
            self.crew.fail(error)
        self.crew.act("a callback")

    def by_name(self) -> dict[str, Any]:
        return {"on_invalidate": self.changed, "on_resume": self.changed, "on_retire": self.retired}


class Artifacts(list[str]):
    """A sequence that acts when it is asked."""

    crew: Crew

    def __getitem__(self, index: Any) -> Any:
        self.crew.act("artifacts")
        return super().__getitem__(index)


# --- compiling ------------------------------------------------------------------------------------------------------


def new_recorder(me: Member) -> depwatch.Recorder:
    return depwatch.Recorder("fuzz", me.chance.choice((None, None, 60_000, 6)))


def begun_recorder(me: Member) -> depwatch.Recorder:
    """One that has read something: its handle goes with that, if nobody releases it."""
    recorder = new_recorder(me)
    recorder.depend_on(me.lives[0].derived)
    return recorder


def callbacks(me: Member, single: bool) -> tuple[Told | None, dict[str, Any]]:
    chance = me.chance.random()
    if single and chance < 0.5:
        told = Told()
        return told, told.callbacks()
    return None, Callbacks(me.crew).by_name() if single and chance < 0.9 else {}


def publish(me: Member, life: Life, piece: Piece) -> None:
    for member in me.crew.members:
        if life in member.lives:
            member.pieces.append(piece)
            return
    piece.release()  # the life ended meanwhile


def take_cells(me: Member, recorder: depwatch.Recorder, life: Life) -> Iterator[tuple[Any, Target]]:
    for _ in range(me.chance.randrange(3)):
        name = me.chance.choice(NAMES)
        kind = {"F": "f64", "I": "i64"}.get(name, "object")
        try:
            if me.chance.random() < 0.5:
                yield recorder.guard_cell(life.function, name), Target(life, "global", name)
            else:
                yield recorder.value_cell(life.function, name, kind), Target(life, "global", name)
        except TypeError as error:  # such a value does not fit
            if "does not fit" not in str(error):
                raise


def commit(me: Member) -> None:
    life = me.some_life()
    recorder = new_recorder(me)
    reads = [(target, target.read(recorder, life)) for target in life.targets(4)]
    cells = list(take_cells(me, recorder, life))
    told, given = callbacks(me, single=True)
    handle = recorder.commit("artifact", **given)
    publish(me, life, Piece(lambda: handle, reads, cells, told))
    if me.chance.random() < 0.3:
        me.heat(handle)


def commit_many(me: Member) -> None:
    life = me.some_life()
    recorder = new_recorder(me)
    reads: list[tuple[Target, Any]] = []
    spans = []
    for target in life.targets(4):
        first = recorder.reads
        reads.append((target, target.read(recorder, life)))
        spans.append(range(first, recorder.reads))
    chosen = [sorted(me.chance.sample(range(len(reads)), me.chance.randint(1, len(reads)))) for _ in range(5)]
    offsets, numbers = array("Q", [0]), array("I")
    for each in chosen:
        for i in each:
            numbers.extend(spans[i])
        offsets.append(len(numbers))
    artifacts = Artifacts if me.chance.random() < 0.3 else list
    made = artifacts(f"artifact {i}" for i in range(len(chosen)))
    made_of: Any = made
    if artifacts is Artifacts:
        made_of.crew = me.crew
    _, given = callbacks(me, single=False)
    handles = recorder.commit_many(offsets, numbers, made, **given)
    for i, each in enumerate(chosen):
        publish(me, life, Piece(lambda i=i: handles[i], [reads[j] for j in each], [], None))  # type: ignore[misc]
    me.heat(handles)


def use_a_shared_recorder(me: Member) -> None:
    """Several threads read with it, and one ends it: all others are told so."""
    recorder = me.hot(depwatch.Recorder)
    if recorder is None:
        return me.heat(begun_recorder(me))
    life = me.some_life()
    for target in life.targets(2):
        target.read(recorder, life)
    match me.chance.randrange(6):
        case 0:
            recorder.close()
        case 1:
            me.heat(recorder.commit())
        case 2:
            n = recorder.reads
            me.heat(recorder.commit_many(array("Q", [0, n]), array("I", range(n))))
        case 3:
            recorder.value_cell(life.globals, "A", "object")


def install(me: Member) -> None:
    life = me.some_life()
    recorder = new_recorder(me)
    (code,) = recorder.read_function(life.function, "code")
    (name,) = code.co_names
    value = recorder.read_global(life.function, name)
    handle = recorder.commit()
    reads = [(Target(life, "code", "A"), code), (Target(life, "global", name), value)]
    publish(me, life, Piece(lambda: handle, reads, [], None))
    try:
        me.heat(depwatch.install(life.function, lambda x=0: value, handle))
    except ValueError as error:
        if "has an entry already" not in str(error):
            raise


def remove(me: Member) -> None:
    entry = me.hot(depwatch.Entry)
    if entry is not None and entry.remove() and (entry.installed or entry.active):
        raise Wrong(f"{entry} was removed")


# --- handles that others may have ended ------------------------------------------------------------------------------


def index(me: Member) -> None:
    handles = me.hot(depwatch.Handles)
    if handles is None:
        return
    ids = handles.ids
    i = me.chance.randrange(len(handles)) if len(handles) else None
    if i is None:
        return
    first, second = handles[i], handles[i - len(handles)]
    if first is not second or first.id != ids[i] or first.artifact not in (f"artifact {i}", None):
        raise Wrong(f"{handles}[{i}] is {first}, of {first.artifact!r}, and then {second}")
    if len(set(handles.broken_addresses)) != len(handles):
        raise Wrong(f"{handles} share bytes: {list(handles.broken_addresses)}")


def retire(me: Member) -> None:
    which = me.hot(depwatch.Handle, depwatch.Handles) if me.chance.random() < 0.7 else me.piece()
    if isinstance(which, Piece):
        which = which.handle()
    if which is not None:
        which.retire("enough")


def release(me: Member) -> None:
    which = me.hot(depwatch.Handle, depwatch.Handles) if me.chance.random() < 0.7 else me.piece()
    if which is not None:
        which.release()


def explain(me: Member) -> None:
    which = me.hot(depwatch.Handle) or me.piece()
    handle = which.handle() if isinstance(which, Piece) else which
    if handle is not None:
        text = depwatch.explain(handle)
        if not text.startswith(f"handle {handle.id} ("):
            raise Wrong(f"{handle} is explained as {text!r}")


def read_a_shared_handle(me: Member) -> None:
    handle = me.hot(depwatch.Handle)
    if handle is not None:
        repr(handle)
        handle.broken_address
        if handle.broken == 255 and not handle.retired:
            raise Wrong(f"{handle} was retired, and is not any more")


def blows(disputed: Any) -> list[Callable[[], object]]:
    """What several threads do to it at a time, each in one call; its end with a drain, nothing comes between."""

    def end(call: Callable[[], object]) -> Callable[[], None]:
        return partial(at_once, (call,), (depwatch.drain,))

    match disputed:
        case depwatch.Handle():
            retire = partial(disputed.retire, "enough")
            return [retire, retire, end(disputed.release), depwatch.drain, partial(depwatch.explain, disputed)]
        case depwatch.Handles():
            retire = partial(disputed.retire, "enough")
            questions = [partial(getitem, disputed, 0), partial(list, disputed), partial(getattr, disputed, "ids")]
            return [retire, end(disputed.release), *questions]
        case depwatch.Entry():
            retire = partial(disputed.handle.retire, "enough")
            return [retire, end(disputed.handle.release), disputed.remove, partial(repr, disputed)]
        case depwatch.Subscription():
            return [end(disputed.cancel), depwatch.drain]
        case depwatch.Recorder():
            read = partial(disputed.read_global, {"A": 1}, "A")
            return [read, read, disputed.commit, end(disputed.close)]
    return [depwatch.drain]


def fight(me: Member) -> None:
    """All who come at this time do it over the same thing, until it is gone."""
    disputed = me.crew.disputed
    if disputed is None or me.chance.random() < 0.1:
        disputed = me.hot(depwatch.Handle, depwatch.Handles, depwatch.Entry, depwatch.Subscription, depwatch.Recorder)
        if me.chance.random() < 0.7:
            disputed = begun_recorder(me).commit()
        me.crew.disputed = disputed
    for blow in me.chance.choices(blows(disputed), k=5):
        try:
            blow()
        except depwatch.DepwatchError:
            me.crew.disputed = None  # it is gone


def duel(me: Member) -> None:
    """The same over one handle after the other: one retires it while another gives it up, and others get its number."""
    crew = me.crew
    if not crew.ring:
        recorder = begun_recorder(me)
        crew.ring = list(recorder.commit_many(array("Q", range(21)), array("I", [0] * 20)))
    ring = crew.ring
    for retires in me.chance.choices((True, False), k=20):
        if not ring:
            return
        handle = ring[-1]
        try:
            if retires:
                handle.retire("enough")
            else:
                at_once((handle.release,), (depwatch.drain,))
        except depwatch.Released:
            if ring and ring[-1] is handle:
                ring.pop()


# --- questions to the index -------------------------------------------------------------------------------------------


def relying_on(me: Member, life: Life, *kinds: str, name: str | None = None) -> list[Piece]:
    pieces = [piece for member in me.crew.members for piece in member.pieces[:]]
    return [
        piece
        for piece in pieces
        if any(
            target.kind in kinds and name in (None, target.name) and target.life() is life for target, _ in piece.reads
        )
    ]


def is_live(piece: Piece) -> bool:
    """Neither released nor retired."""
    try:
        return not piece.handle().retired
    except depwatch.Released:
        return False


def dependents(me: Member) -> None:
    life = me.some_life()
    name = me.chance.choice(NAMES)
    pieces = relying_on(me, life, "global", name=name)
    found = depwatch.dependents(life.globals, name)
    for piece in pieces:
        if is_live(piece) and piece.handle().id not in found and is_live(piece):
            raise Wrong(f"{piece.handle()} relies on {name} and is not among {sorted(found)}")


def invalidate(me: Member) -> None:
    life = me.some_life()
    pieces = relying_on(me, life, "global", "whole")
    depwatch.invalidate([life.globals], "the shop is closed")
    for piece in pieces:
        if is_live(piece):
            raise Wrong(f"{piece.handle()} relies on what was invalidated")


def name_an_object(me: Member) -> None:
    life = me.some_life()
    for obj in (life.globals, life.derived, life.function):
        if depwatch.id_of(obj) != depwatch.id_of(obj):
            raise Wrong(f"the ID of {obj!r} does not stay")


def check_all_ids(me: Member) -> None:
    """A handle that is not released now was not when the list was made: then it had its ID, alone."""
    handles = [each for each in me.crew.hot[:] if type(each) is depwatch.Handle]
    for member in me.crew.members:
        for piece in member.pieces[:]:
            try:
                handles.append(piece.handle())
            except depwatch.Released:
                continue
    by_id: dict[int, depwatch.Handle] = {}
    for handle in handles:
        other = by_id.setdefault(handle.id, handle)
        if other is not handle and not other.released and not handle.released:
            raise Wrong(f"two live handles have one ID: {other} and {handle}")
        if other.released:
            by_id[handle.id] = handle


def check_the_index(me: Member) -> None:
    _core.check_index()


# --- the owner's ----------------------------------------------------------------------------------------------------


def change(me: Member) -> None:
    me.chance.choice(me.lives).change()


def check(me: Member) -> None:
    for life in me.lives:
        name = life.function.__code__.co_names[0]
        found, now = life.called(), life.globals.get(name, MISSING)
        if not same(found, now):
            raise Wrong(f"stale: a call of the function gives {found!r}, and {name} is {now!r}")
    for piece in me.pieces[:]:
        piece.check()
    for piece in me.pieces[:-MAX_PIECES]:
        me.pieces.remove(piece)
        try:
            if me.chance.random() < 0.7:
                piece.release()
        except depwatch.Released:
            continue


def subscribe(me: Member) -> None:
    if me.chance.random() < 0.5:
        me.hearings.append(Hearing(me.chance.choice(me.lives), me.chance.choice(NAMES)))
    else:
        crew = me.crew
        me.heat(depwatch.subscribe(lambda event: crew.act("a listener"), me.some_life().globals, *NAMES[:2]))


def cancel(me: Member) -> None:
    subscription = me.hot(depwatch.Subscription)
    if subscription is not None:
        subscription.cancel()
    if len(me.hearings) > 3:
        hearing = me.hearings.pop(0)
        hearing.check()
        hearing.subscription.cancel()
        told = len(hearing.told)
        hearing.life.change_global(hearing.name)
        depwatch.drain()
        if len(hearing.told) != told:
            raise Wrong(f"told of a change of {hearing.name} after cancel()")


def end_a_life(me: Member) -> None:
    i = me.chance.randrange(len(me.lives))
    for hearing in [hearing for hearing in me.hearings if hearing.life is me.lives[i]]:
        hearing.check()
        me.hearings.remove(hearing)
    me.lives[i] = me.new_life()


def leave_garbage(me: Member) -> None:
    crew = me.crew
    bomb = Bomb(crew.act, 0)
    cycle: list[Any] = [Bomb(crew.act, 0)]
    cycle.append(cycle)
    me.references = [*me.references[-5:], weakref.ref(bomb, lambda reference: crew.act("a weak reference"))]
    if me.chance.random() < 0.05:
        gc.collect()


def drain(me: Member) -> None:
    depwatch.drain()


def hear_functions(me: Member) -> None:
    depwatch.set_lifecycle_callback(lambda *told: None)
    depwatch.set_lifecycle_callback(None)


DEEDS: dict[Deed, int] = {
    change: 40, commit: 20, commit_many: 6, use_a_shared_recorder: 6, install: 3, remove: 2, index: 8, retire: 8,
    release: 14, explain: 3, read_a_shared_handle: 4, dependents: 3, invalidate: 1, name_an_object: 1,
    check_all_ids: 6, check_the_index: 1, check: 12, fight: 15, duel: 40, subscribe: 3, cancel: 3, end_a_life: 1,
    leave_garbage: 6, drain: 10, hear_functions: 1,
}  # fmt: skip
# In the middle of anything: in a signal handler, a destructor, a weak reference's callback, a collection, a key's hash.
ACTS: dict[Deed, int] = {
    drain: 6, release: 5, retire: 2, commit: 2, index: 2, use_a_shared_recorder: 1, remove: 1, explain: 1, fight: 3,
}  # fmt: skip
