"""Arrays are the program's: one that depwatch watches is resized, and dies, as without."""

import sys
import weakref

import numpy as np
import pytest

import depwatch
from support import freeze, namespace, without_automatic_drain


def kept_by(space, interest):
    if interest == "handle":
        return freeze(space, "BUFFER").commit()
    return depwatch.subscribe(lambda event: None, space, *(["BUFFER"] if interest == "name" else []))


@pytest.mark.parametrize("interest", ["handle", "name", "dict"])
@pytest.mark.parametrize("refcheck", [True, False])
@pytest.mark.parametrize("kind", [np.zeros, lambda n: np.zeros(n).view(np.recarray), lambda n: np.matrix(np.zeros(n))])
@without_automatic_drain
def test_an_array_is_resized_although_it_was_stored_or_replaced(interest, refcheck, kind):
    make = lambda: np.array(kind(4), subok=True)  # owns its memory
    array = make()
    space = namespace(BUFFER=array)
    kept = kept_by(space, interest)
    space["BUFFER"] = 1
    refcheck = refcheck and sys.version_info < (3, 14)  # NumPy counts references, of which 3.14 borrows some
    array.resize(8, refcheck=refcheck)
    depwatch.drain()
    assert weakref.getweakrefcount(array) == 0
    array.resize((16,), refcheck=False)
    space["BUFFER"] = make()
    space["BUFFER"].resize((8,), refcheck=refcheck)
    depwatch.drain()
    assert weakref.getweakrefcount(space["BUFFER"]) == 0
    if isinstance(kept, depwatch.Subscription):
        kept.cancel()


@without_automatic_drain
def test_an_array_dies_in_the_store_that_drops_it():
    space = namespace(BUFFER=np.zeros(4))
    reference = weakref.ref(space["BUFFER"])
    handle = freeze(space, "BUFFER").commit()
    space["BUFFER"] = None
    assert reference() is None
    depwatch.drain()
    assert handle.retired


@without_automatic_drain
def test_a_number_of_numpy_that_comes_back_holds_again():
    value = np.float64(1.5)
    space = namespace(X=value)
    handle = freeze(space, "X").commit()
    space["X"] = 2
    depwatch.drain()
    space["X"] = value
    assert handle.valid
