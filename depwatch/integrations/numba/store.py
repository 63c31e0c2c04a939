"""Store: code of watched functions on the disk, and with it what it rests on. It is taken only where all of that is so.

It stands in the place of numba's own cache of a dispatcher, which goes by the source file alone, and uses its folder.
"""

import contextlib
import enum
import hashlib
import io
import pickle
import re
import sys
import time
import types
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, override

import llvmlite
import numba
import numpy as np
from numba.core import config, serialize, sigutils
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target
from numba.core.types import Dispatcher as DispatcherType
from numba.core.types import Omitted

import depwatch
from depwatch.integrations.numba.blocks import Block, StoredBlock, block_from
from depwatch.integrations.numba.cells import Cell, Cells, look
from depwatch.integrations.numba.extensions import extensions
from depwatch.integrations.numba.folder import Entry, Folder
from depwatch.integrations.numba.function import Function, function_of
from depwatch.integrations.numba.left_out import is_asked_alike, own_defaults
from depwatch.integrations.numba.linked import enter_library
from depwatch.integrations.numba.plain import full_name, tell_without_disk
from depwatch.integrations.numba.reads import Reads
from depwatch.integrations.numba.stable import NoStableForm, digest_of_code, is_given, is_named_tuple, options_of
from depwatch.integrations.numba.stored import Found, Spot, StoredCell, StoredRead, store
from depwatch.integrations.numba.tags import is_own, tags_in
from depwatch.integrations.numba.version import Version, version_of
from depwatch.values import brief, is_a

FORMAT: Final = 2  # of what is stored; another number makes other files
_ADDRESS: Final = re.compile(rb"inttoptr \(i64 \d")
_BY_VALUE: Final = b"cloudpickle"  # in a pickle that has the code of functions and classes in it

# Code that was loaded stays in the process, and so do the words that it loads. The same names may not come twice.
_loaded: Final[set[str]] = set()
_words: Final[dict[str, Cell]] = {}


class Head(NamedTuple):
    """What an entry says before its code is looked at."""

    requested: Any  # (argument types, return type or None)
    reads: list[StoredRead]
    cells: list[StoredCell]
    blocks: list[StoredBlock]
    same: list[tuple[Spot, Spot]]  # what must be one and the same thing
    tags: frozenset[int]  # of the processes that compiled it and what is linked in
    name: str  # of the function in compiled code
    is_checked: bool  # whether a cell may come to have another type while the code runs
    is_quiet: bool

    def is_like(self, other: "Head") -> bool:
        """Whether both are of code that rests on the same."""
        places = [[cell[:-1] for cell in head.cells] for head in (self, other)]
        is_same = self.reads == other.reads and self.same == other.same and places[0] == places[1]
        return is_same and is_asked_alike(self.requested, other.requested)


