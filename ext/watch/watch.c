#include "watch/watch.h"

#include "watch/errors.h"
#include "watch/self_check.h"
#include "watch/switch.h"

bool switched_off;

const WatchCallbacks *watch_callbacks;

void watch_call(const WatchCallbacks *callbacks) { watch_callbacks = callbacks; }

int dict_slot = -1;
static int type_slot = -1, function_slot = -1, code_slot = -1;

/* CPython's own message does not say what the limit is or what to do about it. */
static int slot_taken(int *slot, int added, const char *kind)
{
    if (added >= 0) {
        *slot = added;
        return 0;
    }
    PyErr_Format(Unwatchable_error,
                 "no %s watcher slot is free: CPython has 8 for each kind, and other extensions (or CPython itself) "
                 "hold all of them; use depwatch before those extensions load, or do without one of them",
                 kind);
    return -1;
}

static int refused(const char *kind, PyObject *object)
{
    PyObject *cause = PyErr_GetRaisedException();
    PyErr_Format(Unwatchable_error, "CPython refuses to watch this %s of type %.100s: %S", kind,
                 Py_TYPE(object)->tp_name, cause);
    Py_DECREF(cause);
    return -1;
}

int watch_dict(PyObject *dict)
{
    if (switched_off)
        return 0;
    if (misses_events(dict)) {
        PyErr_SetString(Unwatchable_error,
                        "the __dict__ of an instance: CPython 3.13.0 does not report `obj.name = value` (gh-125608); "
                        "use a later 3.13, or keep the value in a module or a class");
        return -1;
    }
    if (dict_slot < 0 &&
        (self_check_dicts() < 0 || slot_taken(&dict_slot, PyDict_AddWatcher(watch_callbacks->dict), "dict") < 0))
        return -1;
    return PyDict_Watch(dict_slot, dict) < 0 ? refused("dict", dict) : 0;
}

void unwatch_dict(PyObject *dict)
{
    if (!switched_off && PyDict_Unwatch(dict_slot, dict) < 0)
        PyErr_Clear();
}

int watch_type(PyTypeObject *type)
{
    if (switched_off)
        return 0;
    if (type_slot < 0 && slot_taken(&type_slot, PyType_AddWatcher(watch_callbacks->type), "type") < 0)
        return -1;
    return PyType_Watch(type_slot, (PyObject *)type) < 0 ? refused("type", (PyObject *)type) : 0;
}

void unwatch_type(PyTypeObject *type)
{
    if (!switched_off && PyType_Unwatch(type_slot, (PyObject *)type) < 0)
        PyErr_Clear();
}

int watch_functions(void)
{
    if (function_slot >= 0 || switched_off)
        return 0;
    if (self_check_functions() < 0)
        return -1;
    return slot_taken(&function_slot, PyFunction_AddWatcher(watch_callbacks->function), "function");
}

int watch_codes(void)
{
    if (code_slot >= 0 || switched_off)
        return 0;
    if (self_check_codes() < 0)
        return -1;
    return slot_taken(&code_slot, PyCode_AddWatcher(watch_callbacks->code), "code");
}

unsigned watch_slots_taken(void)
{
    return (dict_slot >= 0 ? 1u : 0) | (type_slot >= 0 ? 2u : 0) | (function_slot >= 0 ? 4u : 0) |
           (code_slot >= 0 ? 8u : 0);
}
