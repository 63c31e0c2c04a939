#include "action/entry.h"

AddressMap entries_by_function = {address_map_nothing, 0, 0};

static vectorcallfunc interpreters; /* the interpreter's own pointer, which every new Python function has */

/* What a function with an entry has as its vectorcall pointer. While the optimized code runs, the entry may be removed or
 * the function may die: the next call sees that. This call needs only `optimized`, to which it takes a reference. */
static PyObject *call_entry(PyObject *function, PyObject *const *args, size_t flags, PyObject *names)
{
    const Entry *entry = address_map_find(&entries_by_function, function);
    /* entry is NULL if another extension put our pointer back after depwatch had removed the entry. */
    if (entry == NULL || (*entry->handle_byte | *entry->guard_byte) != 0)
        return interpreters(function, args, flags, names);
    /* Limits the depth, because optimized code that calls the function again could use up the C stack. */
    if (Py_EnterRecursiveCall(" in optimized code"))
        return NULL;
    PyObject *optimized = Py_NewRef(entry->optimized);
    PyObject *result = PyObject_Vectorcall(optimized, args, flags, names);
    Py_DECREF(optimized);
    Py_LeaveRecursiveCall();
    return result;
}

static inline vectorcallfunc *pointer_of(PyObject *function) { return &((PyFunctionObject *)function)->vectorcall; }

void entry_learn(PyObject *new_function)
{
    if (interpreters == NULL)
        interpreters = *pointer_of(new_function);
}

bool entry_is_free(PyObject *function) { return *pointer_of(function) == interpreters; }

Entry *entry_of(PyObject *function) { return address_map_find(&entries_by_function, function); }

bool entry_install(Entry *entry)
{
    if (!address_map_insert(&entries_by_function, entry->function, entry))
        return false;
    /* Calls that CPython has specialized do not read the pointer; they compare the function's version, which this call resets.
     * Storing the pointer would not stop them. */
    PyFunction_SetVectorcall((PyFunctionObject *)entry->function, call_entry);
    return true;
}

void entry_remove(Entry *entry)
{
    PyObject *function = entry->function;
    if (function == NULL)
        return;
    address_map_remove(&entries_by_function, function);
    entry->function = NULL;
    if (*pointer_of(function) == call_entry) /* else another extension installed its own pointer: that stays */
        PyFunction_SetVectorcall((PyFunctionObject *)function, interpreters);
}

PyObject *entry_call_original(PyObject *function, PyObject *args, PyObject *kwargs)
{
    Py_ssize_t n = PyTuple_GET_SIZE(args), n_names = PyDict_GET_SIZE(kwargs), i = 0, position = 0;
    PyObject *key, *value, *result = NULL;
    PyObject **stack = PyMem_New(PyObject *, n + n_names + 1);
    PyObject *names = PyTuple_New(n_names);
    if (stack == NULL || names == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (; i < n; i++)
        stack[i] = PyTuple_GET_ITEM(args, i);
    for (; PyDict_Next(kwargs, &position, &key, &value); i++) {
        PyTuple_SET_ITEM(names, i - n, Py_NewRef(key));
        stack[i] = value;
    }
    result = interpreters(function, stack, (size_t)n, n_names == 0 ? NULL : names);
done:
    Py_XDECREF(names);
    PyMem_Free(stack);
    return result;
}
