"""The compiler's side: reading is recording, and committing can refuse."""

import types
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, Self, final

from depwatch import _core, naming
from depwatch._core import FacetReference, Fact, GuardCell, Handle, Handles, JumpLabel, ValueCell
from depwatch.discovery.reads import MISSING, Found, Read, is_same
from depwatch.errors import Stale, Unwatchable
from depwatch.refusing import note_commit, refusable
from depwatch.values import along_mro, brief, is_a

type Function = Callable[..., Any]  # a Python function, which is checked when it is called
type Undone = Literal["refuse", "allow"]
type CellKind = Literal["object", "f64", "i64", "bool"]
type Callback = Callable[[Handle], object]
CELL_KINDS: Final = ("object", "f64", "i64", "bool")
MAX_UNSTABLE_AFTER: Final = 65534  # breaks that a facet can count
NEVER: Final = MAX_UNSTABLE_AFTER + 1
REQUIRED: Final = object()  # in the place of a default that was not given


def _check_numbers(what: str, given: object, code: str) -> None:
    """Raises TypeError unless C can read `given` as an array of this typecode. numpy has other codes for the same
    type."""
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


def _allows(undone: object) -> bool:
    if type(undone) is not str or undone not in ("refuse", "allow"):
        raise ValueError(f'undone is {brief(undone)}; it must be "refuse" or "allow"')
    return undone == "allow"


def _exact_int(what: str, given: object) -> int:
    """The int, without calling a method of a subclass of int."""
    if not is_a(given, int):
        raise TypeError(f"{what} must be an int, not {brief(given)}")
    return int.__add__(given, 0)  # type: ignore[operator]


def _other_than_found(read: Read) -> Stale:
    return Stale(f"{read} is not what discover() found: discover again")


