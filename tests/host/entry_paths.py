"""The ways in which CPython reaches a Python function, for trap 4 and section G of facts/host-contract.md.

Each path is a piece of Python that defines `target`, the function whose entry is replaced, and `loop(n)`, which reaches
it n times and returns the last result. The code of `target` is what `swapped` replaces.
"""

from watching import module

PATHS = {
    "f(1)": "def target(x): return 'old'\ncall = lambda: target(1)",
    "f() with a default": "def target(x=1): return 'old'\ncall = lambda: target()",
    "f(1, 2, 3) with *args": "def target(*args): return 'old'\ncall = lambda: target(1, 2, 3)",
    "f(x=1)": "def target(x): return 'old'\ncall = lambda: target(x=1)",
    "f(*args)": "def target(x): return 'old'\nargs = (1,)\ncall = lambda: target(*args)",
    "f(**kwargs)": "def target(x): return 'old'\nkwargs = {'x': 1}\ncall = lambda: target(**kwargs)",
    "o.m(1)": "class K:\n def m(self, x): return 'old'\no, target = K(), K.m\ncall = lambda: o.m(1)",
    "o.m(x=1)": "class K:\n def m(self, x): return 'old'\no, target = K(), K.m\ncall = lambda: o.m(x=1)",
    "K.m(o, 1)": "class K:\n def m(self, x): return 'old'\no, target = K(), K.m\ncall = lambda: K.m(o, 1)",
    "a bound method": "class K:\n def m(self): return 'old'\nbound, target = K().m, K.m\ncall = lambda: bound()",
    "super().m()": """
class B:
    def m(self): return 'old'
class K(B):
    def m(self): return super().m()
o, target = K(), B.m
call = lambda: o.m()
""",
    "a class method": """
class K:
    @classmethod
    def m(cls): return 'old'
target = K.m.__func__
call = lambda: K.m()
""",
    "a static method": """
class K:
    @staticmethod
    def m(): return 'old'
target = K.m
call = lambda: K.m()
""",
    "__call__": "class K:\n def __call__(self): return 'old'\no, target = K(), K.__call__\ncall = lambda: o()",
    "__getitem__": """
class K:
    def __getitem__(self, i): return 'old'
o, target = K(), K.__getitem__
call = lambda: o[0]
""",
    "__setitem__": """
class K:
    def __setitem__(self, i, value): result.append('old')
result, o, target = [], K(), K.__setitem__
def call():
    result.clear()
    o[0] = 1
    return result[0]
""",
    "__getattr__": "class K:\n def __getattr__(s, n): return 'old'\no, target = K(), K.__getattr__\ncall = lambda: o.a",
    "__getattribute__": """
class K:
    def __getattribute__(self, name): return 'old'
o, target = K(), K.__getattribute__
call = lambda: o.a
""",
    "__setattr__": """
class K:
    def __setattr__(self, name, value): result.append('old')
result, o, target = [], K(), K.__setattr__
def call():
    result.clear()
    o.a = 1
    return result[0]
""",
    "__get__ of a descriptor": """
class D:
    def __get__(self, obj, cls): return 'old'
class K: a = D()
o, target = K(), D.__get__
call = lambda: o.a
""",
    "__add__": "class K:\n def __add__(self, o): return 'old'\no, target = K(), K.__add__\ncall = lambda: o + 1",
    "__lt__": "class K:\n def __lt__(self, o): return 'old'\no, target = K(), K.__lt__\ncall = lambda: o < 1",
    "__contains__": """
class K:
    def __contains__(self, x):
        result.append('old')
        return True
result, o, target = [], K(), K.__contains__
def call():
    result.clear()
    1 in o
    return result[0]
""",
    "__iter__": """
class K:
    def __iter__(self):
        return iter(['old'])
o, target = K(), K.__iter__
def call():
    for x in o: return x
""",
    "__next__": """
class K:
    def __iter__(self): return self
    def __next__(self): return 'old'
o, target = K(), K.__next__
def call():
    for x in o: return x
""",
    "__enter__": """
class K:
    def __enter__(self): return 'old'
    def __exit__(self, *args): pass
o, target = K(), K.__enter__
def call():
    with o as x: return x
""",
    "__str__": "class K:\n def __str__(self): return 'old'\no, target = K(), K.__str__\ncall = lambda: f'{o}'",
    "__call__ of a metaclass": """
class M(type):
    def __call__(cls): return 'old'
class K(metaclass=M): pass
target = M.__call__
call = lambda: K()
""",
    "__new__": "class K:\n def __new__(cls, x): return 'old'\ntarget = K.__new__\ncall = lambda: K(1)",
    "a generator": "def target():\n yield 'old'\ndef call():\n for x in target(): return x",
    "await": """
async def target(): return 'old'
async def main(): return await target()
def call():
    try: main().send(None)
    except StopIteration as stop: return stop.value
""",
    "a comprehension": "def target(x): return 'old'\ncall = lambda: [target(i) for i in (1,)][0]",
    "a generator expression": "def target(x): return 'old'\ncall = lambda: list(target(i) for i in (1,))[0]",
    "partial": "import functools\ndef target(x): return 'old'\np = functools.partial(target, 1)\ncall = lambda: p()",
    "map": "def target(x): return 'old'\ncall = lambda: list(map(target, (1,)))[0]",
    "sorted": """
def target(x):
    result.append('old')
    return 0
result = []
def call():
    result.clear()
    sorted((1,), key=target)
    return result[0]
""",
    "a decorator's wrapper": """
def target(x): return 'old'
def wrap(f):
    def wrapper(*args, **kwargs): return f(*args, **kwargs)
    return wrapper
wrapped = wrap(target)
call = lambda: wrapped(1)
""",
    "PyObject_Call": "def target(x): return 'old'\nf = c.call\ncall = lambda: f(target, (1,))",
    "PyObject_CallOneArg": "def target(x): return 'old'\nf = c.call_one_arg\ncall = lambda: f(target, 1)",
    "C(*args)": """
class K:
    def __init__(self, x): self.result = 'old'
args, target = (1,), K.__init__
call = lambda: K(*args).result
""",
    "C(x=1)": """
class K:
    def __init__(self, x): self.result = 'old'
target = K.__init__
call = lambda: K(x=1).result
""",
    # The exceptions of trap 4.
    "C(1)": """
class K:
    def __init__(self, x): self.result = 'old'
target = K.__init__
call = lambda: K(1).result
""",
    "C(1) with slots": """
class K:
    __slots__ = 'result'
    def __init__(self, x): self.result = 'old'
target = K.__init__
call = lambda: K(1).result
""",
    "a property": """
class K:
    @property
    def p(self): return 'old'
o, target = K(), K.__dict__['p'].fget
call = lambda: o.p
""",
}

LOOP = """
def loop(n):
    for _ in range(n):
        result = call()
    return result
"""


def path(name, hostentry):
    """The path's namespace, fresh: nothing in it has run or been specialised."""
    return module(f"{PATHS[name]}\n{LOOP}", c=hostentry)


def swapped(code):
    """The same code, but with 'new' where it says 'old'."""
    return code.replace(co_consts=tuple("new" if const == "old" else const for const in code.co_consts))
