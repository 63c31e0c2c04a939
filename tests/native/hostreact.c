/* For the tests of tests/host only: watchers whose callbacks run Python code or fail, as no callback should; what is
 * fatal about that is tried in processes of its own. Nothing of depwatch.
 */
#include "watching.h"

static PyObject *reactions[128]; /* owned or NULL; by kind: called with (event, object, key, new value) */
static PyObject *failures[128];  /* owned or NULL; by kind: raised by every callback, None: nothing is set */
static long to_fail, failed;     /* how often they fail from now on, and how often they have */
static bool reacting;            /* what a reaction causes causes none */

static int react(int kind, const char *event, PyObject *object, PyObject *key, PyObject *value)
{
    if (failures[kind] != NULL) {
        if (failed >= to_fail)
            return 0;
        failed++;
        if (failures[kind] != Py_None)
            PyErr_SetObject((PyObject *)Py_TYPE(failures[kind]), failures[kind]);
        return -1;
    }
    if (reactions[kind] == NULL || reacting)
        return 0;
    reacting = true;
    PyObject *pending = PyErr_GetRaisedException();
    PyObject *result = PyObject_CallFunction(reactions[kind], "sOOO", event, object, OR_NULL(key), OR_NULL(value));
    reacting = false;
    if (result == NULL) {
        Py_XDECREF(pending);
        return -1;
    }
    Py_DECREF(result);
    PyErr_SetRaisedException(pending);
    return 0;
}

static int on_dict(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    return react('D', dict_events[event], dict, key, value);
}

static int on_type(PyTypeObject *type)
{
    /* 3.15 sends one for a type that has no reference left, of which none can be taken. */
    return Py_REFCNT(type) == 0 ? 0 : react('T', "TYPE", (PyObject *)type, NULL, NULL);
}

/* All functions come to their callbacks. Of those that do not fail, others than ours count only at the process's end. */
static bool is_ours(PyCodeObject *code)
{
    return is_finalizing() || (PyUnicode_Check(code->co_filename) &&
                               PyUnicode_CompareWithASCIIString(code->co_filename, "<host>") == 0);
}

static int on_function(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    if (failures['F'] == NULL && !is_ours((PyCodeObject *)function->func_code))
        return 0;
    return react('F', function_events[event], (PyObject *)function, NULL, value);
}

static int on_code(PyCodeEvent event, PyCodeObject *code)
{
    return is_ours(code) ? react('C', code_events[event], (PyObject *)code, NULL, NULL) : 0;
}

#if PY_VERSION_HEX >= 0x030e0000
static int on_context(PyContextEvent event, PyObject *context)
{
    return react('X', event == Py_CONTEXT_SWITCHED ? "SWITCHED" : "?", context, NULL, NULL);
}
#endif

static const Callbacks callbacks = {
    on_dict, on_type, on_function, on_code,
#if PY_VERSION_HEX >= 0x030e0000
    on_context,
#endif
};

/* add(kind, reaction) returns the slot of a watcher that calls reaction; one of each kind at a time. */
static PyObject *add(PyObject *self, PyObject *args)
{
    int kind;
    PyObject *reaction;
    if (!PyArg_ParseTuple(args, "CO", &kind, &reaction))
        return NULL;
    int slot = add_watcher(kind, &callbacks);
    if (slot < 0)
        return NULL;
    Py_XSETREF(reactions[kind], Py_NewRef(reaction));
    return PyLong_FromLong(slot);
}

/* add_failing(kind, exception, times=1) returns the slot of a watcher that fails that often, with None: without any. */
static PyObject *add_failing(PyObject *self, PyObject *args)
{
    int kind;
    PyObject *failure;
    failed = 0;
    to_fail = 1;
    if (!PyArg_ParseTuple(args, "CO|l", &kind, &failure, &to_fail))
        return NULL;
    int slot = add_watcher(kind, &callbacks);
    if (slot < 0)
        return NULL;
    Py_XSETREF(failures[kind], Py_NewRef(failure));
    return PyLong_FromLong(slot);
}

static PyObject *count_failed(PyObject *self, PyObject *unused) { return PyLong_FromLong(failed); }

static PyObject *clear(PyObject *self, PyObject *args)
{
    int kind, slot;
    if (!PyArg_ParseTuple(args, "Ci", &kind, &slot))
        return NULL;
    int result = clear_watcher(kind, slot);
    Py_CLEAR(reactions[kind]);
    Py_CLEAR(failures[kind]);
    return done(result);
}

/* --- what callbacks may want to do, and what is done to a process ------------------------------------------------- */

static PyObject *items(PyObject *self, PyObject *dict)
{
    PyObject *list = PyList_New(0), *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(dict, &position, &key, &value)) {
        PyObject *item = PyTuple_Pack(2, key, value);
        PyList_Append(list, item);
        Py_DECREF(item);
    }
    return list;
}

static PyObject *type_modified(PyObject *self, PyObject *type)
{
    PyType_Modified((PyTypeObject *)type);
    Py_RETURN_NONE;
}

/* Runs source in a new interpreter that shares the GIL and the memory of this one; returns whether it raised nothing. */
static PyObject *run_in_subinterpreter(PyObject *self, PyObject *source)
{
    PyThreadState *main = PyThreadState_Get();
    const char *text = PyUnicode_AsUTF8(source);
    PyThreadState *sub = text == NULL ? NULL : Py_NewInterpreter();
    if (sub == NULL)
        return PyErr_Format(PyExc_RuntimeError, "no new interpreter");
    int result = PyRun_SimpleString(text);
    Py_EndInterpreter(sub);
    PyThreadState_Swap(main);
    return PyBool_FromLong(result == 0);
}

static PyMethodDef methods[] = {
    {"add", add, METH_VARARGS},
    {"add_failing", add_failing, METH_VARARGS},
    {"count_failed", count_failed, METH_NOARGS},
    {"clear", clear, METH_VARARGS},
    {"items", items, METH_O},
    {"type_modified", type_modified, METH_O},
    {"run_in_subinterpreter", run_in_subinterpreter, METH_O},
    {NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hostreact", NULL, -1, methods};

PyMODINIT_FUNC PyInit_hostreact(void) { return PyModule_Create(&definition); }
