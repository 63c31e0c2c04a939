/* For the tests: does what sends events from C, and counts what is allocated meanwhile; counts free watcher slots. */
#include "watching.h"

/* --- counting allocators ---------------------------------------------------------------------------------------- */

static PyMemAllocatorEx real[3];
static const PyMemAllocatorDomain domains[3] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
static long allocations, frees;

static void *count_malloc(void *ctx, size_t size)
{
    PyMemAllocatorEx *allocator = ctx;
    allocations++;
    return allocator->malloc(allocator->ctx, size);
}

static void *count_calloc(void *ctx, size_t n, size_t size)
{
    PyMemAllocatorEx *allocator = ctx;
    allocations++;
    return allocator->calloc(allocator->ctx, n, size);
}

static void *count_realloc(void *ctx, void *old, size_t size)
{
    PyMemAllocatorEx *allocator = ctx;
    allocations++;
    return allocator->realloc(allocator->ctx, old, size);
}

static void count_free(void *ctx, void *memory)
{
    PyMemAllocatorEx *allocator = ctx;
    frees++;
    allocator->free(allocator->ctx, memory);
}

static void begin(void)
{
    allocations = frees = 0;
    for (int i = 0; i < 3; i++) {
        PyMem_GetAllocator(domains[i], &real[i]);
        PyMemAllocatorEx counting = {&real[i], count_malloc, count_calloc, count_realloc, count_free};
        PyMem_SetAllocator(domains[i], &counting);
    }
}

static PyObject *end(int failed)
{
    for (int i = 0; i < 3; i++)
        PyMem_SetAllocator(domains[i], &real[i]);
    return failed ? NULL : Py_BuildValue("ll", allocations, frees);
}

/* (allocations, frees) of storing each of the values in turn; the caller keeps them, so that none is freed. */
static PyObject *store(PyObject *self, PyObject *args)
{
    PyObject *dict, *key, *values;
    long times = 1;
    if (!PyArg_ParseTuple(args, "O!OO!|l", &PyDict_Type, &dict, &key, &PyTuple_Type, &values, &times))
        return NULL;
    int failed = 0;
    begin();
    for (long n = 0; n < times && !failed; n++)
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values) && !failed; i++) {
            PyObject *value = PyTuple_GET_ITEM(values, i);
            failed = value == Py_Ellipsis ? PyDict_DelItem(dict, key) : PyDict_SetItem(dict, key, value);
        }
    return end(failed);
}

static PyObject *clear(PyObject *self, PyObject *dict)
{
    begin();
    PyDict_Clear(dict);
    return end(0);
}

/* (allocations, frees) of setting the function's defaults to each of the tuples in turn. */
static PyObject *set_defaults(PyObject *self, PyObject *args)
{
    PyObject *function, *values;
    if (!PyArg_ParseTuple(args, "O!O!", &PyFunction_Type, &function, &PyTuple_Type, &values))
        return NULL;
    int failed = 0;
    begin();
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values) && !failed; i++)
        failed = PyFunction_SetDefaults(function, PyTuple_GET_ITEM(values, i));
    return end(failed);
}

/* (allocations, frees) of making that many functions of a code object and letting each go at once. */
static PyObject *make_functions(PyObject *self, PyObject *args)
{
    PyObject *code, *globals;
    long times;
    if (!PyArg_ParseTuple(args, "O!O!l", &PyCode_Type, &code, &PyDict_Type, &globals, &times))
        return NULL;
    int failed = 0;
    begin();
    for (long n = 0; n < times && !failed; n++) {
        PyObject *function = PyFunction_New(code, globals);
        failed = function == NULL;
        Py_XDECREF(function);
    }
    return end(failed);
}

static PyObject *allocate(PyObject *self, PyObject *unused)
{
    begin();
    PyObject_Free(PyObject_Malloc(8));
    PyMem_Free(PyMem_Malloc(8));
    PyMem_RawFree(PyMem_RawMalloc(8));
    return end(0);
}

/* --- watcher slots ------------------------------------------------------------------------------------------------ */

static int no_dict(PyDict_WatchEvent e, PyObject *d, PyObject *k, PyObject *v) { return 0; }
static int no_type(PyTypeObject *t) { return 0; }
static int no_function(PyFunction_WatchEvent e, PyFunctionObject *f, PyObject *v) { return 0; }
static int no_code(PyCodeEvent e, PyCodeObject *c) { return 0; }

static const Callbacks callbacks = {no_dict, no_type, no_function, no_code};

static int taken[4][8], n_taken[4];

/* Takes all free slots of a kind (0 dict, 1 type, 2 function, 3 code); how many. */
static PyObject *take_slots(PyObject *self, PyObject *kind)
{
    long k = PyLong_AsLong(kind);
    for (int id; n_taken[k] < 8 && (id = add_watcher("DTFC"[k], &callbacks)) >= 0;)
        taken[k][n_taken[k]++] = id;
    PyErr_Clear();
    return PyLong_FromLong(n_taken[k]);
}

static PyObject *give_slots(PyObject *self, PyObject *kind)
{
    long k = PyLong_AsLong(kind);
    int result = 0;
    while (n_taken[k] > 0 && result == 0)
        result = clear_watcher("DTFC"[k], taken[k][--n_taken[k]]);
    return done(result);
}

static PyMethodDef methods[] = {
    {"store", store, METH_VARARGS, "store(dict, key, values, times=1): ... deletes"},
    {"clear", clear, METH_O, NULL},
    {"set_defaults", set_defaults, METH_VARARGS, NULL},
    {"make_functions", make_functions, METH_VARARGS, "make_functions(code, globals, times)"},
    {"allocate", allocate, METH_NOARGS, "allocates and frees once in each domain"},
    {"take_slots", take_slots, METH_O, NULL},
    {"give_slots", give_slots, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "counting", NULL, -1, methods};

PyMODINIT_FUNC PyInit_counting(void) { return PyModule_Create(&module); }
