# cython: language_level=3
"""The native part of recording, by CPython's API and depwatch's C API: see tap/tap.h."""

import os

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport Py_TYPE, PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF
from libc.errno cimport errno
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport strlen

from depwatch cimport *

depwatch_import()


cdef extern from "tap/tap.h" nogil:
    enum:
        NONE, MISSING
        ROW_OBJECT, ROW_FACET, ROW_FUNCTION, ROW_DEPENDENCY, ROW_RESOLVED
        FLAG_PATCHABLE, FLAG_PATCHABLE_GIVEN, FLAG_CALLS, FLAG_COUNT, FLAG_VALUE

    ctypedef struct Row:
        uint64_t time, calls
        uint32_t function, object, facet, via, count
        int32_t value
        uint32_t line, type, name, file
        uint8_t kind, flags

    ctypedef struct List:
        void** items
        uint32_t n

    ctypedef struct Lines:
        uint32_t n_ran, n
        uint8_t* ran
        int first

    ctypedef struct CFunction "Function":
        uint64_t calls, written
        uint32_t number, file
        bint look
        Lines* lines
        PyObject* python

    ctypedef struct Part:
        CObject* object
        PyObject* name

    ctypedef struct CObject "Object":
        uint32_t number
        bint dead
        PyObject* address
        Part parts[3]

    ctypedef struct CFacet "Facet":
        uint32_t number
        bint leads_on
        PyObject* provider
        int32_t number_now
        CObject* owner

    ctypedef struct Tap:
        bint on, was_on, undrained
        PyObject* drain_code
        uint64_t calls
        List dead

    ctypedef enum ObjectKind:
        OBJECT_DICT, OBJECT_TYPE, OBJECT_FUNCTION

    ctypedef enum FacetKind:
        FACET_KEY, FACET_TYPE, FACET_FUNCTION

    Tap tap

    uint64_t journal_time()
    Row* journal_row(int kind, uint64_t time)
    void journal_add()
    uint32_t journal_string(const char* text, size_t length)
    void journal_json(const char* text, size_t length)

    bint tap_open(const char* directory)
    void tap_drained()
    void tap_forget()
    void tap_end(bint has_status, int32_t status)
    void function_watch_next(CFunction* function)
    void function_compiles(CFunction* function)
    void function_look_later(CFunction* function)
    void windows_have_room(double most, double a_second)
    void function_depends(CFunction* function, CFacet** facets, uint32_t n_facets, CObject** objects, uint32_t n_objects)
    void on_object_event(void* object, const void* event)
    void on_type_event(void* object, const void* event)
    void on_function_event(void* part, const void* event)

cdef extern from "tap/tap.h":
    int (*tap_drain_depwatch)() except -1
    object functions_hot()
    void untrack(object thing)
    object weakref_to(object)
    object functions_start(object on_first_call, object on_threshold, uint64_t hot_after, const uint8_t* tables)
    CFunction* function_named(object called)
    CFunction* function_of(object code)
    uint64_t functions_other_namespaces()
    bint function_written(CFunction* function, uint32_t number, object python)
    CObject* object_new(ObjectKind kind, object thing)
    void object_bury(CObject* object)
    CFacet* facet_new(FacetKind kind, CObject* owner, object name)
    bint facet_lies_in(CFacet* facet, CObject* object)
    int facet_find(const CFacet* facet, const PyObject* without, bint may_run_python, PyObject** provider, PyObject** value)
    int32_t facet_sees(CFacet* facet, PyObject* value)
    void tap_let_go()
    int tap_drain() except -1

cdef extern from *:
    """
    #define listener_of_objects ((depwatch_listener)on_object_event)
    #define listener_of_types ((depwatch_listener)on_type_event)
    #define listener_of_functions ((depwatch_listener)on_function_event)
    static inline PyObject *or_none(PyObject *value) { return value == NULL ? Py_None : value; }
    """
    depwatch_listener listener_of_objects, listener_of_types, listener_of_functions
    object PyType_GetDict(PyTypeObject* cls)
    PyObject* PyFunction_GetCode(PyObject* function)
    PyObject* PyFunction_GetDefaults(PyObject* function)
    PyObject* PyFunction_GetKwDefaults(PyObject* function)
    PyObject* or_none(PyObject* value)
    PyTypeObject* Py_TYPE(object value)


cdef uint32_t next_function = 0


