"""Recorder and replay come to the counts of a brute-force twin, on random programs."""

import tempfile
from pathlib import Path
from typing import Any

import brute
import pytest
from observing import Programs

COUNTS = (
    "dropped",
    "needlessly",
    "undone",
    "recompiled",
    "patches",
    "deopts",
    "deopt_calls",
    "revalidations",
    "guards",
)
QUICK = 4


@pytest.mark.parametrize("seed", [pytest.param(n, marks=() if n < QUICK else pytest.mark.slow) for n in range(20)])
def test_every_policy_counts_as_the_brute_force_twin_does(seed: int) -> None:
    steps = brute.steps(seed)
    truth = brute.truth(steps)
    with tempfile.TemporaryDirectory() as directory:
        observed = Programs(Path(directory)).observe(brute.program(steps))
    base = observed.policy("granular")["cold_calls"] - truth["granular"]["cold"]  # of functions that are never hot
    found: dict[str, Any] = {name: observed.policy(name) for name in truth}
    counted = {
        name: {count: whole[count] for count in COUNTS} | {"cold": whole["cold_calls"] - base}
        for name, whole in found.items()
    }
    assert counted == {name: {count: of[count] for count in (*COUNTS, "cold")} for name, of in truth.items()}
    assert all(not whole["spread"] for whole in found.values())
