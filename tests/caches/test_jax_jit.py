"""depwatch.integrations.jax beside jax.jit: its look, what is refused, changes during a trace, and how it ends."""

import functools
import gc
import inspect
import threading
import types
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax_programs import COMMON

import depwatch
from depwatch.integrations import jax as watched
from depwatch.integrations.jax import UnseenWarning, explain, jit, watch
from support import python

RATE = 2.0
X = jnp.float32(1.5)


@pytest.fixture(autouse=True)
def at_first():
    global RATE
    RATE = 2.0


def test_it_has_the_look_of_jax():
    def f(x, n=2):
        "What it is for."
        return x * n

    ours, theirs = jit(f, static_argnames="n"), jax.jit(f, static_argnames="n")
    assert [float(each(X, n=3)) for each in (ours, theirs)] == [4.5, 4.5]
    assert (ours.__name__, ours.__doc__, ours.__wrapped__) == ("f", "What it is for.", f)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.lower(X).as_text() == theirs.lower(X).as_text()
    assert (ours.eval_shape(X), str(ours.trace(X).jaxpr)) == (theirs.eval_shape(X), str(theirs.trace(X).jaxpr))
    ours.clear_cache()
    assert float(ours(X)) == 3.0


def test_it_decorates_with_and_without_options():
    @jit
    def one(x):
        return x * RATE

    @jit(static_argnums=(1,), donate_argnums=(0,))
    def two(x, n):
        return x * RATE if n else x

    assert [float(one(X)), float(two(jnp.float32(1.5), True)), float(two(jnp.float32(1.5), False))] == [3.0, 3.0, 1.5]
    globals()["RATE"] = 4.0
    assert [float(one(X)), float(two(jnp.float32(1.5), True)), float(two(jnp.float32(1.5), False))] == [6.0, 6.0, 1.5]


def test_methods_with_a_static_self_follow_changes():
    class Model:
        __slots__ = ()
        scale = 2.0

        @functools.partial(jit, static_argnums=0)
        def f(self, x):
            return x * Model.scale

    model = Model()
    assert float(model.f(X)) == 3.0
    Model.scale = 4.0
    assert float(model.f(X)) == 6.0