class Words:
    """The cells of code that was loaded. They are never given up."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._cells: Final = tuple(cells)

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    def close(self) -> None:
        pass


class Loaded:
    """What a version is made from that was compiled by another process."""

    def __init__(self, function: Function, reads: Reads, cells: Words, blocks: tuple[Block, ...], head: Head) -> None:
        self.function: Final = function
        self.reads: Final = reads
        self.cells: Final = cells
        self.blocks: Final = blocks
        self.quiet: Final = not head.is_checked
        self.calls_quietly: Final = head.is_quiet


class Store(_Cache):  # type: ignore[misc]
    """The code of one dispatcher on the disk. Its methods are numba's, for its caches."""

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher: Final = weakref.ref(dispatcher)
        self._folder: Final = Folder(dispatcher._cache)
        self._enabled = True
        self._looked: dict[Any, str] = {}  # the key under which nothing was found, by what was asked for

    @property
    @override
    def cache_path(self) -> str:
        return self._folder.path

    @override
    def enable(self) -> None:
        self._enabled = True

    @override
    def disable(self) -> None:
        self._enabled = False

    @override
    def flush(self) -> None:
        self._folder.clear()

    @override
    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The code for a signature that was compiled under what is so now, or None."""
        from depwatch.integrations.numba.compiling import callers_now, watch_for

        dispatcher = self._dispatcher()
        function = watch_for(callers_now(), dispatcher)
        if not self._enabled or function is None or function.plain is not None:
            return None
        arguments, return_type = sigutils.normalize_signature(sig)
        requested = (tuple(arguments), return_type)
        start = time.perf_counter()
        version = self._find(dispatcher, function, requested)
        if version is None:
            return None
        function.enter(version)
        version.breaks.mend("loaded from the disk", time.perf_counter() - start)
        target_context._defns.pop(version.result.entry_point, None)  # numba enters it itself
        return version.result

    def _find(self, dispatcher: Any, function: Function, requested: Any) -> Version | None:
        with contextlib.suppress(Exception):  # save_overload() tells of it
            key = self._looked[requested] = _key(dispatcher, function, requested)
            for entry in self._folder.entries(key):
                # what looking at the program's values raises, or unpickling what is not there any more
                with contextlib.suppress(Exception):
                    if (version := _load(dispatcher, function, entry, requested)) is not None:
                        return version
        return None

    @override
    def save_overload(self, sig: Any, data: Any) -> None:
        """Store code that has just been compiled, with what it rests on."""
        dispatcher, version = self._dispatcher(), version_of(data)
        function = function_of(dispatcher)
        if not self._enabled or dispatcher is None or function is None or version is None or version.is_stored:
            return
        version.is_stored = True
        try:
            key = _key(dispatcher, function, version.requested)
            if self._looked.pop(version.requested, None) != key:
                return  # something that takes part in the choice of code came while it was compiled
            head = _head(dispatcher, version)
            replaced = None
            for entry in self._folder.entries(key):
                if head.is_like(Head(*pickle.loads(entry.head))):  # it may be in this process already
                    if entry.code() is not None:
                        return
                    replaced = entry
            self._folder.add(key, _pickled(head), _code(version.result), replaced)
        except Exception as reason:  # NoStableForm, OSError, and what looking at the program's values raises
            tell_without_disk(full_name(dispatcher), f"{reason}" if isinstance(reason, NoStableForm) else repr(reason))


def _key(dispatcher: Any, function: Function, requested: Any) -> str:
    """What code goes by that is known before it is compiled. Raises NoStableForm."""
    for context in (cpu_target.typing_context, cpu_target.target_context):
        context.refresh()
    said = (
        FORMAT,
        depwatch.__version__,
        *(each.__version__ for each in (numba, llvmlite, np)),
        sys.version,
        cpu_target.target_context.codegen().magic_tuple(),
        _settings(),
        dispatcher.py_func.__module__,
        digest_of_code(dispatcher.py_func.__code__),
        options_of(dispatcher),
        function.policy,
        str(requested),
        extensions.digest(),
    )
    return hashlib.blake2b(repr(said).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _settings() -> list[tuple[str, str]]:
    """numba's settings, some of which make other code."""
    kinds = (int, str, float, bool, type(None))
    found = vars(config).items()
    return sorted(
        (name, repr(value))
        for name, value in found
        if name.isupper() and type(value) in kinds and not name.startswith("CACHE_")
    )


# --- saving -----------------------------------------------------------------------------------------------------------


class _Pickler(pickle.Pickler):
    """Pickles types, and nothing of the program's but classes of tuples and enums."""

    @override
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Omitted):
            return Omitted, (obj.value,)  # numba pickles the address of the value with it
        if isinstance(obj, DispatcherType | Dispatcher):
            raise NoStableForm(f"its types have {brief(obj)} in them")
        if is_a(obj, types.FunctionType) or is_a(obj, type):
            is_data = is_a(obj, type) and (is_named_tuple(obj) or issubclass(obj, enum.Enum))
            if not is_data and not is_given(obj):
                raise NoStableForm(f"its types have {brief(obj)} in them")
        return NotImplemented


def _pickled(head: Head) -> bytes:
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, protocol=5).dump(tuple(head))
    except NoStableForm:
        raise
    except Exception as error:  # what has no name, and what classes of the program's raise
        raise NoStableForm(f"its types cannot be pickled: {error}") from None
    pickled = buffer.getvalue()
    if not is_asked_alike(pickle.loads(pickled)[0], head.requested):
        raise NoStableForm("its types are other ones in another process")
    return pickled


