#include "action/entry.h"

#include "index/bytes.h"

AddressMap entries_by_function = {address_map_nothing, 0, 0};

static vectorcallfunc interpreters; /* the interpreter's own pointer, which every new Python function has */

static const uint8_t retired = BYTE_RETIRED;
const Entry no_entry = {.handle_byte = &retired, .guard_byte = &retired};

/* Optimized code that calls the function again could use up the C stack, so this limits the depth. */
static Py_NO_INLINE PyObject *run_callable(PyObject *optimized, PyObject *const *args, size_t flags, PyObject *names)
{
    if (Py_EnterRecursiveCall(" in optimized code"))
        return NULL;
    PyObject *result = PyObject_Vectorcall(optimized, args, flags, names);
    Py_LeaveRecursiveCall();
    return result;
}

/* While the optimized code runs, the entry may be removed or the function may die: the next call sees that. This call needs
 * only `optimized`, to which it takes a reference. */
static inline PyObject *run(const Entry *entry, PyObject *function, PyObject *const *args, size_t flags, PyObject *names)
{
    /* The entry is not the function's if another extension put our pointer back after depwatch had removed the entry. */
    if (entry->function != function || (*entry->handle_byte | *entry->guard_byte) != 0)
        return interpreters(function, args, flags, names);
    PyObject *optimized = Py_NewRef(entry->optimized);
    PyObject *result = entry->run(optimized, args, flags, names);
    Py_DECREF(optimized);
    return result;
}

static PyObject *call_entry(PyObject *function, PyObject *const *args, size_t flags, PyObject *names)
{
    const Entry *entry = entry_of(function);
    return run(entry == NULL ? &no_entry : entry, function, args, flags, names);
}

/* Trampolines: the first entries have a function of their own each, which finds its entry without a look-up. */
#define TRAMPOLINES 256
#define EIGHT(X, n) X(n##0) X(n##1) X(n##2) X(n##3) X(n##4) X(n##5) X(n##6) X(n##7)
#define SIXTY_FOUR(X, n) \
    EIGHT(X, n##0) EIGHT(X, n##1) EIGHT(X, n##2) EIGHT(X, n##3) EIGHT(X, n##4) EIGHT(X, n##5) EIGHT(X, n##6) EIGHT(X, n##7)
#define ALL(X) SIXTY_FOUR(X, 0) SIXTY_FOUR(X, 01) SIXTY_FOUR(X, 02) SIXTY_FOUR(X, 03) /* octal numbers: 0000 to 0377 */

#define FREE(n) &no_entry,
static const Entry *entries[TRAMPOLINES] = {ALL(FREE)}; /* no_entry: the trampoline is free */

#define TRAMPOLINE(n) \
    static PyObject *call_##n(PyObject *function, PyObject *const *args, size_t flags, PyObject *names) \
    { \
        return run(entries[n], function, args, flags, names); \
    }
#define NAME(n) call_##n,
ALL(TRAMPOLINE)
static const vectorcallfunc trampolines[TRAMPOLINES] = {ALL(NAME)};

/* Chooses what the function's pointer will be. */
static void choose_call(Entry *entry)
{
    entry->call = call_entry;
    entry->trampoline = NULL;
    for (int i = 0; i < TRAMPOLINES; i++)
        if (entries[i] == &no_entry) {
            entries[i] = entry;
            entry->trampoline = &entries[i];
            entry->call = trampolines[i];
            return;
        }
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
    /* CPython limits the depth of built-in functions itself, and whoever calls the function checks the result. */
    vectorcallfunc builtin = Py_IS_TYPE(entry->optimized, &PyCFunction_Type) ? PyVectorcall_Function(entry->optimized) : NULL;
    entry->run = builtin != NULL ? builtin : run_callable;
    if (!address_map_insert(&entries_by_function, entry->function, entry))
        return false;
    choose_call(entry);
    /* Calls that CPython has specialized do not read the pointer; they compare the function's version, which this call resets.
     * Storing the pointer would not stop them. */
    PyFunction_SetVectorcall((PyFunctionObject *)entry->function, entry->call);
    return true;
}

void entry_remove(Entry *entry)
{
    PyObject *function = entry->function;
    if (function == NULL)
        return;
    entry_leave(entry);
    if (*pointer_of(function) == entry->call) /* else another extension installed its own pointer: that stays */
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
