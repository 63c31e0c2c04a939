import sys

import pytest
from life import Life

import depwatch


@pytest.fixture
def life():
    """A log for set_lifecycle_callback. Nobody hears of functions any more after the test."""
    yield Life()
    depwatch.set_lifecycle_callback(None)
    depwatch.drain()


@pytest.fixture
def unraisable(monkeypatch):
    """What went to sys.unraisablehook: (exception type, text)."""
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: raised.append((told.exc_type, str(told.exc_value))))
    return raised
