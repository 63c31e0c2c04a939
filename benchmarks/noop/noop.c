/* The price of nothing: watchers that do nothing, and C loops that time stores into dicts.
 *
 * Only benchmarks build this. A store under a watcher of depwatch is compared with the same store, by the same loop,
 * under a watcher whose callback returns at once: the difference is what depwatch does.
 */
#include <Python.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "../../depwatch/include/depwatch.h"

/* --- watchers that do nothing ----------------------------------------------------------------------------------- */

static int on_dict(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value) { return 0; }
static int on_type(PyTypeObject *type) { return 0; }
static int on_function(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value) { return 0; }
static int on_code(PyCodeEvent event, PyCodeObject *code) { return 0; }

static int dict_watcher = -1; /* -1: not taken yet */
static int function_watcher = -1;

static PyObject *watch_dict(PyObject *module, PyObject *dict)
{
    if (dict_watcher < 0 && (dict_watcher = PyDict_AddWatcher(on_dict)) < 0)
        return NULL;
    if (PyDict_Watch(dict_watcher, dict) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *watch_functions(PyObject *module, PyObject *unused)
{
    if (function_watcher < 0 && (function_watcher = PyFunction_AddWatcher(on_function)) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static void hear_function(void *data, depwatch_change change, PyObject *function, depwatch_part part, PyObject *value) {}

/* The C callback that gh-91053 proposed, as depwatch has it: it does nothing, too. */
static PyObject *listen_functions(PyObject *module, PyObject *unused)
{
    return depwatch_import() < 0 ? NULL : depwatch_listen_functions(hear_function, NULL);
}

/* Takes every slot that is free, and gives them back. */
#define COUNT_FREE(count, add, clear)                                                                                  \
    do {                                                                                                               \
        int taken[64];                                                                                                 \
        count = 0;                                                                                                     \
        while (count < 64 && (taken[count] = (add)) >= 0)                                                              \
            count++;                                                                                                   \
        PyErr_Clear();                                                                                                 \
        for (int i = 0; i < count; i++)                                                                                \
            if (clear(taken[i]) < 0)                                                                                   \
                return NULL;                                                                                           \
    } while (0)

static PyObject *free_slots(PyObject *module, PyObject *unused)
{
    int dicts, types, functions, codes;
    COUNT_FREE(dicts, PyDict_AddWatcher(on_dict), PyDict_ClearWatcher);
    COUNT_FREE(types, PyType_AddWatcher(on_type), PyType_ClearWatcher);
    COUNT_FREE(functions, PyFunction_AddWatcher(on_function), PyFunction_ClearWatcher);
    COUNT_FREE(codes, PyCode_AddWatcher(on_code), PyCode_ClearWatcher);
    return Py_BuildValue("{s:i,s:i,s:i,s:i}", "dict", dicts, "type", types, "function", functions, "code", codes);
}

/* --- counting events -------------------------------------------------------------------------------------------- */

/* A second set of watchers, which count. CPython calls all watchers of a dict, and all function and code watchers of
 * the process, in the same places: where these are not called, no other watcher is. */
static long events;

static int count_dict(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value) { events++; return 0; }
static int count_function(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    events++;
    return 0;
}
static int count_code(PyCodeEvent event, PyCodeObject *code) { events++; return 0; }

/* count_events(run, dicts): calls run() and returns how many events CPython sent meanwhile. */
static PyObject *count_events(PyObject *module, PyObject *args)
{
    PyObject *run, *dicts;
    if (!PyArg_ParseTuple(args, "OO!", &run, &PyList_Type, &dicts))
        return NULL;
    int dict_id = PyDict_AddWatcher(count_dict);
    if (dict_id < 0)
        return NULL;
    int function_id = PyFunction_AddWatcher(count_function), code_id = PyCode_AddWatcher(count_code);
    if (function_id < 0 || code_id < 0)
        return NULL; /* no slot: the benchmark ends here, so nothing is given back */
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(dicts); i++)
        if (PyDict_Watch(dict_id, PyList_GET_ITEM(dicts, i)) < 0)
            return NULL;
    events = 0;
    PyObject *result = PyObject_CallNoArgs(run);
    long counted = events;
    /* A slot that is used again would get the events of dicts that still carry its bit. */
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(dicts); i++)
        if (PyDict_Unwatch(dict_id, PyList_GET_ITEM(dicts, i)) < 0)
            return NULL;
    if (PyDict_ClearWatcher(dict_id) < 0 || PyFunction_ClearWatcher(function_id) < 0 ||
        PyCode_ClearWatcher(code_id) < 0 || result == NULL)
        return NULL;
    Py_DECREF(result);
    return PyLong_FromLong(counted);
}

/* --- loops that time -------------------------------------------------------------------------------------------- */

/* Not the thread's CPU time: reading that clock can cost 700 ns, thirty stores. Who else runs shows in the p90. */
static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static PyObject *time_nothing(PyObject *module, PyObject *args)
{
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "n", &n))
        return NULL;
    double start = now();
    for (Py_ssize_t i = 0; i < n; i++)
        atomic_signal_fence(memory_order_seq_cst); /* or the compiler would remove the loop */
    return PyFloat_FromDouble((now() - start) / n);
}

