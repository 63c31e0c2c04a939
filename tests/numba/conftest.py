import sys

from support import NO_NUMBA

if sys.version_info >= NO_NUMBA:  # test_numba_import.py says so, by a skip, for all of them
    collect_ignore_glob = ["test_numba_[!i]*.py", "test_numba_inside.py"]
