"""The graph of an index by itself: which handle depends on which facet, without objects. For replays and reports."""

import struct
import sys
import zlib
from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple, final

from pyroaring import BitMap

from depwatch import _core, notice
from depwatch.values import brief

MAX_NUMBER: Final = 2**31 - 65537  # of a handle or a facet, here and in the live index
_MAGIC: Final = b"DWGRAPH\x01"
_HEADER: Final = struct.Struct("<8sIIQQI")  # magic, handles, described facets, edges, bytes of names, CRC-32
_KINDS: Final = tuple(_core.KINDS)
_NAMED: Final = frozenset({"key", "global", "attribute"})


class FacetDescription(NamedTuple):
    """What a facet number stands for."""

    object_id: int  # as id_of() gave it when the snapshot was taken
    kind: str  # as in explain(): "key", "global", "attribute", "code", ...
    name: str | None  # of a key or an attribute


@final
class Graph:
    """Handles and the facets that they depend on, by number, exact in both directions; broken assumptions are counted.

    It has the live index's structures and their cost, but no object is watched: a replay says what happens. Numbers are
    from 0 to 2**31 - 65537; memory grows with the largest: 8 bytes for a facet, 9 for a handle, beside dependencies.
    """

    __slots__ = ("_edges", "_handles", "described")

    def __init__(self) -> None:
        self._edges: Final = _core.EdgeTable()
        self._handles: Final = BitMap()
        self.described: Final[dict[int, FacetDescription]] = {}  # by facet: what restore() knows of it

    def __repr__(self) -> str:
        return f"<Graph of {len(self._handles)} handles with {self._edges.n_edges} dependencies>"

    def __len__(self) -> int:
        """How many dependencies there are."""
        return self._edges.n_edges

    @property
    def handles(self) -> BitMap:
        """The handles that were added and not removed: a copy."""
        return self._handles.copy()

    def add(self, handles: Iterable[int], offsets: Iterable[int], facets: Iterable[int]) -> None:
        """Add handles at once: the i-th depends on facets[offsets[i]:offsets[i + 1]], in any order.

        handles: ascending, none of them there yet. Cost: about 50 ns a dependency; least for arrays of types "I", "Q"
        and "I", which are taken as they are. Raises ValueError, and then adds nothing.
        """
        numbers, ends, depended = _array("I", handles), _array("Q", offsets), _array("I", facets)
        for what, given in (("handles", numbers), ("facets", depended)):
            if len(given) and max(given) > MAX_NUMBER:
                raise ValueError(f"{what} has {max(given)}; the largest number is {MAX_NUMBER}")
        if there := self._handles & BitMap(numbers):
            raise ValueError(f"handle {there.min()} is there already; remove() it first")
        self._edges.reserve(max(depended, default=-1) + 1, max(numbers, default=-1) + 1)
        self._edges.add(numbers, ends, depended)
        self._handles.update(numbers)

    def remove(self, handles: Iterable[int]) -> None:
        """Remove handles with their dependencies; their counts are 0 again. Those that are not there are left out.

        Cost: about 100 ns a dependency, when there are many.
        """
        gone = self._handles & BitMap(handles)
        self._edges.remove(array("I", gone))
        self._handles.difference_update(gone)

    def dependents(self, *facets: int) -> BitMap:
        """The handles that depend on any of these facets. Cost: a few ns for each facet and dependency."""
        n = self._edges.n_facets
        return BitMap.deserialize(self._edges.dependents(array("I", [f for f in facets if 0 <= f < n])))

    def facets(self, handle: int) -> array[int]:
        """The facets that a handle depends on, ascending: an array of uint32. Raises KeyError."""
        self._check_handle(handle)
        return self._edges.facets(array("I", [handle]))[1]

    def breaks(self, facet: int) -> None:
        """The facet breaks: +1 broken assumption for each of its dependents."""
        if 0 <= facet < self._edges.n_facets:
            self._edges.breaks(facet)

    def mends(self, facet: int) -> None:
        """The facet holds again: one broken assumption less for each. Only after breaks(), with the same dependents."""
        if 0 <= facet < self._edges.n_facets:
            self._edges.mends(facet)

    def broken(self, handle: int) -> int:
        """How many assumptions of the handle are broken; 255: so many that it is retired. Raises KeyError."""
        self._check_handle(handle)
        return self._edges.byte(handle)

    def _check_handle(self, handle: int) -> None:
        if handle not in self._handles:
            raise KeyError(f"no handle {handle!r}: it was not added, or was removed")

    def _check(self) -> None:
        """Whether both directions agree and every set is well made: raises AssertionError. For tests."""
        self._edges.check()

    def to_bytes(self) -> bytes:
        """The graph, for restore(). Not the counts of broken assumptions. 4 bytes a dependency, 12 a handle."""
        handles = array("I", self._handles)
        offsets, facets = self._edges.facets(handles)
        return _pack(handles, offsets, facets, self.described)