@final
class Recorder(_core.Assumptions):
    """Collects the assumptions of one piece of optimized code while it is compiled.

    name: for messages.
    unstable_after: the limit, from 1 to 65534, on how often one value may have changed. At the limit, reading it raises
    Unstable, and handles that rely on it are retired. None is for code that has no slower way to get at a value:
    reading never raises Unstable, and no number of breaks retires the handle.
    identity: whether an equal value that is another object counts as another value; for an optimizer that folds `is`.

    Without identity, two values are the same if they are the same object, or exact ints, floats or strs with the same
    bits: 0.0 and -0.0 differ, and so do 1 and True. A facet has one bit for all its handles, so identity=True also
    breaks the handles of other recorders that read this value; stats() counts these breaks ("identity_breaks").

    Every read costs a few microseconds and watches the facet until the recorder is committed, closed or dropped.
    Source: V8, CompilationDependencies.
    """

    __slots__ = ()

    def __init__(self, name: str, unstable_after: int | None = 6, *, identity: bool = False) -> None:
        if not is_a(name, str):
            raise TypeError(f"the name must be a str, not {brief(name)}")
        limit = NEVER if unstable_after is None else _exact_int("unstable_after", unstable_after)
        if unstable_after is not None and not 1 <= limit <= MAX_UNSTABLE_AFTER:
            raise ValueError(f"unstable_after is {limit}; it must be from 1 to {MAX_UNSTABLE_AFTER} breaks, or None")
        self.begin(str.__str__(name), limit, identity is True)

    def __enter__(self) -> Self:
        self.check()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @contextmanager
    def _assuming(self, *facets: FacetReference | None, absence: bool = False) -> Iterator[tuple[Any, ...]]:
        """Read the facets, on which the reads inside the `with` depend, and give the last value: (value,) or (). If one
        of these reads raises, take all back."""
        value: tuple[Any, ...] = ()
        recorded = []
        try:
            for facet in facets:
                if facet is not None:
                    value = self.read_facet(facet, absence)
                    recorded += [facet] if value or absence else []
            yield value
        except BaseException:
            for facet in reversed(recorded):
                self.forget(facet)
            raise

    @refusable
    def read(self, owner: Any, name: str | None = None, *, default: Any = REQUIRED) -> Any:
        """Return the present value of what (owner, name) means, and record the assumption that it stays.

        owner: a function (its global of that name, or a part: "__code__", "__defaults__", "__kwdefaults__"), a module
        or a class (its attribute), an exact dict (its item), or a Fact (without name). The same meaning is that of
        cells, subscribe() and dependents().
        default: what to return if the name is missing. Then the assumption is that it stays missing: defining it breaks
        the assumption, deleting it lets it hold again. Without default, a missing name raises NameError,
        AttributeError or KeyError, and nothing is recorded.
        Raises Unstable; Unwatchable, which says what cannot be seen; TypeError, ValueError.
        """
        if type(owner) is Fact:
            if name is not None:
                raise TypeError(f"a Fact has no names: leave out {brief(name)}")
            self.check()
            return self.read_facet(naming.fact_facet(owner))[0]
        word = naming.check_name(name)
        if is_a(owner, types.FunctionType):
            part = naming.PARTS_BY_ATTRIBUTE.get(word)
            if part is not None:
                return self.read_function(owner, part)[0]
            return self.read_global(owner, word, default=default)
        if is_a(owner, dict):
            return self._read_item(owner, word, default)
        if is_a(owner, type):
            return self.read_type_attr(owner, word, default=default)
        return self.read_attr(owner, word, default=default)

    def _read_item(self, owner: dict[str, Any], name: str, default: Any) -> Any:
        self.check()
        facet = naming.item_facet(owner, name)
        if value := self.read_facet(facet, default is not REQUIRED):
            return value[0]
        if default is REQUIRED:
            raise naming.missing(owner, name)
        return default

    @refusable
    def read_global(
        self, owner: Function | types.ModuleType | dict[str, Any], name: str, *, default: Any = REQUIRED
    ) -> Any:
        """Return the present value of a global, and record the assumption that it stays.

        owner: the function that loads the global (looked up in its globals, then in the builtins that it was made
        with), or a namespace: a module or a dict (looked up in its items, then in its "__builtins__", with the
        assumption that these stay the same, too). A namespace without "__builtins__" has no builtins: only exec() and
        eval() give it the usual ones. Globals of a function in a frozendict never change: reading one records nothing.
        default: as of read(). Raises NameError like Python; Unstable; Unwatchable; TypeError.
        """
        self.check()
        if constant := naming.constant_global(owner, naming.check_name(name)):
            return constant[0]
        absence = default is not REQUIRED
        with self._assuming(naming.builtins_facet(owner), absence=absence) as builtins:
            if value := self.read_facet(naming.global_facet(owner, name, builtins), absence):
                return value[0]
            if absence:
                return default
            raise NameError(f"name {name!r} is not defined", name=name)

    @refusable
    def read_attr(self, module: types.ModuleType, name: str, *, default: Any = REQUIRED) -> Any:
        """Return the present value of a module's attribute, and record the assumption that it stays.

        depwatch watches the key in the module's dict. It adds an audit hook at the first read of a module's attribute,
        because `module.__class__ = ...` must retire the handle. If the module's class is not ModuleType itself, the
        handle depends on the whole class, too, as by depend_on().
        default: as of read(); also no `__getattr__` may appear in the module.
        Raises AttributeError like Python; Unwatchable for anything but modules, and for a name that only the module's
        __getattr__ computes; Unstable.
        """
        self.check()
        naming.check_name(name)
        if not is_a(module, types.ModuleType):
            raise naming.no_attribute(module, name)
        with self._assuming(naming.whole_facet(type(module))):  # the class may get a property of that name
            facet = naming.module_facet(module, name)
            if value := self.read_facet(facet):
                return value[0]
            if default is REQUIRED:
                raise naming.no_module_attribute(module, name)
            naming.check_missing(module, name)
            with self._assuming(*naming.facets_of_absence(module, name), absence=True):
                if value := self.read_facet(facet, True):
                    return value[0]
            return default

    @refusable
    def read_type_attr(self, cls: type, name: str, *, default: Any = REQUIRED) -> Any:
        """Return what instances find along the MRO now, and record the assumption that it stays.

        The value is unbound, as inspect.getattr_static() returns it. Static types cannot change: reading one records
        nothing. default: as of read(). Raises AttributeError like Python; Unstable; Unwatchable; TypeError.
        """
        self.check()
        if not is_a(cls, type):
            raise naming.refused(cls, "class")
        facet = naming.attribute_facet(cls, name)
        absence = default is not REQUIRED
        if value := along_mro(cls, name) if facet is None else self.read_facet(facet, absence):
            return value[0]
        if absence:
            return default
        raise naming.missing(cls, name)

    @refusable
    def read_function(self, function: Function, *parts: str) -> tuple[Any, ...]:
        """Return these parts of a function, and record the assumption that they stay.

        parts: "code", "defaults", "kwdefaults", "existence". Returns one value for each; that of "existence" is the
        function itself. A change of the kwdefaults dict in place retires the handle.
        Raises TypeError, ValueError, Unstable, Unwatchable (for parts of which CPython reports no change).
        """
        self.check()
        if not parts:
            raise ValueError(f"no part is given: pass one or more of {', '.join(naming.FUNCTION_PARTS)}")
        return tuple(self.read_facet(naming.function_facet(function, part))[0] for part in parts)

    @refusable
    def read_all(self, found: Found) -> None:
        """Assume that all reads of what discover() found stay as they were found.

        Its cells, refused and opaque look-ups are the caller's to judge: nothing is recorded of them. A name that is
        not there (MISSING) is assumed to stay missing.
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
        try:
            same = is_same(self._value_of(read), read.value)
        except (NameError, KeyError, AttributeError):
            same = False
        if not same:
            raise _other_than_found(read)

    def _value_of(self, read: Read) -> Any:
        owner, name = read.owner, read.name
        default = MISSING if read.value is MISSING else REQUIRED
        match read.kind:
            case "global":
                return self.read_global(owner, name, default=default)
            case "module" if read.value is MISSING:  # discover() reads the __getattr__, too, that may compute it
                with self._assuming(naming.whole_facet(type(owner))):
                    value = self.read_facet(naming.module_facet(owner, name), True)
                    return value[0] if value else MISSING
            case "module":
                return self.read_attr(owner, name)
            case "class":
                return self.read_type_attr(owner, name, default=default)
            case "function":
                return self.read_facet(naming.function_facet(owner, name))[0]
            case "item":
                return self._read_item(owner, name, default)
        self.depend_on(owner)
        return read.look()  # whether it has the same items still

    @refusable
    def depend_on(self, obj: object) -> None:
        """Record the assumption that an object stays as it is: any change retires the handle for good.

        dict         its items; only of an exact dict, because CPython does not report what else a subclass has (order,
                     attributes)
        module       its dict
        type         attributes as found along the MRO, and the MRO; not __name__, __qualname__ and the metaclass. A
                     static type cannot change, so nothing is recorded
        function     code, defaults, kwdefaults and the items of that dict; not name, annotations, attributes and the
                     contents of closure cells
        code object  its existence; the handle also depends on the existence of the objects above

        Raises Unwatchable.
        """
        self.check()
        naming.check_whole(obj)
        facet = naming.whole_facet(obj)
        if facet is not None:
            self.read_facet(facet)

    def _cell_facet(self, owner: Any, name: str | None) -> FacetReference:
        """The facet of a cell. It must report every change of the value, because a cell depends on no other facet."""
        if type(owner) is Fact:
            return naming.fact_facet(owner)
        word = naming.check_name(name)
        facet = naming.named_facet(owner, word)
        if facet is None:
            raise Unwatchable(f"{brief(owner)} is immutable: {name!r} never changes and has no cell; use its value")
        if is_a(owner, types.FunctionType) and word in naming.PARTS_BY_ATTRIBUTE:
            raise Unwatchable(
                f"a cell of {facet.describe()}: no cell follows a part of a function; use read_function()"
            )
        if is_a(owner, types.ModuleType):
            naming.check_plain_class(owner, word)
        return facet

    @refusable
    def value_cell(self, owner: Any, name: str | None, kind: CellKind) -> ValueCell:
        """A word in memory that depwatch keeps equal to the value.

        A change of the value does not invalidate the handle. owner and name: as of read(), but no part of a function.
        kind: "object" (a borrowed PyObject*), "f64" (an exact float), "i64" (an exact int that fits into 64 bits) or
        "bool" (True or False as an int64: 1 or 0).
        All handles that ask for the same cell share it.
        Raises TypeError if the present value does not fit; for a missing name the same as read(); Unwatchable.
        """
        self.check()
        if kind not in CELL_KINDS:
            raise ValueError(f"{kind!r} is no kind of cell: pass one of {', '.join(CELL_KINDS)}")
        facet = self._cell_facet(owner, name)
        cell = self.new_value_cell(facet, kind)
        if cell is not None:
            return cell
        if not (now := facet.value()):
            raise naming.missing(owner, name)
        raise TypeError(f"{facet.describe()} is {brief(now[0])}, which does not fit a cell of kind {kind!r}")

    @refusable
    def guard_cell(self, owner: Any, name: str | None = None) -> GuardCell:
        """A byte in memory that becomes 0 the moment the value changes, and 1 again when the change is undone.

        A change of the value does not invalidate the handle: its code tests the byte. Raises like value_cell, and
        Unstable.
        """
        self.check()
        cell = self.new_guard_cell(self._cell_facet(owner, name))
        if cell is None:
            raise naming.missing(owner, name)
        return cell

    @refusable
    def jump_label(self, address: int, target: int, owner: Any, name: str | None = None) -> JumpLabel:
        """Patch native code: the 5-byte nop at address becomes a jump to target the moment the value changes.

        It becomes the nop again when the change is undone. The code may be running meanwhile, also in other threads.
        owner and name: as for guard_cell; a change of the value does not invalidate the handle. x86-64 Linux only: the
        page of the code is replaced by a copy that is mapped twice, once executable and once writable. The code must be
        in anonymous memory, with the label inside one aligned word of 8 bytes (.balign 8) and the target within 2^31
        bytes. It must stay mapped until the handle is released and drained.

        Cost: some 50 microseconds now, one store at each change, nothing while the value stays. Raises ValueError with
        the reason if the place cannot be patched; Unwatchable if the system forbids it; else like guard_cell.
        Source: Linux, Documentation/staging/static-keys.rst.
        """
        place = _exact_int("the address", address), _exact_int("the target", target)
        for what, number in zip(("address", "target"), place, strict=True):
            if not 0 < number < 2**64:
                raise ValueError(f"the {what} is {number:#x}; an address must be from 1 to 2**64 - 1")
        self.check()
        label = self.new_jump_label(self._cell_facet(owner, name), *place)
        if label is None:
            raise naming.missing(owner, name)
        return label

    @refusable
    def commit(
        self,
        artifact: Any = None,
        *,
        on_invalidate: Callback | None = None,
        on_resume: Callback | None = None,
        on_retire: Callback | None = None,
        undone: Undone = "refuse",
        owner: object = None,
    ) -> Handle:
        """Make the handle of the finished code, which is valid while every assumption holds.

        artifact: kept as handle.artifact. The drain calls the callbacks with the handle.
        undone: what to do if a value changed since it was read and changed back. "refuse" raises Stale, because a
        compiler that looks at the program by itself may have seen the other value; "allow" is for code that was made
        only from what this recorder returned.
        owner: an object with whose death the handle is released. It must not be reachable from the artifact or the
        callbacks, which the handle keeps alive.
        Raises Stale, which names the first facet that changed since it was read. Also then the recorder is closed:
        compile again with a new one. Raises TypeError, ValueError.
        """
        _check_callbacks(on_invalidate, on_resume, on_retire)
        handle = self.commit_one(artifact, on_invalidate, on_resume, on_retire, _allows(undone), owner)
        note_commit(self.name, self.recompiled)
        return handle

    @refusable
    def commit_many(
        self,
        offsets: array[int],
        reads: array[int],
        artifacts: Sequence[Any] | None = None,
        *,
        on_invalidate: Callback | None = None,
        on_resume: Callback | None = None,
        on_retire: Callback | None = None,
        undone: Undone = "refuse",
        owner: object = None,
    ) -> Handles:
        """Make the handles of many pieces of finished code at once, for optimizers that compile in batches.

        The i-th handle depends on the reads with the numbers reads[offsets[i]:offsets[i + 1]] (see Recorder.reads), in
        any order, also with repetitions. offsets: an array of uint64 ("Q"), with one item more than there are handles.
        reads: an array of uint32 ("I"). artifacts: one for each handle. The drain calls the callbacks with the handle
        concerned. The recorder stays open. These handles share the cells that were made since the last commit. undone
        and owner: as of commit(); a read that was undone is refused until it is read again.

        Cost: about 50 ns for each number in reads, against some microseconds for each commit(). Raises Stale, which
        names the first facet that changed since it was read; then no handle is made. Raises TypeError, and ValueError
        for arrays that do not fit together.
        """
        _check_callbacks(on_invalidate, on_resume, on_retire)
        _check_numbers("offsets", offsets, "Q")
        _check_numbers("reads", reads, "I")
        n = max(0, memoryview(offsets).nbytes // 8 - 1)
        if artifacts is not None and len(artifacts) != n:
            raise ValueError(f"there are {len(artifacts)} artifacts for {n} handles: pass one for each handle, or None")
        handles = self.commit_many_at_once(
            offsets, reads, artifacts, on_invalidate, on_resume, on_retire, _allows(undone), owner
        )
        note_commit(self.name, self.recompiled)
        return handles
