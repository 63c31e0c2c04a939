"""A plugin of pytest: numba's decorators make watched functions, and $PATCHED_COUNTS says what became of them."""

import json
import os
import weakref
from pathlib import Path

from numba.core.registry import cpu_target

from depwatch.integrations.numba import patch
from depwatch.integrations.numba.function import function_of
from depwatch.integrations.numba.plain import full_name, listed

patch()


def pytest_sessionfinish() -> None:
    functions = {}  # by name; whether it was compiled
    for reference in list(cpu_target.typing_context._globals):
        dispatcher = reference() if isinstance(reference, weakref.ref) else None
        if function_of(dispatcher) is not None:
            name = full_name(dispatcher)
            functions[name] = functions.get(name, False) or bool(dispatcher.overloads)
    found = {"functions": functions, "plain": listed.reasons, "without_disk": list(listed.without_disk)}
    Path(os.environ["PATCHED_COUNTS"]).write_text(json.dumps(found, indent=1))
