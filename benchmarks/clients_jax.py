"""What depwatch.integrations.jax costs, beside jax.jit; ./dev bench clients shows these rows."""

from __future__ import annotations

import itertools
import time
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from depwatch.integrations.jax import jit
from measure import Row, Spread, compare, interleave

CALLS = 200  # in one sample
cfg: Any = types.ModuleType("cfg")
cfg.SCALE = 2.0
BIAS = 10.0


class Settings:
    power = 2


def helper(x: Any) -> Any:
    return x + BIAS


def f(x: Any) -> Any:
    return helper(x * cfg.SCALE) ** Settings.power


def us(once: Callable[[], object], times: int) -> Callable[[], float]:
    def sample() -> float:
        start = time.perf_counter_ns()  # JAX computes in threads of its own
        for _ in range(times):
            once()
        return (time.perf_counter_ns() - start) / 1e3 / times

    return sample


def rows(quick: bool) -> list[Row]:
    samples = 5 if quick else 101
    x = jnp.float32(1.0)
    watched, plain, numbers = jit(f), jax.jit(f), itertools.count(3)
    watched(x), watched(x), plain(x)
    taken = interleave({"watched": us(lambda: watched(x), CALLS), "plain": us(lambda: plain(x), CALLS)}, samples)
    found = [compare("jax: a call", "µs", taken["watched"], taken["plain"], 1.15, "base: jax.jit")]

    def change() -> None:
        cfg.SCALE = float(next(numbers))
        watched(x).block_until_ready()

    def by_hand() -> None:
        cfg.SCALE = float(next(numbers))
        plain.clear_cache()
        plain(x).block_until_ready()

    def undone() -> None:
        before = cfg.SCALE
        cfg.SCALE = float(next(numbers))
        cfg.SCALE = before
        watched(x)

    few = max(3, samples // 5)
    taken = interleave({"change": us(change, 1), "by hand": us(by_hand, 1)}, few)
    base = "base: clear_cache() by hand, which does not reach scan's bodies"
    found.append(compare("jax: a change and the next call", "µs", taken["change"], taken["by hand"], None, base))
    watched(x)
    taken = interleave({"undone": us(undone, CALLS), "call": us(lambda: watched(x), CALLS)}, samples)
    base = "base: a call"
    found.append(compare("jax: an undone change and a call", "µs", taken["undone"], taken["call"], None, base))
    return [*found, everything(few)]


def everything(samples: int) -> Row:
    """What the public remedy costs: jax.clear_caches() forgets every function of the process."""
    functions = [jax.jit(eval(f"lambda x: jnp.tanh(x * {i} + 1).sum()", {"jnp": jnp})) for i in range(10)]
    x = jnp.ones(8)
    taken = []
    for _ in range(min(samples, 3)):
        jax.clear_caches()
        start = time.perf_counter_ns()
        for each in functions:
            each(x).block_until_ready()
        taken.append((time.perf_counter_ns() - start) / 1e3)
    return Row("jax: the next calls of 10 functions after jax.clear_caches()", "µs", Spread.of(taken))
