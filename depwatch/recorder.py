"""The compiler's side: reading is recording, and committing can refuse."""

import types
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, final

from depwatch import _core, naming
from depwatch._core import FacetReference, GuardCell, Handle, Handles, JumpLabel, ValueCell
from depwatch.discovery.reads import MISSING, Found, Read, is_same
from depwatch.errors import Stale, Unwatchable
from depwatch.values import along_mro, brief, is_a, name_of

type CellKind = Literal["object", "f64", "i64"]
type Callback = Callable[[Handle], object]
CELL_KINDS: Final = ("object", "f64", "i64")
MAX_UNSTABLE_AFTER: Final = 65535  # breaks that a facet can count
NEVER: Final = MAX_UNSTABLE_AFTER + 1


def _check_numbers(what: str, given: object, code: str) -> None:
    """Only a buffer of these can be read from C; numpy has the same under other codes."""
    try:
        numbers = memoryview(given)  # type: ignore[arg-type]
        fits = numbers.format in "LQIN" and (numbers.itemsize, numbers.ndim) == (array(code).itemsize, 1)
    except TypeError:
        fits = False
    if not fits:
        bits = 8 * array(code).itemsize
        raise TypeError(f"{what} must be an array of uint{bits}, array({code!r}), not {brief(given)}")


def _check_callbacks(*callbacks: Callback | None) -> None:
    for callback in callbacks:
        if callback is not None and not callable(callback):
            raise TypeError(f"a callback must be callable, not {brief(callback)}")


def _exact_int(what: str, given: object) -> int:
    """Without a method of a subclass."""
    if not is_a(given, int):
        raise TypeError(f"{what} must be an int, not {brief(given)}")
    return int.__add__(given, 0)  # type: ignore[operator]


def _other_than_found(read: Read) -> Stale:
    return Stale(f"{read} is not what discover() found: discover again")


