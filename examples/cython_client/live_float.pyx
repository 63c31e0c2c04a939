# cython: language_level=3
"""A float in a Python namespace that compiled loops read without a look-up, as it is at each step."""

from depwatch cimport (
    DEPWATCH_F64, depwatch_cell_guard, depwatch_cell_word, depwatch_drain, depwatch_facet_of_key, depwatch_import,
    depwatch_value_cell,
)
from libc.stdint cimport uint8_t

depwatch_import()  # once in each module, before anything else of depwatch


cdef class LiveFloat:
    """The float under a name in a dict, such as vars(module): `value` is what it is now, from two loads."""

    cdef object cell  # keeps the word and the guard
    cdef const double* word
    cdef const uint8_t* guard

    def __cinit__(self, dict namespace, str name):
        self.cell = depwatch_value_cell(depwatch_facet_of_key(namespace, name), DEPWATCH_F64)
        self.word = <const double*>depwatch_cell_word(self.cell)
        self.guard = depwatch_cell_guard(self.cell)

    cdef double now(self) except? -1:
        if self.guard[0] == 0:  # deleted, or no float; or put back where only a look can tell, which a drain takes
            depwatch_drain()
            if self.guard[0] == 0:
                raise ValueError("the name is not there, or no float any more")
        return self.word[0]

    @property
    def value(self):
        return self.now()


def scaled_sum(values, LiveFloat scale):
    """The sum of scale * value: iterating over the values may change the scale, and the next product has the new one."""
    cdef double total = 0
    for value in values:
        total += scale.now() * <double>value
    return total
