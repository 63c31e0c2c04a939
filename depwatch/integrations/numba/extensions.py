"""Extensions: what programs and libraries have added to numba, which takes part in what code it makes."""

import functools
import hashlib
import types
from typing import Any, Final

from numba.core.registry import cpu_target

from depwatch.integrations.numba.own import is_numbas, is_numbas_own
from depwatch.integrations.numba.reads import contents
from depwatch.integrations.numba.stable import NoStableForm, digest_of_code
from depwatch.values import brief, is_a

_LISTS: Final = ("functions", "attributes", "globals", "getattrs", "setattrs", "casts", "constants")


class Extensions:
    """What numba's registries hold that is not its own, in the order in which it came."""

    def __init__(self) -> None:
        self._seen: Final[dict[tuple[int, str], int]] = {}  # how much of each list, by its registry
        self._hashed: Final = hashlib.blake2b(digest_size=32)
        self._unknown: str | None = None

    def digest(self) -> bytes:
        """What says whether two processes have the same. Raises NoStableForm."""
        for context in (cpu_target.typing_context, cpu_target.target_context):
            for registry in context._registries:
                for name in _LISTS:
                    self._look(registry, name)
        if self._unknown is not None:
            raise NoStableForm(self._unknown)
        return self._hashed.digest()

    def _look(self, registry: Any, name: str) -> None:
        entries = getattr(registry, name, ())
        seen = self._seen.get((id(registry), name), 0)  # numba keeps its registries
        for entry in entries[seen:]:
            for code in _codes(entry):
                self._note(code)
        self._seen[id(registry), name] = len(entries)

    def _note(self, code: Any) -> None:
        if is_a(code, types.FunctionType):
            if not is_numbas_own(code):
                self._hashed.update(f"{code.__module__} {code.__qualname__} ".encode())
                self._hashed.update(digest_of_code(code.__code__))
        elif type(code) is str and " at 0x" not in code:
            self._hashed.update(code.encode())
        elif not is_numbas(code) and not is_numbas(type(code)) and code is not None:
            self._unknown = f"{brief(code)} was added to numba, and nobody knows what it does"


@functools.cache
def _of_file(path: str) -> str:
    """What says whether a source file is as it was; of one that there is not, nothing."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()
    except OSError:
        return ""


def _with_file(function: Any) -> list[Any]:
    """A function of which nobody knows what it reads, and all that is written beside it."""
    if is_a(function, types.FunctionType) and not is_numbas_own(function):
        return [function, _of_file(function.__code__.co_filename)]
    return [function]


def _codes(entry: Any) -> list[Any]:
    """The Python code behind an entry of a registry, or what else it goes by."""
    if isinstance(entry, type):
        return _of_template(entry)
    first, second = entry[:2]
    if isinstance(first, type) or not callable(first) or first is second:  # the code of an @intrinsic is no extension
        return []
    if hasattr(second, "templates"):  # a global and its type
        return [code for template in second.templates for code in _of_template(template)]
    code = _function_in(getattr(first, "__wrapped__", first))
    if is_a(code, types.FunctionType) and is_numbas_own(code):
        return []
    return [*_with_file(code), *map(_said, entry[1:])]


def _said(key: Any) -> str:
    """What something is registered for: a function, a type, a name, or several."""
    if isinstance(key, tuple):
        return f"({', '.join(map(_said, key))})"
    if isinstance(key, type) or is_a(key, types.FunctionType) or is_a(key, types.BuiltinFunctionType):
        return f"{key.__module__}.{key.__qualname__}"
    return str(key)


def _of_template(template: Any) -> list[Any]:
    for name in ("_overload_func", "_definition_func"):
        if name in vars(template):
            return _of_implementation(template, _function_in(vars(template)[name]))
    functions = [_function_in(found) for name, found in vars(template).items() if name != "key"]
    codes = [code for function in functions for inner in _programs(function) for code in _with_file(inner)]
    return [*codes, _said(getattr(template, "key", None))] if codes else []


def _programs(function: Any) -> list[Any]:
    """A function, if it is none of numba's; else what numba has made it for (type_callable, register_jitable)."""
    if not is_a(function, types.FunctionType):
        return []
    if not is_numbas_own(function):
        return [function]
    found: list[Any] = [contents(cell) for cell in function.__closure__ or ()]
    return [each for each in found if is_a(each, types.FunctionType) and not is_numbas_own(each)]


def _function_in(code: Any) -> Any:
    code = getattr(code, "__func__", code)
    while is_a(code, functools.partial):
        code = code.func
    return getattr(code, "__func__", code)


def _of_implementation(template: Any, function: Any) -> list[Any]:
    """The function that chooses it, or was made for, and its options."""
    codes = _programs(function) if is_a(function, types.FunctionType) else [function]
    if not codes:
        return []
    options = [getattr(template, name, None) for name in ("_jit_options", "_strict", "prefer_literal", "_attr")]
    return [*codes, repr(options), _said(getattr(template, "key", None))]


extensions: Final = Extensions()
