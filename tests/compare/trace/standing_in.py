"""A replay that is quick: what a policy of invalidation by object would see, in numpy; importable on Dask workers."""

import os
from typing import Any

import numpy as np

from depwatch.compare.trace.entries import NUMBER
from depwatch.compare.trace.reader import Trace
from depwatch.compare.trace.schema import Row


def replay_trace(path: str, options: dict[str, Any]) -> dict[str, Any]:
    if os.path.basename(path) == options.get("fails at"):
        raise ValueError("asked for")
    with Trace(path) as trace:
        kinds = trace.column("kind")
        changes = kinds == NUMBER[Row.CHANGE]
        depended = np.unique(trace.column("object")[kinds == NUMBER[Row.DEPENDENCY]])
        hit = changes & np.isin(trace.column("object"), depended)
        return {
            "trace": os.path.basename(path),
            "rows": trace.rows,
            "complete": bool(trace.complete),
            "changes": int(trace.column("count")[changes].sum()),
            "hits": int(trace.column("count")[hit].sum()),
            "factor": options["factor"],
        }
