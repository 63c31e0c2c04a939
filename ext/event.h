/* The callbacks that CPython calls, inside its own updates: those of the four kinds of watchers, and an audit hook.
 *
 * No Python, no allocation, no exception, no release of the GIL, return 0 always: changing a dict from its own callback
 * corrupts it, and an error return re-enters Python in the middle of an update (gh-154710).
 */
#ifndef DW_EVENT_H
#define DW_EVENT_H

#include <Python.h>
#include <stdint.h>

int on_dict_event(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value);
int on_type_event(PyTypeObject *type);
int on_function_event(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value);
int on_code_event(PyCodeEvent event, PyCodeObject *code);
int on_audit_event(const char *event, PyObject *arguments, void *unused);

extern PyInterpreterState *audited; /* audit hooks are called for every interpreter of the process */
extern uint64_t classes_assigned;   /* ever, in that one */

/* The end of an object's life: from DEALLOCATED, DESTROY, or a type's weak reference. */
void object_dies(uint32_t object);

#endif
