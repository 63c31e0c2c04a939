"""Each program under each change, beside NumPy and plain Python: the next call is right, undone means kept."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax_programs import CHANGES, PROGRAMS, ours, plain, program

from depwatch.integrations.jax import jit

X = 1.5


def two(text):
    names = program(text, ours())
    names["f"] = jit(names["f"])
    return names, program(text, plain())


def results(names, reference):
    return float(names["f"](jnp.float32(X))), float(reference["f"](np.float64(X)))


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_the_next_call_is_right_after_each_change(text):
    names, reference = two(text)
    got, want = map(list, zip(results(names, reference), strict=True))
    for change, undo in CHANGES.values():
        for source in (change, undo):
            exec(source, names)
            exec(source, reference)
            one = results(names, reference)
            got.append(one[0])
            want.append(one[1])
    np.testing.assert_allclose(got, want, rtol=1e-4)
    assert len({round(each, 3) for each in want}) > 1  # or the changes would show nothing


@pytest.mark.parametrize("text", [PROGRAMS["plain"], PROGRAMS["scan"]], ids=["plain", "scan"])
def test_an_undone_change_traces_nothing(text):
    names, _ = two(text)
    traced = []
    names["helper"] = (lambda helper: lambda x: (traced.append(1), helper(x))[1])(names["helper"])
    names["f"] = jit(names["f"].__wrapped__, on_unseen="ignore")
    before = float(names["f"](jnp.float32(X)))
    count = len(traced)
    for change, undo in list(CHANGES.values())[:4]:
        exec(change, names)
        exec(undo, names)
        assert float(names["f"](jnp.float32(X))) == before
    assert (len(traced), count > 0) == (count, True)


@pytest.mark.parametrize("text", [PROGRAMS["plain"], PROGRAMS["scan"], PROGRAMS["vmap"]], ids=["plain", "scan", "vmap"])
def test_a_thread_that_stores_and_calls_gets_what_is_right(text):
    names, reference = two(text)
    pairs = [results(names, reference)]

    def work():
        for number in range(4):
            source = f"cfg.SCALE = {number}.0"
            exec(source, names)
            exec(source, reference)
            pairs.append(results(names, reference))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    got, want = zip(*pairs, strict=True)
    np.testing.assert_allclose(got, want, rtol=1e-4)


@pytest.mark.parametrize("remedy", ["watch", "jit"])
def test_a_watched_function_inside_a_plain_jit_needs_a_remedy(remedy):
    from depwatch.integrations.jax import watch

    names = program(PROGRAMS["plain"], ours())
    inner = jit(names["f"])
    stale = jax.jit(lambda x: inner(x) + 1.0)
    outer = watch(jax.jit(lambda x: inner(x) + 1.0)) if remedy == "watch" else jit(lambda x: inner(x) + 1.0)
    one = float(stale(jnp.float32(X))), float(outer(jnp.float32(X)))
    assert one[0] == one[1]
    names["cfg"].SCALE = 3.0
    want = float(program(PROGRAMS["plain"] + "\ncfg.SCALE = 3.0", plain())["f"](X)) + 1.0
    assert (float(stale(jnp.float32(X))), float(outer(jnp.float32(X)))) == (one[0], pytest.approx(want))
