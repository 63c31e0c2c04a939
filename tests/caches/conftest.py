import sys

from support import NO_JAX

if sys.version_info >= NO_JAX:  # test_jax_import.py says so, by a skip, for all of them
    collect_ignore_glob = ["test_jax_[!i]*.py"]