cdef int drain_depwatch() except -1:
    depwatch_drain()
    return 0


cdef uint32_t string_number(str text):
    if text is None:
        return NONE
    encoded = text.encode("utf-8", "surrogatepass")
    return journal_string(encoded, len(encoded))


cdef uint32_t name_of_type(value):
    cdef const char* name = Py_TYPE(value).tp_name
    return journal_string(name, strlen(name))


# --- the whole --------------------------------------------------------------------------------------------------------


def begin(str directory, on_first_call, on_threshold, uint64_t hot_after, drain_code, bytes tables not None):
    """Start the journal; return (on_call, on_line), callbacks for sys.monitoring. Raises OSError.

    on_first_call(code) returns the number of its file's name, or None for code that is not the program's.
    on_threshold(code, called, what function() was given or None, calls): it is time to look at what it depends on.
    drain_code: of depwatch.drain. tables: 512 bytes: of each instruction as it is in running code, how many units of cache
    follow it; then, whether the cache has a number of a class or function.
    """
    cdef bytes path = os.fsencode(directory)
    global tap_drain_depwatch
    tap_drain_depwatch = drain_depwatch
    Py_INCREF(drain_code)
    tap.drain_code = <PyObject*>drain_code
    if len(tables) != 512:
        raise ValueError(f"{len(tables)} bytes of tables, not 512")
    callbacks = functions_start(on_first_call, on_threshold, hot_after, <const unsigned char*>tables)
    if not tap_open(path):
        raise OSError(errno, os.strerror(errno), directory)
    return callbacks


def room(double most, double a_second):
    """How many rows there may be of windows that are one moment: for what measures the others."""
    windows_have_room(most, a_second)


def hide(thing):
    """The same: a new tuple, list or dict, which gc.get_objects() leaves out from now on."""
    untrack(thing)
    return thing


def weak(thing):
    """A weak reference, which gc.get_objects() leaves out if it is not the program's, too."""
    return weakref_to(thing)


def switch(bint on):
    """Record from now on, or not any more."""
    tap.on = on


def is_on():
    return bool(tap.on)


def drain():
    """Drain depwatch, if anything was written since it has drained."""
    tap_drain()


def end(status):
    """The last rows. status None: not known yet."""
    tap_end(status is not None, 0 if status is None else status)


def json(str text):
    """Add to the metadata of the trace."""
    encoded = text.encode("utf-8", "backslashreplace")
    journal_json(encoded, len(encoded))


def string(str text):
    """The number of a text in the journal."""
    return string_number(text)


def calls():
    """(all calls of the program so far, of these: of code in more namespaces than are told apart)"""
    return tap.calls, functions_other_namespaces()


include "process.pxi"


# --- objects and facets -----------------------------------------------------------------------------------------------


@cython.final
cdef class Object:
    """A dict, class or function in the trace, heard of from now on until it dies. Not kept alive."""

    cdef CObject* object  # owned; NULL once it is buried
    cdef readonly uint32_t number
    cdef list listening

    def __init__(self, owner, str type, str name, str file):
        """owner: a dict (a module's, too), a class or a function. Raises Unwatchable."""
        cdef uint32_t numbers[3]
        cdef Row* row
        cdef int i
        facets = []
        if type == "type":
            facets = [depwatch_facet_of_object(PyType_GetDict(<PyTypeObject*>owner)), depwatch_facet_of_object(owner)]
            self.object = object_new(OBJECT_TYPE, owner)
        elif type == "function":
            facets = [depwatch_facet_of_function(owner, part) for part in (DEPWATCH_CODE, DEPWATCH_DEFAULTS, DEPWATCH_KWDEFAULTS)]
            self.object = object_new(OBJECT_FUNCTION, owner)
        else:
            facets = [depwatch_facet_of_object(owner)]
            self.object = object_new(OBJECT_DICT, owner)
        if self.object == NULL:
            raise MemoryError()
        self.number = self.object.number
        numbers[0], numbers[1], numbers[2] = string_number(type), string_number(name), string_number(file)
        row = journal_row(ROW_OBJECT, journal_time())
        row.object, row.type, row.name, row.file = self.number, numbers[0], numbers[1], numbers[2]
        journal_add()
        if type == "type":
            self.listening = [depwatch_listen(facets[0], listener_of_objects, self.object),
                              depwatch_listen(facets[1], listener_of_types, self.object)]
        elif type == "function":
            self.listening = []
            for i, part in enumerate(("code", "defaults", "kwdefaults")):
                self.object.parts[i].object = self.object
                Py_INCREF(part)
                self.object.parts[i].name = <PyObject*>part
                self.listening.append(depwatch_listen(facets[i], listener_of_functions, &self.object.parts[i]))
        else:
            self.listening = [depwatch_listen(facets[0], listener_of_objects, self.object)]
        untrack(self)

    @property
    def dead(self):
        return self.object == NULL or self.object.dead

    cdef bury(self):
        for listening in self.listening:
            depwatch_unlisten(listening)
        self.listening = None
        if self.object != NULL:
            object_bury(self.object)
            self.object = NULL
            tap_let_go()