def snapshot() -> bytes:
    """The graph of the live index, for restore(): handles that may run or may resume, and what their facets stand for.

    Names and object IDs only, no values. 4 bytes a dependency, 12 a handle, about 20 a facet.
    """
    notice.drain()
    handles = array("I", [number for number, holder in enumerate(notice.kept) if holder is not None])
    offsets, facets = _core.facets_of_handles(handles)
    described = {}
    for facet in BitMap(facets):
        object_id, _, kind, name = _core.owner_of(facet)
        described[facet] = FacetDescription(object_id, kind, name)
    return _pack(handles, offsets, facets, described)


def restore(data: bytes) -> Graph:
    """The Graph that snapshot() or Graph.to_bytes() gave. Raises ValueError for other bytes, TypeError for all else."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"a snapshot is bytes, not {brief(data)}")
    view = memoryview(data).cast("B")
    if len(view) < _HEADER.size or bytes(view[: len(_MAGIC)]) != _MAGIC:
        raise ValueError(f"this is no snapshot of a graph: it must begin with {_MAGIC!r}")
    _, n_handles, n_described, n_edges, n_names, checksum = _HEADER.unpack_from(view)
    sizes = [("I", n_handles), ("Q", n_handles + 1), ("I", n_edges), ("I", n_described), ("I", n_described)]
    sizes += [("B", n_described), ("Q", n_described), ("B", n_names)]
    if len(view) != (expected := _HEADER.size + sum(array(code).itemsize * n for code, n in sizes)):
        raise ValueError(f"the snapshot has {len(view)} bytes; its header says {expected}: it was cut or changed")
    if zlib.crc32(view[_HEADER.size :]) != checksum:
        raise ValueError("the snapshot was changed: its checksum is another")
    arrays, start = [], _HEADER.size
    for code, n in sizes:
        piece = array(code)
        end = start + piece.itemsize * n
        piece.frombytes(view[start:end])
        arrays.append(_little_endian(piece))
        start = end
    handles, offsets, facets, numbers, objects, kinds, ends, names = arrays
    graph = Graph()
    graph.add(handles, offsets, facets)
    graph.described.update(_describe(numbers, objects, kinds, ends, names.tobytes()))
    return graph


def _describe(
    numbers: array[int], objects: array[int], kinds: array[int], ends: array[int], names: bytes
) -> Iterable[tuple[int, FacetDescription]]:
    start = 0
    for number, object_id, kind, end in zip(numbers, objects, kinds, ends, strict=True):
        if kind >= len(_KINDS) or not start <= end <= len(names):
            raise ValueError(f"facet {number} of the snapshot has kind {kind} and a name up to {end}: it was changed")
        # What cannot be decoded raises a ValueError, too.
        name = names[start:end].decode("utf-8", "surrogatepass") if _KINDS[kind] in _NAMED else None
        yield number, FacetDescription(object_id, _KINDS[kind], name)
        start = end


def _pack(
    handles: array[int], offsets: array[int], facets: array[int], described: dict[int, FacetDescription]
) -> bytes:
    names = bytearray()
    ends = array("Q")
    for description in described.values():
        names += (description.name or "").encode("utf-8", "surrogatepass")
        ends.append(len(names))
    pieces = [handles, offsets, facets, array("I", described)]
    pieces += [array("I", [description.object_id for description in described.values()])]
    pieces += [array("B", [_KINDS.index(description.kind) for description in described.values()]), ends]
    rest = b"".join([*(_little_endian(piece).tobytes() for piece in pieces), names])
    return _HEADER.pack(_MAGIC, len(handles), len(described), len(facets), len(names), zlib.crc32(rest)) + rest


def _little_endian(piece: array[int]) -> array[int]:
    if sys.byteorder == "big":
        piece = piece[:]
        piece.byteswap()
    return piece


def _array(code: str, numbers: Iterable[int]) -> array[int]:
    if isinstance(numbers, array) and numbers.typecode == code:
        return numbers
    try:
        return array(code, numbers)
    except OverflowError as error:
        raise ValueError(f"{error}; numbers are from 0 to {MAX_NUMBER}") from None
