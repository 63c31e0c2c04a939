"""Cases that readers thought of, of each kind: kept right, or refused with the reason; never another number."""

import pytest
from cases import CASES, run

QUICK = {name.split(":")[0]: name for name in CASES}.values()  # one of each kind


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in CASES
])  # fmt: skip
def test_a_case_gives_what_it_should_or_is_refused_with_the_reason(name):
    assert run(name) == []
