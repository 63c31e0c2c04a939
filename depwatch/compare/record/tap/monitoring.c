/* The recorder's tool of sys.monitoring, which the program does not see: it finds the ID free, and when it uses that one, the
 * recorder goes to another. */
#include "hook.h"
#include "tap.h"

static struct {
    int tool; /* -1: none */
    PyObject *on_wanted; /* owned */
    PyInterpreterState *interpreter;
} hidden = {-1, NULL, NULL};

enum { GET_TOOL, GET_EVENTS, GET_LOCAL_EVENTS, ALL_EVENTS, FIRST_USE };

static PyObject *without_ours(PyObject *all) /* steals {event: bits of tools}, or NULL */
{
    PyObject *left = all == NULL ? NULL : PyDict_New(), *name, *bits;
    Py_ssize_t position = 0;
    while (left != NULL && PyDict_Next(all, &position, &name, &bits)) {
        long others = PyLong_AsLong(bits) & ~(1L << hidden.tool);
        PyObject *number = others == 0 ? NULL : PyLong_FromLong(others);
        if (others != 0 && (number == NULL || PyDict_SetItem(left, name, number) < 0))
            Py_CLEAR(left);
        Py_XDECREF(number);
    }
    Py_XDECREF(all);
    return left;
}

static PyObject *called(const Call *call);
static Hook hooks[];

HOOK_WAYS(0)
HOOK_WAYS(1)
HOOK_WAYS(2)
HOOK_WAYS(3)
HOOK_WAYS(4)
HOOK_WAYS(5)
HOOK_WAYS(6)
HOOK_WAYS(7)
HOOK_WAYS(8)
HOOK_WAYS(9)

#define HOOK(NUMBER, NAME) [NUMBER] = {"sys.monitoring", NAME, {0, 0, 0}, HOOK_HOW(NUMBER)}

static Hook hooks[] = {
    HOOK(0, "get_tool"),     HOOK(1, "get_events"),       HOOK(2, "get_local_events"), HOOK(3, "_all_events"),
    HOOK(4, "use_tool_id"),  HOOK(5, "set_events"),       HOOK(6, "set_local_events"), HOOK(7, "register_callback"),
    HOOK(8, "free_tool_id"), HOOK(9, "clear_tool_id"),
};

#define N_HOOKS ((int)(sizeof hooks / sizeof *hooks))

static PyObject *called(const Call *call)
{
    int which = (int)(call->hook - hooks);
    if (hidden.tool < 0 || PyInterpreterState_Get() != hidden.interpreter)
        return hook_pass_on(call, call->arguments);
    if (which == ALL_EVENTS)
        return without_ours(hook_pass_on(call, call->arguments));
    long tool = call->n > 0 && PyLong_CheckExact(call->arguments[0]) ? PyLong_AsLong(call->arguments[0]) : -1;
    PyErr_Clear(); /* too large: CPython says so */
    if (tool == hidden.tool) {
        if (which == GET_TOOL)
            Py_RETURN_NONE;
        if (which == GET_EVENTS)
            return PyLong_FromLong(0);
        if (which == GET_LOCAL_EVENTS)
            return PyErr_Format(PyExc_ValueError, "tool %ld is not in use", tool);
        PyObject *result = PyObject_CallNoArgs(hidden.on_wanted);
        if (result == NULL)
            return NULL;
        Py_DECREF(result);
    }
    return hook_pass_on(call, call->arguments);
}

PyObject *monitoring_functions(void)
{
    PyObject *functions = PyDict_New(), *monitoring = PySys_GetObject("monitoring"); /* borrowed */
    if (functions == NULL || monitoring == NULL || hooks_set(hooks, N_HOOKS, monitoring) < 0) {
        Py_XDECREF(functions);
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_RuntimeError, "sys.monitoring is gone");
    }
    for (int i = 0; i < N_HOOKS; i++) {
        PyObject *function = hooks[i].before.ml_meth == NULL ? NULL : hook_original(&hooks[i], monitoring);
        if (function != NULL && PyDict_SetItemString(functions, hooks[i].name, function) < 0)
            Py_CLEAR(functions);
        Py_XDECREF(function);
        if (PyErr_Occurred())
            break;
    }
    return functions;
}

void monitoring_hide(int tool, PyObject *on_wanted)
{
    Py_XSETREF(hidden.on_wanted, Py_NewRef(on_wanted));
    hidden.tool = tool;
    hidden.interpreter = PyInterpreterState_Get();
}
