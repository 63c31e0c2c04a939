#include "audit.h"

#include <stdbool.h>

#include "event.h"
#include "watch.h"

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
