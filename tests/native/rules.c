/* The self-check of ext/watch/, on a CPython that hides some events, or tells them without what was there before. */
#include <Python.h>

static int hidden_kind, hidden_event; /* 'D', 'F', 'C'; one of its events */

static PyDict_WatchCallback to_dict;
static PyFunction_WatchCallback to_function;
static PyCode_WatchCallback to_code;

static int is_hidden(int kind, int event) { return kind == hidden_kind && event == hidden_event; }

static int dict_event(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    return is_hidden('D', event) ? 0 : to_dict(event, dict, key, value);
}

static int function_event(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    return is_hidden('F', event) ? 0 : to_function(event, function, value);
}

static int code_event(PyCodeEvent event, PyCodeObject *code) { return is_hidden('C', event) ? 0 : to_code(event, code); }

static int add_dict(PyDict_WatchCallback callback)
{
    to_dict = callback;
    return PyDict_AddWatcher(dict_event);
}

static int add_function(PyFunction_WatchCallback callback)
{
    to_function = callback;
    return PyFunction_AddWatcher(function_event);
}

static int add_code(PyCode_WatchCallback callback)
{
    to_code = callback;
    return PyCode_AddWatcher(code_event);
}

#define PyDict_AddWatcher add_dict
#define PyFunction_AddWatcher add_function
#define PyCode_AddWatcher add_code
#include "watch/self_check.c"

PyObject *Unwatchable_error;

/* check(kind, event): what the self-check of that kind says while these events are hidden; None: nothing. */
static PyObject *check(PyObject *self, PyObject *args)
{
    int kind;
    if (!PyArg_ParseTuple(args, "Ci", &kind, &hidden_event))
        return NULL;
    hidden_kind = kind;
    if ((kind == 'D' ? self_check_dicts() : kind == 'F' ? self_check_functions() : self_check_codes()) == 0)
        Py_RETURN_NONE;
    PyObject *raised = PyErr_GetRaisedException(), *text = PyObject_Str(raised);
    Py_DECREF(raised);
    return text;
}

static PyMethodDef methods[] = {{"check", check, METH_VARARGS}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "rules", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit_rules(void)
{
    Unwatchable_error = PyExc_RuntimeError;
    return PyModule_Create(&module);
}