def bury(things):
    """Forget these objects, which are dead, and their facets."""
    cdef Object thing
    tap.dead.n = 0
    for thing in things:
        thing.bury()


def any_dead():
    return tap.dead.n != 0


KINDS = {"global": FACET_KEY, "type attribute": FACET_TYPE, "function": FACET_FUNCTION}


@cython.final
cdef class Facet:
    """A part of an object that can change, in the trace. Must not be used once its owner is buried."""

    cdef CFacet* facet  # owned by its owner
    cdef readonly uint32_t number
    cdef readonly Object owner
    cdef readonly str name, kind
    cdef tuple chain  # of objects that it lies in, by which it was last looked up

    def __init__(self, str kind, Object owner, str name):
        cdef uint32_t numbers[2]
        cdef Row* row
        if owner.object == NULL:
            raise ValueError("the object is dead")
        self.facet = facet_new(KINDS[kind], owner.object, name)
        if self.facet == NULL:
            raise MemoryError()
        self.number, self.owner, self.name, self.kind = self.facet.number, owner, name, kind
        numbers[0], numbers[1] = string_number(kind), string_number(name)
        row = journal_row(ROW_FACET, journal_time())
        row.facet, row.object, row.type, row.name = self.number, owner.number, numbers[0], numbers[1]
        journal_add()
        untrack(self)

    def lies_in(self, Object place):
        """Events of that object concern it."""
        if place.object != NULL and not facet_lies_in(self.facet, place.object):
            raise MemoryError()

    def lies_along(self, tuple chain):
        """Events of these objects concern it."""
        if self.chain is not chain:
            untrack(chain)
            for place in chain:
                self.lies_in(place)
            self.chain = chain

    def leads_on(self):
        """Others are reached through its value."""
        self.facet.leads_on = True

    cdef bint look(self, PyObject** value):
        """Look up the value (borrowed, NULL: it is missing). True if that is what events said."""
        cdef int32_t before = self.facet.number_now
        cdef PyObject* provider = NULL
        value[0] = NULL
        if self.kind != "function":
            facet_find(self.facet, NULL, True, &provider, value)
        elif self.name == "code":
            value[0] = PyFunction_GetCode(self.facet.owner.address)
        elif self.name == "defaults":
            value[0] = or_none(PyFunction_GetDefaults(self.facet.owner.address))
        else:
            value[0] = or_none(PyFunction_GetKwDefaults(self.facet.owner.address))
        self.facet.provider = provider
        return facet_sees(self.facet, value[0]) == before


# --- functions --------------------------------------------------------------------------------------------------------


# Python names a function by `called`, a capsule that on_threshold got. It outlives the function: what is then to be done to
# it is not done.


cdef CFunction* known(called) except NULL:
    cdef CFunction* function = function_named(called)
    if function == NULL:
        raise ValueError("the function has died")
    return function


def function(called, str name, count, python):
    """Write the function's row; python is given to on_threshold from now on."""
    global next_function
    cdef CFunction* function = known(called)
    cdef Row* row
    cdef uint32_t number
    if function.number != NONE:
        return
    if not function_written(function, next_function, python):
        raise MemoryError()
    next_function += 1
    number = string_number(name)
    row = journal_row(ROW_FUNCTION, journal_time())
    row.function, row.name, row.file = function.number, number, function.file
    row.line, row.count = function.lines.first if function.lines.first > 0 else 0, count
    row.flags = FLAG_COUNT
    journal_add()


def lines(called):
    """The lines of its code that have run, in any namespace."""
    cdef Lines* lines = known(called).lines
    cdef uint32_t i
    return {lines.first + i for i in range(lines.n) if lines.ran[i >> 3] >> (i & 7) & 1}


