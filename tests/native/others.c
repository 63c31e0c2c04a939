/* For the tests: another extension that takes watchers too. Its callbacks log, or call a Python function that changes
 * something else or raises. Two watchers of each kind, so that one can be added before depwatch takes its slot and one
 * after. Kinds are 0 dict, 1 type, 2 function, 3 code, as in counting.c.
 */
#include "watching.h"

#define WATCHERS 2
#define ENTRIES 64  /* of a log; what is more is only counted */
#define INTERESTS 8 /* functions or code objects that a watcher wants to hear of: CPython calls it for all there are */

typedef struct Entry {
    int event;
    PyObject *key, *value; /* owned */
} Entry;

typedef struct Other {
    int slot;                   /* CPython's, or -1 */
    PyObject *callback;         /* owned or NULL */
    void *interests[INTERESTS]; /* borrowed addresses of code objects: never dereferenced */
    int n_interests;
    Entry entries[ENTRIES];
    int n_entries;
    long events;
} Other;

static Other others[4][WATCHERS] = {{{-1}, {-1}}, {{-1}, {-1}}, {{-1}, {-1}}, {{-1}, {-1}}};

/* Without Python: nothing else can run between the event and the write. */
static int logged(Other *other, int event, PyObject *key, PyObject *value)
{
    if (other->n_entries < ENTRIES)
        other->entries[other->n_entries++] = (Entry){event, Py_NewRef(key ? key : Py_None), Py_NewRef(value ? value : Py_None)};
    return 0;
}

/* At the interpreter's end it only counts: on 3.12, Python that a callback runs then is fatal. dying: the object may
 * not be referred to any more; the callback gets its address. */
static int told(Other *other, int event, PyObject *object, int dying, PyObject *key, PyObject *value)
{
    other->events++;
    if (is_finalizing())
        return 0;
    if (other->callback == NULL)
        return logged(other, event, key, value);
    PyObject *raised = PyErr_GetRaisedException();
    PyObject *named = dying ? PyLong_FromVoidPtr(object) : Py_NewRef(object);
    PyObject *result = PyObject_CallFunction(other->callback, "iOOO", event, named, key ? key : Py_None,
                                             value ? value : Py_None);
    Py_XDECREF(named);
    if (result == NULL) {
        Py_XDECREF(raised);
        return -1;
    }
    Py_DECREF(result);
    PyErr_SetRaisedException(raised);
    return 0;
}

static int interested(const Other *other, void *code)
{
    for (int i = 0; i < other->n_interests; i++)
        if (other->interests[i] == code)
            return 1;
    return 0;
}

static int dict_told(Other *other, PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    return told(other, event, dict, event == PyDict_EVENT_DEALLOCATED, key, value);
}

static int function_told(Other *other, PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    if (!interested(other, function->func_code))
        return 0;
    return told(other, event, (PyObject *)function, event == PyFunction_EVENT_DESTROY, NULL, value);
}

static int code_told(Other *other, PyCodeEvent event, PyCodeObject *code)
{
    if (!interested(other, code))
        return 0;
    return told(other, event, (PyObject *)code, event == PY_CODE_EVENT_DESTROY, NULL, NULL);
}

/* CPython hands a callback nothing of its own: one C function for each watcher. */
#define CALLBACKS(n)                                                                                                   \
    static int on_dict_##n(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)                   \
    {                                                                                                                  \
        return dict_told(&others[0][n], event, dict, key, value);                                                     \
    }                                                                                                                  \
    static int on_type_##n(PyTypeObject *type) { return told(&others[1][n], 0, (PyObject *)type, 0, NULL, NULL); }    \
    static int on_function_##n(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)              \
    {                                                                                                                  \
        return function_told(&others[2][n], event, function, value);                                                  \
    }                                                                                                                  \
    static int on_code_##n(PyCodeEvent event, PyCodeObject *code) { return code_told(&others[3][n], event, code); }

CALLBACKS(0)
CALLBACKS(1)