static int store_alternating(PyObject *dict, PyObject *key, PyObject *odd, PyObject *even, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++)
        if (PyDict_SetItem(dict, key, (i & 1) ? even : odd) < 0)
            return -1;
    return 0;
}

static PyObject *time_stores(PyObject *module, PyObject *args)
{
    PyObject *dict, *key, *odd, *even;
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "O!UOOn", &PyDict_Type, &dict, &key, &odd, &even, &n))
        return NULL;
    double start = now();
    if (store_alternating(dict, key, odd, even, n) < 0)
        return NULL;
    return PyFloat_FromDouble((now() - start) / n);
}

/* One store for each key, and one that undoes it, again and again; timed apart. No pending call can run in between. */
static PyObject *time_change_and_undo(PyObject *module, PyObject *args)
{
    PyObject *dict, *keys, *new_value, *old_value;
    Py_ssize_t repeat;
    if (!PyArg_ParseTuple(args, "O!O!OOn", &PyDict_Type, &dict, &PyList_Type, &keys, &new_value, &old_value, &repeat))
        return NULL;
    Py_ssize_t n = PyList_GET_SIZE(keys);
    double changing = 0, undoing = 0;
    for (Py_ssize_t round = 0; round < repeat; round++) {
        double start = now();
        for (Py_ssize_t i = 0; i < n; i++)
            if (PyDict_SetItem(dict, PyList_GET_ITEM(keys, i), new_value) < 0)
                return NULL;
        double middle = now();
        for (Py_ssize_t i = 0; i < n; i++)
            if (PyDict_SetItem(dict, PyList_GET_ITEM(keys, i), old_value) < 0)
                return NULL;
        changing += middle - start;
        undoing += now() - middle;
    }
    return Py_BuildValue("(dd)", changing / (n * repeat), undoing / (n * repeat));
}

/* --- counting allocations --------------------------------------------------------------------------------------- */

static long allocations;

static void *counting_malloc(void *context, size_t size)
{
    PyMemAllocatorEx *real = context;
    allocations++;
    return real->malloc(real->ctx, size);
}

static void *counting_calloc(void *context, size_t count, size_t size)
{
    PyMemAllocatorEx *real = context;
    allocations++;
    return real->calloc(real->ctx, count, size);
}

static void *counting_realloc(void *context, void *memory, size_t size)
{
    PyMemAllocatorEx *real = context;
    allocations++;
    return real->realloc(real->ctx, memory, size);
}

static void plain_free(void *context, void *memory)
{
    PyMemAllocatorEx *real = context;
    real->free(real->ctx, memory);
}

