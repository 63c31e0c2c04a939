import pytest

import depwatch

RATE = 1
LOG = []


class Shape:
    sides = 3


def read():
    return RATE


@pytest.fixture(scope="module")
def handle():
    recorder = depwatch.Recorder("rewritten")
    assert recorder.read_global(read, "RATE") == 1
    assert recorder.read_type_attr(Shape, "sides") == 3
    handle = recorder.commit(on_invalidate=lambda handle: LOG.append("invalidated"))
    yield handle
    handle.release()


@pytest.mark.parametrize("turn", range(4))
def test_patched(handle, monkeypatch, turn):
    assert handle.valid and read() == 1
    monkeypatch.setattr(f"{__name__}.RATE", 2)
    assert handle.broken == 1
    assert read() == 2
    monkeypatch.setattr(Shape, "sides", 4)
    assert handle.broken == 2
    assert "RATE" in depwatch.explain(handle) and "sides" in depwatch.explain(handle)


def test_undone(handle):
    assert handle.valid
    depwatch.drain()
    assert LOG == ["invalidated"] * 4
    assert recorded() == 1


def recorded():
    recorder = depwatch.Recorder("again")
    value = recorder.read_global(read, "RATE")
    recorder.commit().release()
    return value


def test_what_fails_is_explained_by_the_rewritten_assert(handle):
    assert recorded() + handle.broken == 3