def _head(dispatcher: Any, version: Version) -> Head:
    """What an entry says of code. Raises NoStableForm if it cannot be stored."""
    result = version.result
    if version.why_not_stored is not None:
        raise NoStableForm(version.why_not_stored)
    if any(each is not None and not isinstance(each, Block) for each in result.lifted):
        raise NoStableForm("it has a block that numba compiles apart")
    if result.library.has_dynamic_globals:
        raise NoStableForm("it has addresses in it, of a large array or of native functions")
    reads, cells, blocks, same = store(dispatcher, version)
    tags = tags_in([*_names(result.library), *(cell.symbol for cell in cells)])
    if 0 in tags:
        raise NoStableForm("code is linked in that numba compiled before depwatch.integrations.numba was imported")
    name = result.fndesc.mangled_name
    return Head(version.requested, reads, cells, blocks, same, tags, name, version.is_checked, version.quiet)


def _code(result: Any) -> bytes:
    """Compiled code as another process can load it. Raises NoStableForm."""
    code: bytes = serialize.dumps(result._reduce())
    if _BY_VALUE in code:
        raise NoStableForm("it has a function or class in it that no module has by its name")
    if _ADDRESS.search(str(result.library._final_module).encode()):
        raise NoStableForm("it has an address in it")
    return code


def _names(library: Any) -> Iterator[str]:
    module = library._final_module
    for kind in (module.functions, module.global_variables):
        for each in kind:
            yield each.name


# --- loading ----------------------------------------------------------------------------------------------------------


def _load(dispatcher: Any, function: Function, entry: Entry, requested: Any) -> Version | None:
    """The version that an entry gives, if it was compiled under what is so now. Raises whatever that raises."""
    from depwatch.integrations.numba.compiling import watch_dispatcher

    head = Head(*pickle.loads(entry.head))
    if not is_asked_alike(head.requested, requested) or head.name in _loaded or any(map(is_own, head.tags)):
        return None
    found = Found(dispatcher)
    if not found.look(head.reads) or not all(found.is_same(*spots) for spots in head.same):
        return None
    code = entry.code()
    if code is None:
        return None
    for linked in found.unwatched:
        watch_dispatcher(linked, function.policy, function.keep, function.on_refusal)
    cells, blocks = _cells(function, found, head.cells), _blocks(found, head.blocks)
    if cells is None or blocks is None:
        return None
    _loaded.add(head.name)
    result = CompileResult._rebuild(dispatcher.targetctx, *_with_defaults(pickle.loads(code), requested[0]))
    dispatcher.targetctx.codegen()._rtlinker._defined.add(head.name)  # for code that calls it back
    reads = Reads()
    for read in found.reads:
        reads.add(read)
    version = Version(Loaded(function, reads, cells, blocks, head), result, requested, ())
    version.raising.update(found.raising)
    version.is_stored = True
    enter_library(result.library, version)
    if not version.try_to_rely():
        function.aside.append(version)  # it may run as soon as what it rests on is so again
        return None
    return version


def _with_defaults(reduced: tuple[Any, ...], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """What numba has stored of a result, with this process's own defaults as those of arguments that are left out."""
    library, described, environment, signature, *others = reduced
    described.argtypes = own_defaults(described.argtypes, arguments)
    signature = signature.replace(args=own_defaults(signature.args, arguments))
    return (library, described, environment, signature, *others)


def _blocks(found: Found, stored: Iterable[StoredBlock]) -> tuple[Block, ...] | None:
    """The blocks in object mode that the code runs; None if one cannot be had."""
    blocks = [block_from(each, found.at(each.owner), found.reads) for each in stored]
    return None if None in blocks else tuple(blocks)  # type: ignore[arg-type]  # the list has no None then


def _cells(function: Function, found: Found, stored: Iterable[StoredCell]) -> Words | None:
    """The words that the code loads, under the names that it has for them; None if one cannot be had."""
    made: list[Cells] = []
    words: list[Cell] = []
    for each in stored:
        owner = found.at(each.owner)
        word = _words.get(each.symbol)
        if word is None:
            made.append(Cells(function.name))
            word = made[-1].get(owner, each.name, look(owner, each.name), each.symbol)
        if word is None or word.owner is not owner or word.kind != each.kind or not word.holds:
            for cells in made:
                cells.close()
            return None
        words.append(word)
    for cells in made:
        cells.commit()
    _words.update((word.symbol, word) for word in words)
    return Words(words)