MADE = {
    "partial": lambda f: jit(functools.partial(f)),
    "grad": lambda f: jit(jax.grad(f)),
    "vmap": lambda f: jit(lambda x: jax.vmap(f)(x[None])[0]),
    "vmap around": lambda f: lambda x: jit(jax.vmap(f))(x[None])[0],
    "method": lambda f: jit(types.MethodType(lambda self, x: f(x), 1)),
    "watched jit": lambda f: watch(jax.jit(f)),
    "watched jit of grad": lambda f: watch(jax.jit(jax.grad(f))),
    "checkpoint": lambda f: jit(jax.checkpoint(f)),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_what_is_made_of_a_function_follows_changes(make):
    global RATE
    f = make(lambda x: x * RATE)
    results = [float(f(jnp.float32(1.0)))]
    for rate in (3.0, 2.0):
        RATE = rate
        results.append(float(f(jnp.float32(1.0))))
    assert results == [2.0, 3.0, 2.0]


def test_another_shape_after_another_thread_has_seen_the_change_is_right():
    global RATE

    def step(carry, x):
        return carry * RATE, x

    f = jit(lambda x: jax.lax.scan(step, x.sum(), jnp.arange(2.0))[0])
    assert float(f(jnp.ones(1))) == 4.0
    RATE = 3.0
    thread = threading.Thread(target=lambda: f(jnp.ones(1)))
    thread.start()
    thread.join()
    assert float(f(jnp.ones(2))) == 18.0


def test_two_jits_of_one_function_are_both_right():
    global RATE

    def f(x):
        return x * RATE

    one, two = jit(f), jit(f)
    assert float(one(X)) == 3.0
    RATE = 4.0
    assert (float(two(X)), float(one(X))) == (6.0, 6.0)


def test_the_code_of_the_function_itself_is_followed():
    def f(x):
        return x * RATE

    g = jit(f)
    outer = jit(lambda x: g(x) + 1.0)
    assert (float(g(X)), float(outer(X))) == (3.0, 4.0)
    f.__code__ = (lambda x: x - 1.0).__code__
    assert (float(outer(X)), float(g(X))) == (1.5, 0.5)


@pytest.mark.parametrize("undone", [False, True])
def test_a_change_during_a_trace_is_not_kept(undone):
    due = [3.0]

    @jit(ignore=("due", "globals", "note"))
    def f(x):
        note()
        result = x * RATE
        if undone:
            note(2.0)
        return result

    def note(value=None):
        if value is None and due:
            value = due.pop()
        if value is not None:
            globals()["RATE"] = value

    f(X)
    want = 1.5 * RATE
    assert (float(f(X)), float(f(X))) == (want, want)


def test_a_closure_cell_is_compared():
    def outer():
        factor = 2.0

        def f(x):
            return x * factor

        return f

    f = outer()
    g = jit(f)
    assert float(g(X)) == 3.0
    f.__closure__[0].cell_contents = 4.0
    assert float(g(X)) == 6.0


REFUSED = {
    "a NumPy array": ("T = np.ones(3)\ndef f(x): return jnp.dot(T, x)", "T, which is a NumPy array, which can be"),
    "its method": ("T = np.ones(3)\ndef f(x): return x + T.sum()", "T, which is a NumPy array"),
    "a list": ("T = [1.0]\ndef f(x): return x + T[0]", "T, which is a list"),
    "an instance": ("class C: x = 1.0\nc = C()\ndef f(x): return x + c.x", "c, which is an instance of C"),
    "a default": ("def f(x, t=[1.0]): return x + t[0]", "defaults, which is a list"),
    "a variable that code assigns": (
        "def outer():\n  n = 1.0\n  def f(x): return x + n\n  def put(y):\n    nonlocal n\n    n = y\n  return f, put\n"
        "f, put = outer()",
        r"variable 'n' of a function around it, which outer\.<locals>\.put assigns",
    ),
    "exec": ("def f(x):\n    exec('y = 1')\n    return x", r"exec\(\.\.\.\)"),
}  # fmt: skip


@pytest.mark.parametrize("text, named", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_seen_is_refused_by_name(text, named):
    names = {"__name__": "program", "np": np, "jnp": jnp, "types": types}
    exec(COMMON + text, names)
    x = jnp.ones(3)
    with pytest.raises(depwatch.Unwatchable, match=named):
        jit(names["f"])(x)
    with pytest.warns(UnseenWarning, match=named):
        jit(names["f"], on_unseen="warn")(x)
    jit(names["f"], on_unseen="ignore")(x)


def test_what_is_in_a_dict_is_watched():
    names = {"__name__": "program"}
    exec("D = {'k': 2.0}\ndef f(x): return x * D['k']", names)
    f = jit(names["f"])
    assert float(f(X)) == 3.0
    names["D"]["k"] = 4.0
    assert float(f(X)) == 6.0


def test_without_the_private_name_all_of_jax_is_cleared(monkeypatch):
    global RATE
    monkeypatch.setattr(watched, "_evict", None)

    def step(carry, x):
        return carry * RATE, x

    f = jit(lambda x: jax.lax.scan(step, x, jnp.arange(2.0))[0])
    assert float(f(X)) == 6.0
    RATE = 3.0
    assert float(f(X)) == 13.5


def test_explain_says_what_the_code_rests_on():
    f = jit(lambda x: x * RATE)
    assert explain(f).endswith("dropped 0 times; no call has looked into it since")
    f(X)
    assert "global 'RATE' of module test_jax_jit is 2.0" in explain(f)
    with pytest.raises(TypeError, match="is no function of depwatch"):
        explain(jax.jit(lambda x: x))


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: jit(3), TypeError, "jit takes a function, not 3"),
        (lambda: jit(jax.jit(lambda x: x)), TypeError, "is jitted already: use watch"),
        (lambda: watch(len), TypeError, "watch takes what jax.jit returns"),
        (lambda: jit(on_unseen="no")(len), ValueError, "on_unseen is 'no'"),
    ],
)
def test_wrong_use_is_refused_with_the_reason(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_a_function_and_what_it_compiled_die_together():
    def f(x):
        return x + 1.0

    g = jit(f)
    g(X)
    gone = weakref.ref(g), weakref.ref(f)
    del f, g
    depwatch.drain()
    gc.collect()
    jax.clear_caches()
    gc.collect()
    assert gone[0]() is None


def test_depwatch_switched_off_leaves_jax():
    code = (
        "import jax; from depwatch.integrations.jax import jit, watch\n"
        "f = jax.jit(lambda x: x)\n"
        "print(type(jit(lambda x: x)) is type(f), watch(f) is f)"
    )
    assert python(code, DEPWATCH="0", JAX_PLATFORMS="cpu") == "True True\n"
