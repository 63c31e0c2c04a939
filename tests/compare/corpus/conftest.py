"""A tiny corpus in a directory of the test's own."""

from pathlib import Path

import pytest
from tiny import Tiny


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return Tiny(tmp_path)
