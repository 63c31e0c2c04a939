# cython: language_level=3
"""A native optimizer in small, in Cython: what depwatch.pxd offers, and nothing else of depwatch. For test_c_api.py."""

from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t

from depwatch cimport *

depwatch_import()


cdef extern from *:
    """
    static inline PyObject *taken(PyObject *value) { return value; }
    """
    object taken(PyObject*)  # the reference becomes Cython's


cdef class Times:
    """Code that multiplies by a global of a function, while the global stays: freeze it, test one byte, else look it up."""

    cdef object function, name, factor
    cdef uint32_t handle
    cdef const uint8_t* byte
    cdef readonly int breaks, slow
    cdef int states[3]  # how often each was told
    cdef object listening, hearing

    def __cinit__(self, function, name):
        cdef PyObject* value
        facet = depwatch_facet_of_global(function, name)
        recorder = depwatch_recorder_new(b"times", 0)
        if not depwatch_read(recorder, facet, &value):
            raise NameError(name)
        self.function, self.name, self.factor = function, name, taken(value)
        self.listening = depwatch_listen(facet, on_change, &self.breaks)
        self.handle = depwatch_commit(recorder)
        self.byte = depwatch_handle_byte(self.handle)
        self.hearing = depwatch_listen_handle(self.handle, on_state, self.states)

    @property
    def told(self):
        return self.states[<int>DEPWATCH_INVALID], self.states[<int>DEPWATCH_VALID], self.states[<int>DEPWATCH_RETIRED]

    def close(self):
        depwatch_unlisten(self.listening)
        depwatch_handle_release(self.handle)

    def __call__(self, x):
        if self.byte[0] == 0:
            return x * self.factor
        self.slow += 1
        return x * self.function.__globals__[self.name]


cdef void on_change(void* data, const depwatch_event* event) noexcept nogil:
    (<int*>data)[0] += 1


cdef void on_state(void* data, uint32_t handle, depwatch_state state, uint32_t facet) noexcept nogil:
    (<int*>data)[<int>state] += 1


cdef class Made:
    """How many functions of this code object were made."""

    cdef readonly int count
    cdef object listening

    def __cinit__(self, code):
        self.listening = depwatch_listen_created(code, on_change, &self.count)

    def close(self):
        depwatch_unlisten(self.listening)


def labelled(namespace, name, uintptr_t address, uintptr_t target, values):
    """The guard of a label there after each of the values is stored, and whether the value of the first moment was read."""
    cdef PyObject* value
    before = namespace[name]
    label = depwatch_jump_label(depwatch_recorder_new(b"labelled", 0), depwatch_facet_of_key(namespace, name),
                                <void*>address, <void*>target, &value)
    guards = []
    for each in values:
        namespace[name] = each
        guards.append(depwatch_label_guard(label)[0])
    depwatch_label_release(label)
    return guards, taken(value) is before


def many(namespace, names):
    """(the bytes of one handle for each name, after `change()`), all committed at once and released again."""
    cdef PyObject* value
    cdef uint64_t offsets[9]
    cdef uint32_t reads[8]
    cdef uint32_t handles[8]
    recorder = depwatch_recorder_new(b"many", 0)
    offsets[0] = 0
    for i, name in enumerate(names):
        if depwatch_read(recorder, depwatch_facet_of_key(namespace, name), &value):
            taken(value)
        reads[i] = i
        offsets[i + 1] = i + 1
    depwatch_commit_many(recorder, len(names), offsets, reads, handles)
    namespace[names[0]] = object()
    try:
        return [depwatch_handle_byte(handles[i])[0] for i in range(len(names))]
    finally:
        for i in range(len(names)):
            depwatch_handle_release(handles[i])


def refuse():
    return depwatch_handle_byte(12345)[0]
