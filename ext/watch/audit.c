#include "watch/audit.h"

#include <stdbool.h>

#include "watch/errors.h"
#include "watch/text.h"
#include "watch/watch.h"

static PyInterpreterState *audited; /* audit hooks are called for every interpreter of the process */
static uint64_t assignments;         /* ever, in that one */

static int on_audit_event(const char *event, PyObject *arguments, void *Py_UNUSED(unused))
{
    if (strcmp(event, "object.__setattr__") != 0 || PyTuple_GET_SIZE(arguments) != 3 || PyInterpreterState_Get() != audited)
        return 0;
    PyObject *object = PyTuple_GET_ITEM(arguments, 0), *name = PyTuple_GET_ITEM(arguments, 1);
    bool class = IS_TEXT(name, "__class__"), bases = IS_TEXT(name, "__bases__");
    assignments += class || bases;
    if (class && PyModule_Check(object))
        watch_callbacks->module_class(object, PyTuple_GET_ITEM(arguments, 2));
    if (bases && PyType_Check(object))
        watch_callbacks->bases((PyTypeObject *)object);
    return 0;
}

/* Whether object.name = value is heard of, whatever comes of it. */
static bool is_heard(PyObject *object, const char *name, PyObject *value)
{
    uint64_t before = assignments;
    if (object != NULL && PyObject_SetAttrString(object, name, value) < 0)
        PyErr_Clear();
    return assignments != before;
}

static bool both_are_heard(void)
{
    PyObject *module = PyModule_New("depwatch_self_check");
    PyObject *type = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "depwatch_self_check");
    bool heard = is_heard(module, "__class__", (PyObject *)&PyModule_Type) && is_heard(type, "__bases__", Py_None);
    Py_XDECREF(type);
    Py_XDECREF(module);
    return heard;
}

int audit_assignments(const char *what)
{
    static bool added;
    if (added)
        return 0;
    audited = PyInterpreterState_Get();
    if (PySys_AddAuditHook(on_audit_event, NULL) == 0 && both_are_heard()) {
        added = true;
        return 0;
    }
    PyErr_Clear();
    PyErr_Format(Unwatchable_error,
                 "%s: an audit hook of this process refuses others, and without one of its own depwatch cannot see "
                 "`module.__class__ = ...` and `C.__bases__ = ...` in time; allow sys.addaudithook, or read globals instead",
                 what);
    return -1;
}