def resolved(called, list dependencies, bint is_new):
    """What it depends on from now on: tuples (facet, objects, via or None, patchable, (value,) or ()).

    Written if is_new, or if a value is not the one that events told. False: a value is not the one given any more.
    """
    cdef CFunction* function = known(called)
    cdef CFacet** facets = <CFacet**>PyMem_Malloc((len(dependencies) + 1) * sizeof(CFacet*))
    cdef list places = []
    cdef Facet facet
    cdef Object place
    cdef CObject** objects
    cdef Row* row
    cdef uint32_t via_number, type_number
    cdef uint64_t time
    cdef int i = 0
    cdef bint as_given = True
    cdef PyObject* now
    if facets == NULL:
        raise MemoryError()
    for facet, owners, via, patchable, value in dependencies:
        if facet.owner.dead:
            as_given = False
            continue
        is_new = not facet.look(&now) or is_new
        as_given = as_given and now == (<PyObject*>value[0] if value else NULL)
        facets[i] = facet.facet
        i += 1
        for place in owners:
            if place not in places and place.object != NULL:
                places.append(place)
    objects = <CObject**>PyMem_Malloc((len(places) + 1) * sizeof(CObject*))
    if objects == NULL:
        PyMem_Free(facets)
        raise MemoryError()
    for j, place in enumerate(places):
        objects[j] = place.object
    function_depends(function, facets, i, objects, len(places))
    PyMem_Free(facets)
    PyMem_Free(objects)
    if not is_new:
        return as_given
    time = journal_time()
    for facet, owners, via, patchable, value in dependencies:
        if facet.owner.dead:
            continue
        via_number = NONE if via is None else via
        type_number = name_of_type(value[0]) if value else NONE
        for place in owners:
            row = journal_row(ROW_DEPENDENCY, time)
            row.function, row.facet, row.object, row.via = function.number, facet.number, place.number, via_number
            row.value, row.type = facet.facet.number_now, type_number
            row.flags = FLAG_VALUE | FLAG_PATCHABLE_GIVEN | (FLAG_PATCHABLE if patchable else 0)
            journal_add()
    row = journal_row(ROW_RESOLVED, time)
    row.function, row.calls, row.flags = function.number, function.calls, FLAG_CALLS
    journal_add()
    return as_given


def look_at_code(code):
    """Call on_threshold at the next call of this code, if it has been called."""
    cdef CFunction* function = function_of(code)
    if function != NULL:
        function.look = True
        function_watch_next(function)


def look(called):
    """Call on_threshold at the next call."""
    cdef CFunction* function = function_named(called)
    if function != NULL:
        function.look = True
        function_watch_next(function)


def compiles(called):
    """For tests: at this call an optimizer that runs beside the recorder compiles the function."""
    cdef CFunction* function = function_named(called)
    if function != NULL:
        function_compiles(function)


def look_later(called):
    """Call on_threshold again after a while, although nothing changes."""
    cdef CFunction* function = function_named(called)
    if function != NULL:
        function_look_later(function)


cdef extern from *:
    """
    static unsigned int version_tag(PyObject *type) { return ((PyTypeObject *)type)->tp_version_tag; }

    static int collect(PyObject *object, void *list)
    {
        if (PyFunction_Check(object) && ((PyFunctionObject *)object)->func_version != 0 && list_add(list, object))
            Py_INCREF(object);
        return 1;
    }

    /* [(function, number)] of all that the garbage collector knows. */
    static PyObject *all_functions(void)
    {
        List found = {NULL, 0, 0};
        PyUnstable_GC_VisitObjects(collect, &found);
        PyObject *all = PyList_New(0);
        for (uint32_t i = 0; i < found.n; i++) {
            PyObject *function = found.items[i];
            PyObject *pair = all == NULL ? NULL : Py_BuildValue("OI", function, ((PyFunctionObject *)function)->func_version);
            if (pair == NULL || PyList_Append(all, pair) < 0)
                Py_CLEAR(all);
            Py_XDECREF(pair);
            Py_DECREF(function);
        }
        free(found.items);
        return all;
    }
    """
    unsigned int version_tag(object)
    object all_functions()


def functions():
    """All Python functions with a number, as CPython's inline caches have it: pairs."""
    return all_functions()


def version_of(cls):
    """The number of the class's present state, as CPython's inline caches have it; 0: it has none."""
    return version_tag(cls)


include "code.pxi"
