"""Finding a value as a read would, and relying on nothing."""

import types
from typing import Any, Final

from depwatch import _core, naming
from depwatch._core import Fact
from depwatch.errors import Unwatchable
from depwatch.recorder import REQUIRED
from depwatch.values import along_mro, brief, is_a

_LAZY_IMPORT: Final = vars(types).get("LazyImportType", types.NoneType)  # before 3.15 a type that no name's value has


def look(owner: Any, name: str | None = None, *, default: Any = REQUIRED) -> Any:
    """Return what Recorder.read(owner, name) would return now, and record nothing: no change will be reported.

    For code that must know a value in order to decide whether to rely on it, and for values that have changed too often
    to rely on: it never raises Unstable. It runs no code of the program. Raises like read(), also Unwatchable.
    """
    _core.drain()
    if type(owner) is Fact and name is None:
        return owner.value
    value = _value(owner, naming.check_name(name))
    if not value:
        if default is not REQUIRED:
            return default
        raise naming.missing(owner, name)
    if type(value[0]) is _LAZY_IMPORT:
        raise Unwatchable(f"{name!r} of {brief(owner)} is a lazy import that is not made yet: load the name first")
    return value[0]


def _value(owner: Any, name: str) -> tuple[Any, ...]:
    if constant := naming.constant_global(owner, name):
        return constant
    facet = naming.named_facet(owner, name)
    if facet is None:
        return along_mro(owner, name)
    value = facet.value()
    if not value and is_a(owner, types.ModuleType):
        naming.check_missing(owner, name)
    return value
