"""What the optimizer does between changes: read, compile, commit, drain, ask, release."""

from typing import Any

import depwatch
from fuzz import values
from fuzz.checks import reason_of
from fuzz.compiling import LIMITS, MAX_OPEN, Open
from fuzz.routes import route
from fuzz.targets import Whole
from fuzz.values import MISSING
from fuzz.world import NAMES


def absent(x: int, y: int) -> bool:
    """Whether a read relies on it, too, that the name is missing."""
    return (x >> 4) + y & 1 == 0


def undone(number: int) -> str:
    return "refuse" if number & 1 else "allow"


@route(24)
def compile_a_piece(m: Any, x: int, y: int, z: int) -> None:
    made = Open(LIMITS[z % len(LIMITS)])
    for number in range(1 + z % 3):
        target = m.optimizer.target(x + 5 * number, y + 29 * number)
        if z >= 176 and number == 0:
            m.optimizer.cell(made, target, z >> 2)
        else:
            m.optimizer.read(made, target, absent(x, y + number))
    m.optimizer.commit(made, undone(x))


@route(4)
def begin(m: Any, x: int, y: int, z: int) -> None:
    if len(m.optimizer.open) < MAX_OPEN:
        m.optimizer.open.append(Open(LIMITS[z % len(LIMITS)]))
    m.optimizer.read(m.optimizer.open[z % len(m.optimizer.open)], m.optimizer.target(x, y), absent(x, y))


@route(4)
def read_more(m: Any, x: int, y: int, z: int) -> None:
    if m.optimizer.open:
        into = m.optimizer.open[z % len(m.optimizer.open)]
        if z >= 160:
            m.optimizer.cell(into, m.optimizer.target(x, y), z)
        else:
            with m.meddling(z):
                m.optimizer.read(into, m.optimizer.target(x, y), absent(x, y))


@route(4)
def commit(m: Any, x: int, y: int, z: int) -> None:
    if m.optimizer.open:
        m.optimizer.commit(m.optimizer.open.pop(z % len(m.optimizer.open)), undone(x))


@route(4)
def commit_many(m: Any, x: int, y: int, z: int) -> None:
    """Several pieces at once, of reads that they share, in any order and some twice."""
    if not m.optimizer.open:
        return
    of = m.optimizer.open.pop(z % len(m.optimizer.open))
    reads = range(len(of.reads))
    chosen = [[read for read in reads if (x >> (3 * i + read) % 8) & 1] for i in range(y % 5)]
    if y & 64:
        chosen = [[*reversed(each), *each[:1]] for each in chosen]
    m.optimizer.commit_many(of, chosen, keep=y >= 128, undone=undone(y))


@route(1)
def release_many(m: Any, x: int, y: int, z: int) -> None:
    batches = [piece.batch for piece in m.optimizer.pieces if piece.batch is not None and not piece.batch.released]
    if batches:
        m.optimizer.release_batch(batches[z % len(batches)])


@route(5)
def install(m: Any, x: int, y: int, z: int) -> None:
    if m.optimizer.pieces:
        functions = m.world.functions
        m.entries.install(m.optimizer.pieces[z % len(m.optimizer.pieces)], functions[y % len(functions)])


@route(1)
def remove(m: Any, x: int, y: int, z: int) -> None:
    m.entries.remove(z)


@route(1)
def close(m: Any, x: int, y: int, z: int) -> None:
    if m.optimizer.open:
        m.optimizer.open.pop(z % len(m.optimizer.open)).recorder.close()


@route(40)
def drain(m: Any, x: int, y: int, z: int) -> None:
    with m.meddling(z):
        m.drain()


@route(1)
def release(m: Any, x: int, y: int, z: int) -> None:
    if m.optimizer.pieces:
        m.optimizer.release(m.optimizer.pieces[z % len(m.optimizer.pieces)])


@route(1)
def retire(m: Any, x: int, y: int, z: int) -> None:
    if m.optimizer.pieces:
        piece = m.optimizer.pieces.pop(z % len(m.optimizer.pieces))
        if not piece.handle.retire("by hand"):  # the drain before it has: the value that a broken one waits for died
            assert piece.byte == 255 or (piece.byte != 0 and " can never hold again" in reason_of(piece.handle))
        assert piece.handle.retired


@route(2)
def ask(m: Any, x: int, y: int, z: int) -> None:
    """Questions settle the state and change nothing."""
    if m.optimizer.pieces:
        piece = m.optimizer.pieces[z % len(m.optimizer.pieces)]
        depwatch.explain(piece.handle)
        dict_place = m.world.space(x).dict
        depwatch.dependents(dict_place)


@route(6)
def restore(m: Any, x: int, y: int, z: int) -> None:
    """Put back what a compiled piece has read: assumptions heal."""
    assumed = [each for piece in m.optimizer.pieces for each in piece.assumptions]
    if not assumed:
        return
    assumption = assumed[(x + 256 * y) % len(assumed)]
    if type(assumption.target) is not Whole:
        value = values.value_of(assumption.key)
        if assumption.key is MISSING:
            assumption.target.remove()
        elif value is not MISSING:
            assumption.target.put(value)


@route(2)
def tell_a_fact(m: Any, x: int, y: int, z: int) -> None:
    m.world.facts[x % len(m.world.facts)].set(m.world.value(z))


@route(1)
def listen(m: Any, x: int, y: int, z: int) -> None:
    """Listen to a name of a namespace or class; every second listener changes another when it is told."""
    owner = m.world.space(x).dict if x & 128 else m.world.classes[x % 8].item
    other = m.world.spaces[3 if x & 1 else 0]

    def told(event: depwatch.Event) -> None:
        m.count("told")
        if y & 64 and m.budget > 0 and other.dict is not None:
            m.budget -= 1
            other.dict[NAMES[z % 4]] = m.world.value(z)

    try:
        subscription = depwatch.subscribe(told, owner, NAMES[y % 4])
    except depwatch.Unwatchable:
        m.count("refused")
    else:
        m.world.closers.append(subscription.cancel)
