/* For the tests of tests/host only: audit hooks added through the C API. They cannot be removed, hence only in processes
 * of their own. Nothing of depwatch.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

static PyObject *noted; /* owned list or NULL */

static const char *const logged[] = {"object.__setattr__", "object.__delattr__", "sys.addaudithook", NULL};

/* (name, event, arguments, the type that the first argument has meanwhile) */
static int note(const char *event, PyObject *args, void *name)
{
    for (int i = 0; logged[i] != NULL; i++) {
        if (strcmp(event, logged[i]) == 0 && noted != NULL) {
            PyObject *first = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : Py_None;
            PyObject *entry = Py_BuildValue("ssOO", (const char *)name, event, args, Py_TYPE(first));
            int result = entry == NULL ? -1 : PyList_Append(noted, entry);
            Py_XDECREF(entry);
            return result;
        }
    }
    return 0;
}

/* user: the type of the exception that is raised about new hooks */
static int refuse(const char *event, PyObject *args, void *type)
{
    if (strcmp(event, "sys.addaudithook") != 0)
        return 0;
    PyErr_SetString(type, "no more hooks");
    return -1;
}

/* add(name): a hook that logs under this name; returns what PySys_AddAuditHook returns. */
static PyObject *add(PyObject *self, PyObject *name)
{
    if (noted == NULL)
        noted = PyList_New(0);
    int result = PySys_AddAuditHook(note, (void *)PyUnicode_AsUTF8(Py_NewRef(name)));
    return result < 0 ? NULL : PyLong_FromLong(result);
}

static PyObject *add_refusing(PyObject *self, PyObject *type)
{
    int result = PySys_AddAuditHook(refuse, Py_NewRef(type));
    return result < 0 ? NULL : PyLong_FromLong(result);
}

static PyObject *take(PyObject *self, PyObject *unused)
{
    PyObject *taken = noted;
    noted = PyList_New(0);
    return taken;
}

static PyMethodDef methods[] = {
    {"add", add, METH_O},
    {"add_refusing", add_refusing, METH_O},
    {"take", take, METH_NOARGS},
    {NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hostaudit", NULL, -1, methods};

PyMODINIT_FUNC PyInit_hostaudit(void) { return PyModule_Create(&definition); }
