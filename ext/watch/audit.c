#include "watch/audit.h"

#include <stdbool.h>

#include "watch/errors.h"
#include "watch/switch.h"
#include "watch/text.h"
#include "watch/watch.h"

static PyInterpreterState *audited; /* audit hooks are called for every interpreter of the process */
static uint64_t assignments;         /* of __class__ or __bases__, so far, in the interpreter `audited` */

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

/* Whether CPython reports `object.name = value` to our hook, also if the assignment then fails. -1 with MemoryError set. */
static int is_reported(PyObject *object, const char *name, PyObject *value)
{
    uint64_t before = assignments;
    if (PyObject_SetAttrString(object, name, value) < 0 && PyErr_ExceptionMatches(PyExc_MemoryError))
        return -1;
    PyErr_Clear();
    return assignments != before;
}

static int both_are_reported(void)
{
    PyObject *module = PyModule_New("depwatch_self_check");
    PyObject *type = module == NULL ? NULL : PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "depwatch_self_check");
    int reported = type == NULL ? -1 : is_reported(module, "__class__", (PyObject *)&PyModule_Type);
    if (reported == 1)
        reported = is_reported(type, "__bases__", Py_None);
    Py_XDECREF(type);
    Py_XDECREF(module);
    return reported;
}

/* Adds the audit hook once for the process, because CPython never removes one. 0: another audit hook refused ours. */
static int add_hook(void)
{
    static bool added;
    if (added)
        return 1;
    audited = PyInterpreterState_Get();
    added = PySys_AddAuditHook(on_audit_event, NULL) == 0;
    return added ? 1 : PyErr_ExceptionMatches(PyExc_MemoryError) ? -1 : 0;
}

int audit_assignments(const char *what)
{
    static bool answers;
    if (answers || switched_off)
        return 0;
    int reported = add_hook();
    if (reported == 1)
        reported = both_are_reported();
    answers = reported == 1;
    if (reported != 0)
        return answers ? 0 : -1;
    PyErr_Clear();
    PyErr_Format(Unwatchable_error,
                 "%s: an audit hook of this process refuses others, and without one of its own depwatch cannot see "
                 "`module.__class__ = ...` and `C.__bases__ = ...` in time; allow sys.addaudithook, or read globals instead",
                 what);
    return -1;
}
