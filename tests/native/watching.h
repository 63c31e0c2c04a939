/* What the helpers of the tests share: watchers of the kinds D dict, T type, F function, C code and, since 3.14, X context;
 * the names of their events; what differs between the versions of CPython.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#if PY_VERSION_HEX >= 0x030d0000
#define is_finalizing Py_IsFinalizing
#else
#define is_finalizing _Py_IsFinalizing
#endif

#define OR_NULL(object) ((object) == NULL ? Py_Ellipsis : (object))

#define NAME(event) #event,
__attribute__((unused)) static const char *const dict_events[] = {PY_FOREACH_DICT_EVENT(NAME) NULL};
__attribute__((unused)) static const char *const function_events[] = {PY_FOREACH_FUNC_EVENT(NAME) NULL};
__attribute__((unused)) static const char *const code_events[] = {PY_FOREACH_CODE_EVENT(NAME) NULL};

typedef struct Callbacks {
    PyDict_WatchCallback dict;
    PyType_WatchCallback type;
    PyFunction_WatchCallback function;
    PyCode_WatchCallback code;
#if PY_VERSION_HEX >= 0x030e0000
    PyContext_WatchCallback context;
#endif
} Callbacks;

/* The slot of that kind that CPython gives, or -1 with an exception. */
static inline int add_watcher(int kind, const Callbacks *callbacks)
{
    switch (kind) {
    case 'D':
        return PyDict_AddWatcher(callbacks->dict);
    case 'T':
        return PyType_AddWatcher(callbacks->type);
    case 'F':
        return PyFunction_AddWatcher(callbacks->function);
    case 'C':
        return PyCode_AddWatcher(callbacks->code);
#if PY_VERSION_HEX >= 0x030e0000
    case 'X':
        return PyContext_AddWatcher(callbacks->context);
#endif
    }
    PyErr_Format(PyExc_ValueError, "no watchers of kind %c here", kind);
    return -1;
}

static inline int clear_watcher(int kind, int slot)
{
    switch (kind) {
    case 'D':
        return PyDict_ClearWatcher(slot);
    case 'T':
        return PyType_ClearWatcher(slot);
    case 'F':
        return PyFunction_ClearWatcher(slot);
    case 'C':
        return PyCode_ClearWatcher(slot);
#if PY_VERSION_HEX >= 0x030e0000
    case 'X':
        return PyContext_ClearWatcher(slot);
#endif
    }
    PyErr_Format(PyExc_ValueError, "no watchers of kind %c here", kind);
    return -1;
}

/* None, or NULL after a failure. */
static inline PyObject *done(int result) { return result < 0 ? NULL : Py_NewRef(Py_None); }

static inline PyObject *slot_or_null(int slot) { return slot < 0 ? NULL : PyLong_FromLong(slot); }
