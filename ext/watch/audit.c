#include "watch/audit.h"

#include <stdbool.h>

#include "watch/errors.h"
#include "watch/text.h"
#include "watch/watch.h"

static PyInterpreterState *audited; /* audit hooks are called for every interpreter of the process */
static uint64_t classes_assigned;   /* ever, in that one */

static int on_audit_event(const char *event, PyObject *arguments, void *Py_UNUSED(unused))
{
    if (strcmp(event, "object.__setattr__") != 0 || PyTuple_GET_SIZE(arguments) != 3)
        return 0;
    if (!IS_TEXT(PyTuple_GET_ITEM(arguments, 1), "__class__") || PyInterpreterState_Get() != audited)
        return 0;
    classes_assigned++;
    PyObject *module = PyTuple_GET_ITEM(arguments, 0);
    if (PyModule_Check(module))
        watch_callbacks->module_class(module, PyTuple_GET_ITEM(arguments, 2));
    return 0;
}

static bool is_heard(void)
{
    uint64_t before = classes_assigned;
    PyObject *module = PyModule_New("depwatch_self_check");
    if (module != NULL && PyObject_SetAttrString(module, "__class__", (PyObject *)Py_TYPE(module)) < 0)
        PyErr_Clear();
    Py_XDECREF(module);
    return classes_assigned != before;
}

int audit_module_classes(void)
{
    static bool added;
    if (added)
        return 0;
    audited = PyInterpreterState_Get();
    if (PySys_AddAuditHook(on_audit_event, NULL) == 0 && is_heard()) {
        added = true;
        return 0;
    }
    PyErr_Clear();
    PyErr_SetString(Unwatchable_error,
                    "attributes of modules: an audit hook of this process refuses others, and without one of its own depwatch "
                    "cannot see `module.__class__ = ...`; allow sys.addaudithook, or read globals instead");
    return -1;
}