static const Callbacks callbacks[WATCHERS] = {{on_dict_0, on_type_0, on_function_0, on_code_0},
                                              {on_dict_1, on_type_1, on_function_1, on_code_1}};

/* The watcher that the first two arguments name, and the third one. */
static Other *parse(PyObject *args, int *kind, PyObject **third)
{
    int n;
    if (!PyArg_ParseTuple(args, "ii|O", kind, &n, third))
        return NULL;
    if (*kind < 0 || *kind > 3 || n < 0 || n >= WATCHERS) {
        PyErr_SetString(PyExc_ValueError, "no such watcher");
        return NULL;
    }
    return &others[*kind][n];
}

static PyObject *add(PyObject *self, PyObject *args)
{
    int kind;
    PyObject *callback = NULL;
    Other *other = parse(args, &kind, &callback);
    if (other == NULL)
        return NULL;
    if (other->slot < 0 && (other->slot = add_watcher("DTFC"[kind], &callbacks[other - others[kind]])) < 0)
        return NULL;
    Py_XSETREF(other->callback, Py_XNewRef(callback));
    return PyLong_FromLong(other->slot);
}

static PyObject *remove_(PyObject *self, PyObject *args)
{
    int kind;
    Other *other = parse(args, &kind, NULL);
    if (other == NULL || clear_watcher("DTFC"[kind], other->slot) < 0)
        return NULL;
    other->slot = -1;
    other->n_interests = 0;
    Py_CLEAR(other->callback);
    Py_RETURN_NONE;
}

static PyObject *watch(PyObject *self, PyObject *args)
{
    int kind, result = 0;
    PyObject *object = NULL;
    Other *other = parse(args, &kind, &object);
    if (other == NULL)
        return NULL;
    if (kind < 2)
        result = kind ? PyType_Watch(other->slot, object) : PyDict_Watch(other->slot, object);
    else if (other->n_interests < INTERESTS)
        other->interests[other->n_interests++] = PyFunction_Check(object) ? PyFunction_GET_CODE(object) : object;
    return done(result);
}

static PyObject *unwatch(PyObject *self, PyObject *args)
{
    int kind, result = 0;
    PyObject *object = NULL;
    Other *other = parse(args, &kind, &object);
    if (other == NULL)
        return NULL;
    if (kind < 2)
        result = kind ? PyType_Unwatch(other->slot, object) : PyDict_Unwatch(other->slot, object);
    else
        other->n_interests = 0;
    return done(result);
}

static PyObject *take(PyObject *self, PyObject *args)
{
    int kind;
    Other *other = parse(args, &kind, NULL);
    PyObject *log = other == NULL ? NULL : PyList_New(0);
    for (int i = 0; log != NULL && i < other->n_entries; i++) {
        Entry entry = other->entries[i];
        PyObject *tuple = Py_BuildValue("iNN", entry.event, entry.key, entry.value);
        if (tuple == NULL || PyList_Append(log, tuple) < 0)
            return NULL;
        Py_DECREF(tuple);
    }
    if (log != NULL)
        other->n_entries = 0;
    return log;
}

static PyObject *events(PyObject *self, PyObject *args)
{
    int kind;
    Other *other = parse(args, &kind, NULL);
    return other == NULL ? NULL : PyLong_FromLong(other->events);
}

static PyMethodDef methods[] = {
    {"add", add, METH_VARARGS, "add(kind, n, callback=None): takes a slot; its number. callback(event, object, key, value)"},
    {"remove", remove_, METH_VARARGS, "remove(kind, n): gives the slot back"},
    {"watch", watch, METH_VARARGS, "watch(kind, n, object); of functions, those with the code that the object has now"},
    {"unwatch", unwatch, METH_VARARGS, "unwatch(kind, n, object); of functions and code objects, all"},
    {"take", take, METH_VARARGS, "take(kind, n): what was logged since the last time, as (event, key, value)"},
    {"events", events, METH_VARARGS, "events(kind, n): how many its callback got"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "others", NULL, -1, methods};

PyMODINIT_FUNC PyInit_others(void) { return PyModule_Create(&module); }
