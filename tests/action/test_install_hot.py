"""install(): loops that CPython has specialised, or its JIT compiled, change over at once."""

import pytest

from support import python

HOT = {
    "f(1)": "def f(x): return 'own'\nargs = (1,)\ndef call(): return f(1)",
    "f(x=1)": "def f(x): return 'own'\ndef call(): return f(x=1)",
    "f(*args)": "def f(x): return 'own'\nargs = (1,)\ndef call(): return f(*args)",
    "f(**kwargs)": "def f(x): return 'own'\nkwargs = {'x': 1}\ndef call(): return f(**kwargs)",
    "o.m(1)": "class C:\n def m(self, x): return 'own'\nf, o = C.m, C()\ndef call(): return o.m(1)",
    "o[0]": "class C:\n def __getitem__(self, x): return 'own'\nf, o = C.__getitem__, C()\ndef call(): return o[0]",
    "C()": "class C:\n def __new__(cls): return 'own'\nf = C.__new__\ndef call(): return C()",
}


@pytest.mark.parametrize("jit", ["0", "1"])
@pytest.mark.parametrize("name", HOT)
def test_a_hot_loop_that_is_running_changes_over_at_once_and_back(monkeypatch, name, jit):
    """Each change is made in the loop itself: at its next call the other code runs."""
    monkeypatch.setenv("PYTHON_JIT", jit)
    assert (
        python(f"""
import depwatch
RATE = 1
{HOT[name]}
recorder = depwatch.Recorder("h")
recorder.read_global(call, "RATE")
handle = recorder.commit()
entry = None
def step(i):
    global entry, RATE
    if i == 20_000: entry = depwatch.install(f, lambda *a, **k: "optimized", handle)
    if i == 40_000: RATE = 2
    if i == 60_000: RATE = 1
    if i == 80_000: entry.remove()
def loop():
    runs = []
    for i in range(100_000):
        if i % 20_000 == 0: step(i)
        result = {"f(1)" if name == "f(1)" else "call()"}
        if not runs or runs[-1][0] != result: runs.append([result, 0])
        runs[-1][1] += 1
    return runs
print(loop())
""")
        == f"{[['own', 20000], ['optimized', 20000], ['own', 20000], ['optimized', 20000], ['own', 20000]]}\n"
    )