/* How many allocations CPython's three allocators see during n stores. */
static PyObject *count_allocations(PyObject *module, PyObject *args)
{
    PyObject *dict, *key, *odd, *even;
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "O!UOOn", &PyDict_Type, &dict, &key, &odd, &even, &n))
        return NULL;
    PyMemAllocatorEx real[3];
    for (int domain = 0; domain < 3; domain++) {
        PyMem_GetAllocator((PyMemAllocatorDomain)domain, &real[domain]);
        PyMemAllocatorEx counting = {&real[domain], counting_malloc, counting_calloc, counting_realloc, plain_free};
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &counting);
    }
    allocations = 0;
    int result = store_alternating(dict, key, odd, even, n);
    long counted = allocations;
    for (int domain = 0; domain < 3; domain++)
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &real[domain]);
    return result < 0 ? NULL : PyLong_FromLong(counted);
}

/* --- counting instructions ---------------------------------------------------------------------------------------- */

/* callgrind zeroes its counters before this function and writes them after it: see instructions.py. */
__attribute__((noipa)) PyObject *counted_call(PyObject *callable) { return PyObject_CallNoArgs(callable); }

static PyObject *count_instructions(PyObject *module, PyObject *callable) { return counted_call(callable); }

/* --- a callable that forwards its calls and tests nothing --------------------------------------------------------- */

typedef struct Forwarder {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *target; /* owned */
} Forwarder;

static PyObject *forward_call(PyObject *self, PyObject *const *args, size_t flags, PyObject *names)
{
    return PyObject_Vectorcall(((Forwarder *)self)->target, args, flags, names);
}

static void forwarder_dealloc(PyObject *self)
{
    Py_DECREF(((Forwarder *)self)->target);
    PyObject_Free(self);
}

static PyTypeObject forwarder_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "noop.Forwarder",
    .tp_basicsize = sizeof(Forwarder),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(Forwarder, call),
    .tp_call = PyVectorcall_Call,
    .tp_dealloc = forwarder_dealloc,
};

static PyObject *forward(PyObject *module, PyObject *target)
{
    if (PyType_Ready(&forwarder_type) < 0)
        return NULL;
    Forwarder *made = PyObject_New(Forwarder, &forwarder_type);
    if (made == NULL)
        return NULL;
    made->call = forward_call;
    made->target = Py_NewRef(target);
    return (PyObject *)made;
}

static PyMethodDef methods[] = {
    {"forward", forward, METH_O, "(callable): a callable that forwards its calls and tests nothing."},
    {"watch_dict", watch_dict, METH_O, "Puts a dict under a watcher that does nothing."},
    {"listen_functions", listen_functions, METH_NOARGS, "Lets depwatch call a C function that does nothing for all functions."},
    {"watch_functions", watch_functions, METH_NOARGS, "Puts all functions under a watcher that does nothing."},
    {"free_slots", free_slots, METH_NOARGS, "How many watchers of each kind could still be added."},
    {"count_instructions", count_instructions, METH_O, "(callable): calls it; under callgrind its instructions are counted."},
    {"count_events", count_events, METH_VARARGS, "(run, dicts): events of dicts, functions and code during run()."},
    {"time_nothing", time_nothing, METH_VARARGS, "(n): ns an iteration of an empty loop."},
    {"time_stores", time_stores, METH_VARARGS, "(dict, key, odd, even, n): ns a store, the values taking turns."},
    {"time_change_and_undo", time_change_and_undo, METH_VARARGS,
     "(dict, keys, new, old, repeat): ns a store of new, and of old, over all keys."},
    {"count_allocations", count_allocations, METH_VARARGS, "(dict, key, odd, even, n): allocations during n stores."},
    {0},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "noop", NULL, -1, methods};
PyMODINIT_FUNC PyInit_noop(void) { return PyModule_Create(&definition); }
