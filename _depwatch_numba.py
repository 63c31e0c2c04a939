"""What numba loads before it first compiles, by the entry point `numba_extensions` of this distribution.

It is no part of the package, because importing that takes 10 ms: without DEPWATCH_NUMBA nobody pays for more than this.
"""

import os


def init() -> None:
    """Watch what numba has decorated and will decorate, if DEPWATCH_NUMBA=1 is in the environment."""
    if os.environ.get("DEPWATCH_NUMBA") == "1" and os.environ.get("DEPWATCH") != "0":
        from depwatch.integrations.numba.patching import patch_from_the_start

        patch_from_the_start()
