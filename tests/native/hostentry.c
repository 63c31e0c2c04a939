/* For the tests of tests/host only: other entries (vectorcall) for Python functions, that count how often they ran.
 * Nothing of depwatch.
 */
#include "watching.h"

static vectorcallfunc original; /* of all Python functions; NULL until the first installation */
static unsigned long hits;

static PyObject *pass_on(PyObject *function, PyObject *const *args, size_t flags, PyObject *names)
{
    hits++;
    return original(function, args, flags, names);
}

/* Does not run the function's code at all. */
static PyObject *answer(PyObject *function, PyObject *const *args, size_t flags, PyObject *names)
{
    hits++;
    return PyUnicode_FromString("the entry's answer");
}

static void install_entry(PyObject *function, vectorcallfunc entry)
{
    PyFunctionObject *f = (PyFunctionObject *)function;
    if (original == NULL)
        original = f->vectorcall;
    PyFunction_SetVectorcall(f, entry);
}

/* An entry that counts and calls the original one. */
static PyObject *install(PyObject *self, PyObject *function)
{
    install_entry(function, pass_on);
    Py_RETURN_NONE;
}

static PyObject *install_answer(PyObject *self, PyObject *function)
{
    install_entry(function, answer);
    Py_RETURN_NONE;
}

static PyObject *restore(PyObject *self, PyObject *function)
{
    PyFunction_SetVectorcall((PyFunctionObject *)function, original);
    Py_RETURN_NONE;
}

/* What PyFunction_SetVectorcall is there to avoid. */
static PyObject *write_field(PyObject *self, PyObject *function)
{
    original = ((PyFunctionObject *)function)->vectorcall;
    ((PyFunctionObject *)function)->vectorcall = pass_on;
    Py_RETURN_NONE;
}

static PyObject *is_installed(PyObject *self, PyObject *function)
{
    return PyBool_FromLong(((PyFunctionObject *)function)->vectorcall == pass_on);
}

/* The number of times that an entry ran since the last question. */
static PyObject *take_hits(PyObject *self, PyObject *unused)
{
    unsigned long n = hits;
    hits = 0;
    return PyLong_FromUnsignedLong(n);
}

static PyObject *version(PyObject *self, PyObject *function)
{
    return PyLong_FromUnsignedLong(((PyFunctionObject *)function)->func_version);
}

static PyObject *call_one_arg(PyObject *self, PyObject *args)
{
    PyObject *callable, *argument;
    return PyArg_ParseTuple(args, "OO", &callable, &argument) ? PyObject_CallOneArg(callable, argument) : NULL;
}

static PyObject *call(PyObject *self, PyObject *args)
{
    PyObject *callable, *arguments;
    return PyArg_ParseTuple(args, "OO", &callable, &arguments) ? PyObject_Call(callable, arguments, NULL) : NULL;
}

static PyMethodDef methods[] = {
    {"install", install, METH_O},
    {"install_answer", install_answer, METH_O},
    {"restore", restore, METH_O},
    {"write_field", write_field, METH_O},
    {"is_installed", is_installed, METH_O},
    {"take_hits", take_hits, METH_NOARGS},
    {"version", version, METH_O},
    {"call_one_arg", call_one_arg, METH_VARARGS},
    {"call", call, METH_VARARGS},
    {NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hostentry", NULL, -1, methods};

PyMODINIT_FUNC PyInit_hostentry(void) { return PyModule_Create(&definition); }