@final
class Recorder(_core.Assumptions):
    """Collects the assumptions of one piece of optimized code while it is compiled.

    name: for messages. unstable_after: how many breaks (1 to 65535) of one facet it puts up with; reading a facet that
    broke more often raises Unstable, and a handle gives up a facet that comes to break that often. None: for code that
    has no slower way to get at a value: reading never raises Unstable, and after 65535 breaks of a facet each further
    one retires the handle. Every read costs a few microseconds and watches the facet until the recorder is committed,
    closed or dropped.

    The same value is the same object, or an exact int, float or str that is equal to the last bit: 0.0 and -0.0 differ,
    and so do 1 and True. identity=True, for an optimizer that folds `is`: an equal value that is another object is
    another value. A facet has one bit, so this is then so for all who rely on that value of it; stats() counts these
    breaks ("identity_breaks"), which are needless to the others.
    Source: V8, CompilationDependencies.
    """

    __slots__ = ()

    def __init__(self, name: str, unstable_after: int | None = 6, *, identity: bool = False) -> None:
        if not is_a(name, str):
            raise TypeError(f"the name must be a str, not {brief(name)}")
        limit = NEVER if unstable_after is None else _exact_int("unstable_after", unstable_after)
        if unstable_after is not None and not 1 <= limit <= MAX_UNSTABLE_AFTER:
            raise ValueError(f"unstable_after is {limit}; it must be from 1 to {MAX_UNSTABLE_AFTER} breaks")
        self.begin(str.__str__(name), limit, identity is True)

    @contextmanager
    def _assuming(self, facet: FacetReference | None) -> Iterator[tuple[Any, ...]]:
        """Read the facet: what is read inside rests on it. Where that fails, nothing does, and it is taken back."""
        value = () if facet is None else self.read_facet(facet)
        try:
            yield value
        except BaseException:
            if facet is not None and value:
                self.forget(facet)
            raise

    @contextmanager
    def _global(self, owner: Any, name: str) -> Iterator[FacetReference]:
        with self._assuming(naming.builtins_facet(owner)) as builtins:
            yield naming.global_facet(owner, name, builtins)

    @contextmanager
    def _module_attribute(self, module: types.ModuleType, name: str) -> Iterator[FacetReference]:
        with self._assuming(naming.whole_facet(type(module))):  # which may come to compute the attribute
            yield naming.module_facet(module, name)

    def read_global(self, owner: types.FunctionType | types.ModuleType | dict[str, Any], name: str) -> Any:
        """The value of a global now, with the assumption that it stays.

        owner: the function that loads it (its globals, then the builtins that it was made with), or a namespace, a
        module or a dict: its items, then its "__builtins__", with the assumption that these stay, too. A namespace that
        has no "__builtins__" has no builtins: only exec() and eval() give it the usual ones. A function's globals in a
        frozendict never change: reading them records nothing.
        Raises NameError like Python; Unstable; Unwatchable; TypeError.
        """
        self.check()
        if constant := naming.constant_global(owner, naming.check_name(name)):
            return constant[0]
        with self._global(owner, name) as facet:
            if value := self.read_facet(facet):
                return value[0]
            raise NameError(f"name {name!r} is not defined", name=name)

    def read_attr(self, module: types.ModuleType, name: str) -> Any:
        """The value of a module's attribute now, with the assumption that it stays.

        What is watched is the entry in the module's dict. `module.__class__ = ...` retires the handle: an audit hook is
        added at the first such read. Where the module's class is not ModuleType itself, the handle depends on the whole
        class too, as by depend_on().
        Raises AttributeError like Python; Unwatchable for anything but modules, and for a name that only the module's
        __getattr__ knows; Unstable.
        """
        self.check()
        naming.check_name(name)
        if not is_a(module, types.ModuleType):
            raise naming.no_attribute(module, name)
        with self._module_attribute(module, name) as facet:
            if value := self.read_facet(facet):
                return value[0]
            raise naming.no_module_attribute(module, name)

    def read_type_attr(self, cls: type, name: str) -> Any:
        """What instances find along the MRO now, unbound (like inspect.getattr_static), assumed to stay.

        Static types cannot change: reading them records nothing. Raises AttributeError like Python; Unstable;
        Unwatchable; TypeError.
        """
        self.check()
        if not is_a(cls, type):
            raise naming.refused(cls, "class")
        facet = naming.attribute_facet(cls, name)
        if value := along_mro(cls, name) if facet is None else self.read_facet(facet):
            return value[0]
        raise self._missing(cls, name)

    def read_function(self, function: types.FunctionType, *parts: str) -> tuple[Any, ...]:
        """These parts of a function now ("code", "defaults", "kwdefaults", "existence"), assumed to stay.

        One value a part; "existence" reads as the function itself. A change of the kwdefaults dict in place retires.
        Raises TypeError, ValueError, Unstable, Unwatchable (for what CPython does not report).
        """
        self.check()
        if not parts:
            raise ValueError(f"no part is named; there are {', '.join(naming.FUNCTION_PARTS)}")
        return tuple(self.read_facet(naming.function_facet(function, part))[0] for part in parts)

    def read_all(self, found: Found) -> None:
        """Assume that all reads of what discover() found stay as they were found.

        Its cells, refused and opaque look-ups are the caller's to judge: nothing is recorded of them. A name that is
        not there (MISSING) is assumed to stay away by depend_on() of the namespace or class that lacks it: any change
        of that retires the handle.
        Raises Stale if a value is another than what was found; Unstable; Unwatchable; TypeError.
        """
        self.check()
        if type(found) is not Found:
            raise TypeError(f"read_all() takes what discover() returns, not {brief(found)}")
        for read in found.reads:
            if read.facet is None or read.kind == "module" or read.value is MISSING:
                self._read_again(read)
                continue
            now = self.read_facet(read.facet)  # the very one that read_global() and read_type_attr() would ask for
            if not now or (now[0] is not read.value and not is_same(now[0], read.value)):
                raise _other_than_found(read)

    def _read_again(self, read: Read) -> None:
        if read.value is MISSING:
            for owner in read.owners():
                self.depend_on(owner)
            same = read.look() is MISSING
        else:
            try:
                same = is_same(self._value_of(read), read.value)
            except (NameError, AttributeError):
                same = False
        if not same:
            raise _other_than_found(read)

    def _value_of(self, read: Read) -> Any:
        owner, name = read.owner, read.name
        match read.kind:
            case "global":
                return self.read_global(owner, name)
            case "module":
                return self.read_attr(owner, name)
            case "class":
                return self.read_type_attr(owner, name)
            case "function":
                return self.read_facet(naming.function_facet(owner, name))[0]
            case "item":
                value = self.read_facet(_core.facet("key", owner, name))
                return value[0] if value else MISSING
        self.depend_on(owner)
        return owner

    def depend_on(self, obj: object) -> None:
        """Assume that an object stays as it is. No value could come back: any change retires the handle.

        dict         its items; only of an exact dict, as a subclass has more (order, attributes) that sends no event
        module       its dict
        type         what look-ups find in it: attributes along the MRO, and the MRO; not __name__, __qualname__ and the
                     metaclass. A static type cannot change, and nothing is recorded
        function     code, defaults, kwdefaults and what is in that dict; not name, annotations, attributes and what is
                     in closure cells
        code object  existence, as of each of these

        Raises Unwatchable.
        """
        self.check()
        naming.check_whole(obj)
        facet = naming.whole_facet(obj)
        if facet is not None:
            self.read_facet(facet)

    def _cell_facet(self, owner: Any, name: str) -> FacetReference:
        """One that tells of all that a cell may have to follow: a cell rests on no assumption beside it."""
        if is_a(owner, types.ModuleType):
            facet = naming.module_facet(owner, name)
            naming.check_plain_class(owner, name)
            return facet
        if is_a(owner, type):
            attribute = naming.attribute_facet(owner, name)
            if attribute is None:
                raise Unwatchable(f"{brief(owner)} is immutable: {name!r} never changes and needs no cell")
            return attribute
        if is_a(owner, types.FunctionType) or is_a(owner, dict):
            return naming.global_facet(owner, name, ())
        raise naming.no_attribute(owner, name)

    def _missing(self, owner: Any, name: str) -> Exception:
        if is_a(owner, types.FunctionType):
            return NameError(f"name {name!r} is not defined", name=name)
        if is_a(owner, dict):
            return naming.no_own_name(owner, name)
        if is_a(owner, types.ModuleType):
            return naming.no_module_attribute(owner, name)
        return AttributeError(f"type object {name_of(owner)!r} has no attribute {name!r}", name=name, obj=owner)

    def value_cell(self, owner: Any, name: str, kind: CellKind) -> ValueCell:
        """A word that depwatch keeps current: no assumption, a change is patched and invalidates nothing.

        owner: a function or dict (a global), a module or a type (an attribute). kind: "object" (a borrowed PyObject*),
        "f64" (an exact float) or "i64" (an exact int that fits). Shared by all handles that ask for the same.
        Of a dict, its own items only, as its "__builtins__" can be exchanged: for those pass a function.
        Raises TypeError if the value now does not fit; NameError or AttributeError like Python; Unwatchable.
        """
        self.check()
        if kind not in CELL_KINDS:
            raise ValueError(f"there is no kind of cell {kind!r}; there are {', '.join(CELL_KINDS)}")
        facet = self._cell_facet(owner, name)
        cell = self.new_value_cell(facet, kind)
        if cell is not None:
            return cell
        if not (now := facet.value()):
            raise self._missing(owner, name)
        raise TypeError(f"{facet.describe()} is {brief(now[0])}, which does not fit a cell of kind {kind!r}")

    def guard_cell(self, owner: Any, name: str) -> GuardCell:
        """A byte that turns 0 the moment the value changes, and 1 again when the change is undone.

        The facet is no assumption of the handle: the code tests the byte instead. Raises like value_cell, and Unstable.
        """
        self.check()
        cell = self.new_guard_cell(self._cell_facet(owner, name))
        if cell is None:
            raise self._missing(owner, name)
        return cell

    def jump_label(self, address: int, target: int, owner: Any, name: str) -> JumpLabel:
        """Patch native code: the 5-byte nop at address becomes a jump to target the moment the value changes.

        And the nop again when the change is undone. Right inside running code, in other threads too; free of cost while
        the value stays. owner and name as for guard_cell, and the facet is no assumption of the handle either.
        x86-64 Linux only, and opt-in: the page of the code is replaced by a copy that is mapped twice, once executable
        and once writable. Needs code in anonymous memory, linked, with the label inside one aligned word of 8 bytes
        (.balign 8) and the target within 2^31 bytes. The code must stay mapped until the handle is released and
        drained.

        Cost: some 50 microseconds now, one store at each change. Raises ValueError for a place that cannot be patched,
        saying why; Unwatchable where the system forbids it; else like guard_cell.
        Source: Linux, Documentation/staging/static-keys.rst.
        """
        place = _exact_int("the address", address), _exact_int("the target", target)
        for what, number in zip(("address", "target"), place, strict=True):
            if not 0 < number < 2**64:
                raise ValueError(f"the {what} is {number:#x}, which is no address")
        self.check()
        label = self.new_jump_label(self._cell_facet(owner, name), *place)
        if label is None:
            raise self._missing(owner, name)
        return label

    def commit(
        self,
        artifact: Any = None,
        *,
        on_invalidate: Callback | None = None,
        on_resume: Callback | None = None,
        on_retire: Callback | None = None,
    ) -> Handle:
        """The handle of the finished code: valid as long as every assumption holds.

        artifact is kept as handle.artifact. The callbacks get the handle, in the drain. Raises Stale, naming the first
        facet that is not as it was read; then nothing is kept, and the recorder can only be dropped.
        """
        _check_callbacks(on_invalidate, on_resume, on_retire)
        return self.commit_one(artifact, on_invalidate, on_resume, on_retire)

    def commit_many(
        self,
        offsets: array[int],
        reads: array[int],
        artifacts: Sequence[Any] | None = None,
        *,
        on_invalidate: Callback | None = None,
        on_resume: Callback | None = None,
        on_retire: Callback | None = None,
    ) -> Handles:
        """The handles of many pieces of finished code at once, for optimizers that compile in batches.

        The i-th depends on what was read as numbers reads[offsets[i]:offsets[i + 1]] (see `reads`), in any order; one
        may come twice. offsets: uint64 ("Q"), one more than there are handles; reads: uint32 ("I"). artifacts: one for
        each. The callbacks get the handle concerned. The recorder stays open; the cells asked for since the last commit
        are shared by these handles.

        Cost: about 50 ns for each number, against some microseconds for each commit(). Raises Stale, naming the first
        facet that is not as it was read: then no handle is made. Raises TypeError, and ValueError for arrays that do
        not fit together.
        """
        _check_callbacks(on_invalidate, on_resume, on_retire)
        _check_numbers("offsets", offsets, "Q")
        _check_numbers("reads", reads, "I")
        n = max(0, memoryview(offsets).nbytes // 8 - 1)
        if artifacts is not None and len(artifacts) != n:
            raise ValueError(f"there are {len(artifacts)} artifacts and {n} handles; give one for each, or none")
        return self.commit_many_at_once(offsets, reads, artifacts, on_invalidate, on_resume, on_retire)
