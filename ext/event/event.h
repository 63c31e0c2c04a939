/* Room event: from what CPython reports to the facets that it concerns, whose actions are called; details are queued for the
 * drain. All of it runs inside CPython's callbacks, but for what allocates the queue.
 */

/* The callbacks that CPython calls, inside its own updates: those of the four kinds of watchers, and an audit hook.
 *
 * No Python, no allocation, no exception, no release of the GIL, return 0 always: changing a dict from its own callback
 * corrupts it, and an error return re-enters Python in the middle of an update (gh-154710).
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
void on_type_death(uint32_t object, PyObject *weakref); /* from its weak reference, as a type has no DESTROY event */

extern const WatchCallbacks event_callbacks; /* all of them */

#endif
