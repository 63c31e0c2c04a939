import importlib.util

if importlib.util.find_spec("jax") is None:  # test_jax_import.py says so, by a skip, for all of them
    collect_ignore_glob = ["test_jax_[!i]*.py"]
