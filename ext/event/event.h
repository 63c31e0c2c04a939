/* Room event: finds the facets that a change reported by CPython concerns, calls their actions, and queues the details of the
 * change for the drain. All of it runs inside CPython's callbacks; only queue_allocate() does not.
 */

/* The callbacks that CPython calls in the middle of its own updates: of the four kinds of watchers, of the audit hook, and of
 * the weak references to types.
 *
 * They run no Python, allocate nothing, raise nothing, keep the GIL and always return 0. Changing a dict from its own callback
 * corrupts the dict, and an error return makes CPython run Python in the middle of the update (gh-154710).
 */
#ifndef DW_EVENT_H
#define DW_EVENT_H

#include <Python.h>
#include <stdint.h>

#include "watch/watch.h"

int on_dict_event(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value);
int on_type_event(PyTypeObject *type);
int on_function_event(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value);
int on_code_event(PyCodeEvent event, PyCodeObject *code);
void on_module_class(PyObject *module, const PyObject *class);
void on_bases(PyTypeObject *type);
void on_type_death(uint32_t object, PyObject *weakref); /* called by the type's weak reference: types have no DESTROY event */

extern const WatchCallbacks event_callbacks; /* all callbacks above */

#endif
