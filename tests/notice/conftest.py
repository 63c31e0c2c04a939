import pytest
from life import Life

import depwatch


@pytest.fixture
def life():
    """A log for set_lifecycle_callback. Nobody hears of functions any more after the test."""
    yield Life()
    depwatch.set_lifecycle_callback(None)
    depwatch.drain()
