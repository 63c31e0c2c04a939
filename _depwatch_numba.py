"""What numba loads before it compiles for the first time, by the entry point `numba_extensions` of this distribution.

It is no part of the package, because importing that takes 10 ms: who does not set DEPWATCH_NUMBA pays for this file only.
"""

import os


def init() -> None:
    """Watch what numba has decorated and will decorate, if DEPWATCH_NUMBA=1 is in the environment."""
    if os.environ.get("DEPWATCH_NUMBA") == "1" and os.environ.get("DEPWATCH") != "0":
        from depwatch.integrations.numba.patching import patch_from_the_start

        patch_from_the_start()
