#include "action/bypass.h"

#include "facet/classes.h"
#include "facet/keys.h"

/* The bypasses of this CPython. For a version that was not examined yet, both are assumed. */
#define HAS_INIT (PY_VERSION_HEX >= 0x030d0000)
#define HAS_GETTER (PY_VERSION_HEX >= 0x030e0000 && PY_VERSION_HEX >> 16 != 0x030f)

static PyObject *fget, *init; /* owned for the life of the process: names */

typedef struct Search {
    PyObject *function;
    int found; /* Bypass, or -1 with an exception set */
} Search;

static bool is_init(PyObject *text) { return PyUnicode_CompareWithASCIIString(text, "__init__") == 0; }

/* Whether a look-up of "__init__" may find this key: an odd key (one whose __eq__ runs Python) may say that it equals it. */
static bool may_be_init(PyObject *key) { return compares_as_str(key) ? is_init(key) : !never_equals_str(key); }

static int is_same(PyObject *part, void *function) { return part == function; }

/* Whether the function is the property's getter. Only for exact properties: CPython specializes no subclass. */
static int is_getter_of(PyObject *property, PyObject *function)
{
    if (!PyProperty_Type.tp_traverse(property, is_same, function))
        return 0; /* the property does not refer to the function */
    PyObject *getter = PyObject_GenericGetAttr(property, fget);
    if (getter == NULL)
        return -1;
    Py_DECREF(getter);
    return getter == function;
}

static int search_items(PyObject *dict, PyObject *function)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    int found = BYPASS_NONE;
    while (found == BYPASS_NONE && PyDict_Next(dict, &position, &key, &value)) {
        if (HAS_INIT && value == function && may_be_init(key))
            found = BYPASS_INIT;
        else if (HAS_GETTER && Py_IS_TYPE(value, &PyProperty_Type) && (found = is_getter_of(value, function)) > 0)
            found = BYPASS_GETTER;
    }
    return found;
}

/* Whether all keys of the dict are exact strs, so that a look-up runs no Python. */
static bool has_str_keys(PyObject *dict)
{
    const uint8_t *keys = (const uint8_t *)((PyDictObject *)dict)->ma_keys;
    return keys[sizeof(Py_ssize_t) + 2] != 0; /* dk_kind; 0: DICT_KEYS_GENERAL */
}

static bool search_class(PyTypeObject *type, void *data)
{
    Search *search = data;
    PyObject *dict = type->tp_dict != NULL ? Py_NewRef(type->tp_dict) : PyType_GetDict(type);
    if (dict != NULL && (HAS_GETTER || !has_str_keys(dict)))
        search->found = search_items(dict, search->function);
    else if (dict != NULL && PyDict_GetItemWithError(dict, init) == search->function)
        search->found = BYPASS_INIT;
    Py_XDECREF(dict);
    return search->found == BYPASS_NONE;
}

int bypass_of(PyObject *function)
{
    const PyFunctionObject *named = (PyFunctionObject *)function;
    Search search = {.function = function, .found = BYPASS_NONE};
    if (!HAS_INIT && !HAS_GETTER)
        return BYPASS_NONE;
    if (HAS_INIT && (is_init(named->func_name) || is_init(((PyCodeObject *)named->func_code)->co_name)))
        return BYPASS_INIT; /* a class may be about to get it as its __init__ */
    if ((fget == NULL && (fget = PyUnicode_InternFromString("fget")) == NULL) ||
        (init == NULL && (init = PyUnicode_InternFromString("__init__")) == NULL))
        return -1;
    return classes_visit(search_class, &search) < 0 ? -1 : search.found;
}
