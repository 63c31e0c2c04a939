"""What an opcode trace sees functions read is in what discovery finds in them."""

import json

import pytest

from support import ROOT, python

ORACLE = ROOT / "tests" / "discover" / "oracle.py"
QUICK = ("argparse", "csv", "fractions", "textwrap")
MANY = (
    *QUICK, "asyncio", "concurrent.futures", "configparser", "ctypes.util", "decimal", "doctest", "email.mime.text",
    "http.server", "importlib.metadata", "json", "logging.config", "multiprocessing.pool", "optparse", "pdb", "pickle",
    "pydoc", "sqlite3", "statistics", "tarfile", "tomllib", "unittest.mock", "urllib.request", "uuid",
    "xml.dom.minidom", "xmlrpc.client", "zipfile",
    "click", "hypothesis", "jinja2", "msgspec", "networkx", "numpy", "pyarrow", "pyperf", "pytest", "rich.table",
)  # fmt: skip


def traced(seed, number, modules):
    return json.loads(python(ORACLE, str(seed), str(number), *modules))


def test_each_name_that_functions_of_the_library_read_is_found():
    found = traced(17, 100, QUICK)
    assert (found["missed"], found["functions"] >= 60, found["names"] >= 300) == ([], True, True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 17])
def test_each_name_that_1000_functions_read_is_found(seed):
    found = traced(seed, 1000, MANY)
    assert (found["missed"], found["functions"], found["names"] >= 5000) == ([], 1000, True)
