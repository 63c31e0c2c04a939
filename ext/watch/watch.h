/* Room watch: CPython's watchers, audit events and weak references. CPython reports a change here, and this room passes it
 * on by calling watch_callbacks. It knows no facet and no handle, and decides nothing.
 */

/* Watcher slots: depwatch takes one of CPython's 8 for each kind of object, at the first use of the kind, and keeps it.
 *
 * All functions that return int return -1 with an exception set: Unwatchable if CPython refuses, or if all 8 are taken.
 */
#ifndef DW_WATCH_H
#define DW_WATCH_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "watch/cpython.h"

extern int dict_slot; /* depwatch's watcher of dicts; -1 before the first use */

/* Whether this is the dict of an instance of which CPython 3.13.0 reports no `obj.name = value` (gh-125608): one whose values
 * are stored inside the instance. In 3.13.0 the third byte of ma_values is then not 0. */
static inline bool misses_events(PyObject *dict)
{
    const uint8_t *values = (const uint8_t *)((PyDictObject *)dict)->ma_values;
    return Py_Version >= 0x030d0000 && Py_Version < 0x030d01f0 && values != NULL && values[2] != 0;
}

/* The functions that CPython's watchers, audit hook and weak references call. The room event gives them at import. CPython
 * calls them in the middle of its own updates, so they run no Python, allocate nothing, raise nothing, keep the GIL, and
 * always return 0. */
typedef struct WatchCallbacks {
    PyDict_WatchCallback dict;
    PyType_WatchCallback type;
    PyFunction_WatchCallback function;
    PyCode_WatchCallback code;
    void (*module_class)(PyObject *module, const PyObject *class); /* `module.__class__ = class` is about to be made */
    void (*bases)(PyTypeObject *type); /* `type.__bases__ = ...` is about to be tried; it may still fail */
    void (*death)(uint32_t id, PyObject *weakref); /* an object died for which watch_death(object, id) returned weakref */
} WatchCallbacks;

void watch_call(const WatchCallbacks *callbacks); /* kept, not copied */
extern const WatchCallbacks *watch_callbacks;

int watch_dict(PyObject *dict);
void unwatch_dict(PyObject *dict);
int watch_type(PyTypeObject *type); /* only for a type of which no table of subclasses shows a change of the MRO */
void unwatch_type(PyTypeObject *type);
int watch_functions(void);
int watch_codes(void);

/* The watcher slots that depwatch has taken so far, one bit for each kind: 1 dict, 2 type, 4 function, 8 code. */
unsigned watch_slots_taken(void);

#endif
