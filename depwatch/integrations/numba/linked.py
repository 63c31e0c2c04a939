"""Linked: what code is in a library of numba's, and whose it is."""

import functools
import weakref
from typing import Any, Final, NamedTuple

from numba.core.caching import CodeLibraryCacheImpl, CompileResultCacheImpl

from depwatch.integrations.numba.choices import Used
from depwatch.integrations.numba.compilation import Copied
from depwatch.integrations.numba.plain import tell_without_disk
from depwatch.integrations.numba.version import Version


class Code(NamedTuple):
    """What numba has compiled that is not watched."""

    dispatcher: weakref.ref[Any]
    arguments: tuple[Any, ...]
    used: tuple[Used | Copied, ...]  # of the program's, by numba


# These are used with numba's compiler lock held, by one thread at a time.
_watched: Final[weakref.WeakKeyDictionary[Any, weakref.ref[Version]]] = weakref.WeakKeyDictionary()  # by library
unwatched: Final[weakref.WeakKeyDictionary[Any, Code]] = weakref.WeakKeyDictionary()


def libraries_in(library: Any) -> list[Any]:
    """All libraries whose code is in this one, itself first."""
    found = {library: None}
    todo = [library]
    while todo:
        for other in todo.pop()._linking_libraries:
            if other not in found:
                found[other] = None
                todo.append(other)
    return list(found)


def enter_library(library: Any, version: Version) -> None:
    """Note whose code a library is."""
    _watched[library] = weakref.ref(version)


def versions_of(libraries: list[Any]) -> list[Version | None]:
    """The versions that these belong to; None for one that is gone, and its cells with it."""
    return [reference() for library in libraries if (reference := _watched.get(library)) is not None]


def alive(libraries: list[Any]) -> list[Version]:
    return [version for version in versions_of(libraries) if version is not None]


def used_in(libraries: list[Any]) -> list[Used | Copied]:
    return [used for library in libraries if library in unwatched for used in unwatched[library].used]


def is_right(library: Any) -> bool:
    """Whether code that numba compiled for itself, with code of the program's in it, is right for what is so now."""
    libraries = libraries_in(library)
    versions = versions_of(libraries)
    return all(version is not None and (version.may_run or version.is_open) for version in versions) and all(
        used.holds for used in used_in(libraries)
    )


def keep_from_numbas_disk() -> None:
    """Keep plain numba's code from the disk that has watched code in it: the words which that loads end with a process.

    It is code of ufuncs and C callbacks. Jitted functions have a store of ours in place of numba's cache.
    """
    for kind in (CompileResultCacheImpl, CodeLibraryCacheImpl):
        kind.check_cachable = _checking(kind.check_cachable)


def _checking(check_cachable: Any) -> Any:
    @functools.wraps(check_cachable)
    def checked(self: Any, data: Any) -> bool:
        if versions_of(libraries_in(getattr(data, "library", data))):
            prefix = getattr(self, "_filename_prefix", None)  # of what @guvectorize has compiled around its function
            name = self.filename_base.removeprefix(f"{prefix}-").rpartition("-")[0]
            tell_without_disk(name, "it is plain numba, and has code of a watched function in it")
            return False
        return bool(check_cachable(self, data))

    return checked
