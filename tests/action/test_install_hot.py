"""install(): loops that CPython has specialised, or its JIT compiled, change over at once."""

from pathlib import Path

import pytest

from host.versions import HAS_JIT
from support import python

PROGRAMS = Path(__file__).with_name("programs")

HOT = {
    "f(1)": "def f(x): return 'own'\nargs = (1,)\ndef call(): return f(1)",
    "f(x=1)": "def f(x): return 'own'\ndef call(): return f(x=1)",
    "f(*args)": "def f(x): return 'own'\nargs = (1,)\ndef call(): return f(*args)",
    "f(**kwargs)": "def f(x): return 'own'\nkwargs = {'x': 1}\ndef call(): return f(**kwargs)",
    "o.m(1)": "class C:\n def m(self, x): return 'own'\nf, o = C.m, C()\ndef call(): return o.m(1)",
    "o[0]": "class C:\n def __getitem__(self, x): return 'own'\nf, o = C.__getitem__, C()\ndef call(): return o[0]",
    "C()": "class C:\n def __new__(cls): return 'own'\nf = C.__new__\ndef call(): return C()",
}


@pytest.mark.parametrize("jit", ["0", "1"] if HAS_JIT else ["0"])
@pytest.mark.parametrize("name", HOT)
def test_a_hot_loop_that_is_running_changes_over_at_once_and_back(name, jit):
    """Each change is made in the loop itself: at its next call the other code runs."""
    call = "f(1)" if name == "f(1)" else "call()"
    runs = [["own", 20000], ["optimized", 20000], ["own", 20000], ["optimized", 20000], ["own", 20000]]
    environment = {"PYTHON_JIT": jit} if HAS_JIT else {}
    assert python(PROGRAMS / "hot_loop.py", HOT[name], call, **environment) == f"{runs}\n"
