/* Room watch: CPython's watchers, audit events and weak references. In comes what CPython reports; out goes a call of
 * watch_callbacks. It knows no facet and no handle, and decides nothing.
 */

/* Watcher slots: one of CPython's 8 for each kind, taken at the first use, never given back.
 *
 * All functions return -1 with an exception set (Unwatchable where CPython or the limit of 8 refuses).
 */
#ifndef DW_WATCH_H
#define DW_WATCH_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

extern int dict_slot; /* depwatch's watcher of dicts; -1 before the first use */

/* 3.13.0 sends no event when an attribute is stored through the object while its dict has its values inside the object
 * (gh-125608): the third byte of ma_values says so there. */
static inline bool misses_events(PyObject *dict)
{
    const uint8_t *values = (const uint8_t *)((PyDictObject *)dict)->ma_values;
    return Py_Version >= 0x030d0000 && Py_Version < 0x030d01f0 && values != NULL && values[2] != 0;
}

/* What happens when CPython reports a change: given by the room that knows, before the first use. Called inside CPython's
 * updates: no Python, no allocation, no exception, no release of the GIL; 0 always. */
typedef struct WatchCallbacks {
    PyDict_WatchCallback dict;
    PyType_WatchCallback type;
    PyFunction_WatchCallback function;
    PyCode_WatchCallback code;
    void (*module_class)(PyObject *module, const PyObject *class); /* `module.__class__ = class` is about to be made */
    void (*bases)(PyTypeObject *type); /* `type.__bases__ = ...` is about to be made, if it can be */
    void (*death)(uint32_t id, PyObject *weakref); /* of an object with watch_death(), which returned weakref */
} WatchCallbacks;

void watch_call(const WatchCallbacks *callbacks); /* kept, not copied */
extern const WatchCallbacks *watch_callbacks;

int watch_dict(PyObject *dict);
void unwatch_dict(PyObject *dict);
int watch_type(PyTypeObject *type); /* the fallback where tp_subclasses cannot show a change of the MRO */
void unwatch_type(PyTypeObject *type);
int watch_functions(void);
int watch_codes(void);

/* Slots taken so far, one bit a kind: 1 dict, 2 type, 4 function, 8 code. */
unsigned watch_slots_taken(void);

#endif
