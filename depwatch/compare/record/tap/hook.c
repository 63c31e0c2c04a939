#include "hook.h"

typedef PyObject *(*Fast)(PyObject *, PyObject *const *, Py_ssize_t); /* CPython 3.12 has no public names for these */
typedef PyObject *(*FastWithKeywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

PyObject *hook_pass_on(const Call *call, PyObject *const *arguments)
{
    const PyMethodDef *before = &call->hook->before;
    void (*function)(void) = (void (*)(void))before->ml_meth;
    if (before->ml_flags == METH_FASTCALL)
        return ((Fast)function)(call->self, arguments, call->n);
    if (before->ml_flags == (METH_FASTCALL | METH_KEYWORDS))
        return ((FastWithKeywords)function)(call->self, arguments, call->n, call->names);
    if (before->ml_flags == METH_O || before->ml_flags == METH_NOARGS)
        return before->ml_meth(call->self, call->n == 0 ? NULL : arguments[0]);
    PyObject *tuple = PyTuple_New(call->n);
    if (tuple == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < call->n; i++)
        PyTuple_SET_ITEM(tuple, i, Py_NewRef(arguments[i]));
    PyObject *result = before->ml_meth(call->self, tuple);
    Py_DECREF(tuple);
    return result;
}

Py_ssize_t hook_place_of(const Call *call, int at, const char *name)
{
    if (at >= 0 && at < call->n)
        return at;
    for (Py_ssize_t i = 0; call->names != NULL && i < PyTuple_GET_SIZE(call->names); i++)
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(call->names, i), name) == 0)
            return call->n + i;
    return -1;
}

PyObject *hook_argument_of(const Call *call, int at, const char *name)
{
    Py_ssize_t place = hook_place_of(call, at, name);
    return place < 0 ? NULL : call->arguments[place];
}

static int way_of(int flags)
{
    switch (flags) {
    case METH_VARARGS: return 0;
    case METH_FASTCALL: return 1;
    case METH_FASTCALL | METH_KEYWORDS: return 2;
    case METH_O:
    case METH_NOARGS: return 3;
    default: return -1;
    }
}

static void set(Hook *hook, PyObject *function)
{
    PyMethodDef *method = ((PyCFunctionObject *)function)->m_ml;
    int way = way_of(method->ml_flags);
    if (way < 0 || method->ml_meth == hook->ways[way])
        return;
    hook->before = *method;
    method->ml_meth = hook->ways[way];
}

int hooks_set(Hook *hooks, int n, PyObject *of)
{
    for (Hook *hook = hooks; hook < hooks + n; hook++) {
        PyObject *module = of != NULL ? Py_NewRef(of) : PyImport_ImportModule(hook->module);
        PyObject *function = module == NULL ? NULL : PyObject_GetAttrString(module, hook->name);
        Py_XDECREF(module);
        if (function == NULL && !PyErr_ExceptionMatches(PyExc_AttributeError))
            return -1;
        PyErr_Clear(); /* this CPython has no such function */
        if (function != NULL && PyCFunction_CheckExact(function))
            set(hook, function);
        Py_XDECREF(function);
    }
    return 0;
}

PyObject *hook_original(Hook *hook, PyObject *module) { return PyCFunction_NewEx(&hook->before, module, NULL); }
