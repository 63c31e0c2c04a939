"""What must be so after each step, before any drain, and after a drain."""

from typing import Any

import depwatch
from depwatch import _core
from fuzz import keys, labels, targets, values
from fuzz.compiling import Assumption, CellUse, Optimizer, Piece
from fuzz.targets import Attribute, FunctionPart, ModuleAttribute, Whole
from fuzz.values import GONE, MISSING
from fuzz.wrong import Wrong

RETIRED = 255
FITS = {
    "f64": lambda value: type(value) is float,
    "bool": lambda value: type(value) is bool,
    "i64": lambda value: type(value) is int and -(2**63) <= value < 2**63,
}


def byte_of(handle: depwatch.Handle) -> int:
    return handle.broken


def word_of(cell: Any) -> Any:
    return cell.value


def is_up(cell: Any) -> bool:
    return bool(cell.holds)


def reason_of(handle: depwatch.Handle) -> str:
    return handle.reason or ""


def check(optimizer: Optimizer, drained: bool) -> None:
    """Nothing valid is stale; cells are current or down; after a drain, what holds again is valid again."""
    step = optimizer.world.step
    for each in optimizer.open:
        for assumption in each.assumptions:
            assumption.fell = assumption.fell or not assumption.holds(step)
    for piece in list(optimizer.pieces):
        byte = byte_of(piece.handle)
        moved = [each for each in piece.assumptions if each.moved()]
        if byte == RETIRED:
            if drained:
                check_retired(optimizer, piece)
                optimizer.pieces.remove(piece)
            elif piece.byte == 0:
                fired(optimizer, piece, moved)
            piece.byte = byte
            continue
        broken = [each for each in piece.distinct if not each.holds(step)]
        if byte == 0 and broken:
            raise Wrong(f"stale: {broken[0].target!r} is not what was read, and the handle is valid")
        if drained and byte != len(broken):
            held = [repr(each.target) for each in piece.distinct if each.holds(step)]
            raise Wrong(
                f"after a drain {byte} assumptions are said to be broken; broken are "
                f"{[repr(each.target) for each in broken]}, holding {held}\n{depwatch.explain(piece.handle)}"
            )
        if byte != 0 and piece.byte == 0:
            fired(optimizer, piece, moved)
        elif byte == 0 and piece.byte != 0:
            optimizer.count("healed")
        piece.byte = byte
        for cell in piece.cells:
            optimizer.count("labels checked" if cell.kind == "label" else "cells checked")
            check_cell(optimizer, cell, drained)
    targets.forget_all()  # what was found lives as long as the program has it


def fired(optimizer: Optimizer, piece: Piece, moved: list[Assumption]) -> None:
    """It was valid before this step. Needless: what it relies on is what it was, and where it was."""
    optimizer.count("fired")
    step = optimizer.world.step
    if not all(each.holds(step) for each in piece.assumptions):
        return
    if optimizer.world.transient:
        optimizer.count("fired, changed and changed back")
    else:
        optimizer.count("fired, moved" if moved else "fired needlessly")


def is_lost(optimizer: Optimizer, key: Any) -> bool:
    """Whether depwatch may have given up waiting for the value to come back.

    A store by a key that may equal any name may have dropped the last reference to it.
    """
    taken = optimizer.world.taken
    return values.is_dead(key) or keys.Odd.made > 0 or any(values.same_key(key, each) for each in taken)


def check_cell(optimizer: Optimizer, use: CellUse, drained: bool) -> None:
    now = use.target.now(optimizer.world.step)
    restored = drained and use.may_recover()
    if use.kind == "label" and is_up(use.cell) != labels.runs_on(use.cell):
        raise Wrong(f"the code of the label of {use.target!r} goes another way than its guard says")
    if use.kind in ("guard", "label"):
        holds = now is not GONE and now is not MISSING and values.same(now, use.key)
        if is_up(use.cell) and not holds:
            raise Wrong(f"the {use.kind} of {use.target!r} is up, and the value is another")
        if restored and holds and not is_up(use.cell) and use.recordings == use.target.facet.recordings:
            if not is_lost(optimizer, use.key):
                raise Wrong(
                    f"after a drain the {use.kind} of {use.target!r} is down, and the value is the one that was read"
                )
        return
    word = word_of(use.cell)
    if word is depwatch.UNKNOWN:
        fits = FITS.get(use.kind, lambda value: not (value is MISSING or value is GONE or values.is_lazy(value)))
        if restored and fits(now) and use.target.watchable():
            raise Wrong(f"after a drain the {use.kind} cell of {use.target!r} is down, and {now!r} fits")
    elif not (word is now or (use.kind != "object" and values.same(now, values.key_of(word)))):
        raise Wrong(f"the {use.kind} cell of {use.target!r} holds {word!r}, and plain Python finds {now!r}")


# The core's words up to a colon, the longest first: one has the word of another in it.
REASONS = {
    words.partition(":")[0]: "class of the module" if cause == "class" else cause
    for cause, words in sorted(_core.REASONS.items(), key=lambda item: -len(item[1]))
}


def check_retired(optimizer: Optimizer, piece: Piece) -> None:
    """A handle is retired for a documented reason only, and that must be so."""
    reason = reason_of(piece.handle)
    cause = next((cause for words, cause in REASONS.items() if f" {words}" in reason.partition(":")[0]), None)
    # A name of the program could look like words of the reason; the reason's own words come last.
    optimizer.count(f"retired: {cause}")
    assumptions, step = piece.assumptions, optimizer.world.step
    match cause:
        case "changed":
            right = any(type(each.target) is Whole or type(each.target) is FunctionPart for each in assumptions)
        case "died":
            right = any(each.target.now(step) is GONE for each in assumptions)
        case "superseded":
            right = any(each.superseded() for each in assumptions)
        case "unstable":
            right = piece.limit < 65534
        case "lost":
            right = any(is_lost(optimizer, each.key) for each in assumptions if type(each.target) is not Whole)
        case "ambiguous":
            right = keys.Odd.made > 0
        case "class of the module":
            right = optimizer.world.module_classes > 0 and any(
                type(each.target) is ModuleAttribute for each in assumptions
            )
        case "bases":
            right = optimizer.world.mros > 0 and any(type(each.target) in (Attribute, Whole) for each in assumptions)
        case "unwatchable":
            right = True
        case _:
            right = False
    if not right:
        raise Wrong(
            f"retired without that reason: {reason!r}, relying on {[repr(each.target) for each in assumptions]}"
        )
