"""Cells: compiled code loads a scalar from a word that depwatch keeps current, instead of having its value built in.

The code knows the word by a name, which LLVM makes an address of when the code is loaded. So it can be stored.
"""

import functools
import types
from typing import Any, Final, Literal

from llvmlite import binding
from llvmlite import ir as llvm_ir
from numba.core import types as numba_types
from numba.extending import intrinsic

from depwatch import MISSING, UNKNOWN, Recorder, Unwatchable, ValueCell
from depwatch.integrations.numba.tags import name_of_cell
from depwatch.values import brief

# A load of one of these modules' numbers would cost more than it could ever gain: they are frozen, and still watched.
MODULES_OF_CONSTANTS: Final = ("math", "cmath", "numpy")
type Kind = Literal["bool", "f64", "i64"]
type Owner = types.FunctionType | types.ModuleType
INT64: Final = range(-(2**63), 2**63)


def kind_for(value: object) -> Kind | None:
    """The kind of cell that follows a value of this type, or None. By exact type, as compiled code has one type."""
    if type(value) is bool:
        return "bool"
    if type(value) is float:
        return "f64"
    return "i64" if type(value) is int and value in INT64 else None


class Cell:
    """One word that a piece of code loads."""

    __slots__ = ("kind", "name", "owner", "symbol", "word")

    def __init__(self, owner: Owner, name: str, kind: Kind, symbol: str, cell: ValueCell) -> None:
        self.owner: Final = owner
        self.name: Final = name
        self.kind: Final = kind
        self.symbol: Final = symbol  # the name of the word in compiled code
        self.word: Final = cell
        binding.add_symbol(symbol, cell.address)

    @property
    def type_name(self) -> str:
        return {"bool": "bool", "f64": "float", "i64": "int of 64 bits"}[self.kind]

    @property
    def holds(self) -> bool:
        """Whether the word is the value now: not while that is of another type, or gone."""
        return self.word.value is not UNKNOWN

    def now(self) -> str:
        """What the value is, in short words; also where the cell cannot follow it."""
        value = look(self.owner, self.name)
        return "gone" if value is MISSING else brief(value)


class Cells:
    """The cells of one piece of code. Their memory stays until close()."""

    def __init__(self, name: str) -> None:
        self._recorder: Final = Recorder(f"{name}: cells", None)
        self._by_place: Final[dict[tuple[int, str, str], Cell]] = {}
        self._handle: Any = None

    def __iter__(self) -> Any:
        return iter(self._by_place.values())

    def __len__(self) -> int:
        return len(self._by_place)

    def get(self, owner: Owner, name: str, value: object, symbol: str | None = None) -> Cell | None:
        """The cell for what is value now, by a name of its own if none is given; None if no cell can follow it."""
        kind = kind_for(value)
        if kind is None:
            return None
        if isinstance(owner, types.ModuleType) and vars(owner).get("__name__") in MODULES_OF_CONSTANTS:
            return None
        place = (id(owner), name, kind)
        if place not in self._by_place:
            try:
                cell = self._recorder.value_cell(owner, name, kind)
            except (Unwatchable, TypeError, NameError, KeyError, AttributeError):
                return None  # it is frozen instead, where it is looked at again
            self._by_place[place] = Cell(owner, name, kind, symbol or name_of_cell(), cell)
        return self._by_place[place]

    @property
    def committed(self) -> bool:
        return self._handle is not None

    def commit(self) -> None:
        self._handle = self._recorder.commit()

    def close(self) -> None:
        """Nothing runs the code any more."""
        self._recorder.close()
        if self._handle is not None and not self._handle.released:
            self._handle.release()


def look(owner: Owner, name: str) -> object:
    """What a name means now, or MISSING."""
    with Recorder("a look", None) as recorder:
        try:
            return recorder.read(owner, name, default=MISSING)
        except Unwatchable:
            return MISSING


@functools.cache
def load(symbol: str, kind: str, shared: bool) -> Any:
    """An intrinsic that loads the word of that name.

    shared: others may store meanwhile, so that no load may be saved. Where the GIL is held a change needs a call, and
    then LLVM loads again by itself.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if kind == "f64":
            word_type: Any = llvm_ir.DoubleType()
        else:
            word_type = llvm_ir.IntType(64)
        try:
            pointer = builder.module.get_global(symbol)
        except KeyError:
            pointer = llvm_ir.GlobalVariable(builder.module, word_type, symbol)
            pointer.linkage = "external"
        if shared:
            word = builder.load_atomic(pointer, ordering="monotonic", align=8, typ=word_type)
        else:
            word = builder.load(pointer, typ=word_type)
        if kind != "bool":
            return word
        return builder.icmp_unsigned("!=", word, llvm_ir.Constant(word_type, 0))

    result = {"f64": numba_types.float64, "i64": numba_types.int64, "bool": numba_types.boolean}[kind]

    def load_cell(typing_context: Any) -> Any:
        return result(), generate

    return intrinsic(load_cell)
