#include "notice/words.h"

#include <string.h>

#define MAX_LENGTH 60 /* how many characters of a str, or bytes of a bytes object, are shown */

const char *const CAUSE_WORDS[] = {
    [CAUSE_CHANGED] = "changed",
    [CAUSE_DIED] = "died",
    [CAUSE_SUPERSEDED] = "was recorded with another value",
    [CAUSE_UNSTABLE] = "broke too often to build on",
    [CAUSE_LOST] = "can never hold again: the program no longer has the old value, or depwatch keeps none of its type",
    [CAUSE_UNWATCHABLE] = "can no longer be watched",
    [CAUSE_AMBIGUOUS] = "is in a dict that was changed by a key which may equal any name",
    [CAUSE_CLASS] = "is an attribute of a module that gets another class",
    [CAUSE_BASES] = "is looked up along bases that are being assigned, and a metaclass's mro() may change them meanwhile",
    [CAUSE_SATURATED] = "was the last of 255 broken assumptions",
};

const char *const CHANGE_WORDS[CHANGES] = {
    [DEPWATCH_ADDED] = "added",         [DEPWATCH_MODIFIED] = "modified", [DEPWATCH_DELETED] = "deleted",
    [DEPWATCH_CLONED] = "cloned",       [DEPWATCH_CLEARED] = "cleared",   [DEPWATCH_DESTROYED] = "destroyed",
    [DEPWATCH_CREATED] = "created",     [DEPWATCH_MRO] = "mro",           [DEPWATCH_CLASS] = "class",
};

/* --- values ------------------------------------------------------------------------------------------------------- */

/* Writes an int of up to 128 bits. int.__repr__ would check for signals between digits, and so could run a signal handler. */
static PyObject *words_of_int(PyObject *value)
{
    const PyLongObject *number = (PyLongObject *)value;
    uintptr_t tag = number->long_value.lv_tag;
    size_t n_digits = tag >> 3, n_bits = 0;
    unsigned __int128 magnitude = 0;
    char text[48], *at = text + sizeof text;
    for (digit top = n_digits == 0 ? 0 : number->long_value.ob_digit[n_digits - 1]; top != 0; top >>= 1)
        n_bits++;
    if (n_digits > 1)
        n_bits += (n_digits - 1) * PyLong_SHIFT;
    if (n_bits > 128)
        return PyUnicode_FromFormat("<int of %zu bits>", n_bits);
    for (size_t i = n_digits; i > 0; i--)
        magnitude = (magnitude << PyLong_SHIFT) | number->long_value.ob_digit[i - 1];
    *--at = '\0';
    do {
        *--at = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
    } while (magnitude != 0);
    if ((tag & 3) == 2)
        *--at = '-';
    return PyUnicode_FromString(at);
}

/* repr() of an exact str, by str's own function. */
static PyObject *quoted(PyObject *text) { return PyUnicode_Type.tp_repr(text); }

static PyObject *formatted(const char *format, PyObject *owned, Py_ssize_t n)
{
    PyObject *words = owned == NULL ? NULL : PyUnicode_FromFormat(format, owned, n);
    Py_XDECREF(owned);
    return words;
}

static PyObject *words_of_str(PyObject *value)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(value);
    if (length <= MAX_LENGTH)
        return quoted(value);
    PyObject *start = PyUnicode_Substring(value, 0, MAX_LENGTH);
    PyObject *shown = start == NULL ? NULL : quoted(start);
    Py_XDECREF(start);
    return formatted("%U... (%zd characters)", shown, length);
}

static PyObject *words_of_bytes(PyObject *value)
{
    Py_ssize_t length = PyBytes_GET_SIZE(value);
    if (length <= MAX_LENGTH)
        return PyBytes_Type.tp_repr(value);
    PyObject *start = PyBytes_FromStringAndSize(PyBytes_AS_STRING(value), MAX_LENGTH);
    PyObject *shown = start == NULL ? NULL : PyBytes_Type.tp_repr(start);
    Py_XDECREF(start);
    return formatted("%U... (%zd bytes)", shown, length);
}

static PyObject *words_of_items(const char *kind, Py_ssize_t n)
{
    return PyUnicode_FromFormat("<%s of %zd item%s>", kind, n, n == 1 ? "" : "s");
}

static PyObject *words_of_class(PyTypeObject *class, const char *format)
{
    PyObject *name = PyType_GetQualName(class);
    PyObject *words = name == NULL ? NULL : PyUnicode_FromFormat(format, name);
    Py_XDECREF(name);
    return words;
}

/* The value under a name in a namespace if it is an exact str, or NULL without an exception. This compares keys one by one,
 * because a look-up could meet a key with the same hash and an __eq__ in Python. In a module's dict "__name__" is the first
 * key. */
static PyObject *text_in(PyObject *dict, const char *name)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    for (int i = 0; i < 64 && PyDict_Next(dict, &position, &key, &value); i++)
        if (PyUnicode_CheckExact(key) && PyUnicode_CompareWithASCIIString(key, name) == 0)
            return PyUnicode_CheckExact(value) ? value : NULL;
    return NULL;
}

static PyObject *name_in(PyObject *dict) { return text_in(dict, "__name__"); }

static PyObject *words_of_module(PyObject *module)
{
    PyObject *dict = module_dict(module), *name = dict == NULL ? NULL : name_in(dict);
    return name == NULL ? PyUnicode_FromString("<module>") : PyUnicode_FromFormat("<module %U>", name);
}

/* Goes by the exact type (except for classes), because a subclass may override anything. */
PyObject *words_of_value(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    if (value == Py_None)
        return PyUnicode_FromString("None");
    if (type == &PyBool_Type)
        return PyUnicode_FromString(value == Py_True ? "True" : "False");
    if (type == &PyLong_Type)
        return words_of_int(value);
    if (type == &PyFloat_Type || type == &PyComplex_Type)
        return type->tp_repr(value);
    if (type == &PyUnicode_Type)
        return words_of_str(value);
    if (type == &PyBytes_Type)
        return words_of_bytes(value);
    if (type == &PyList_Type || type == &PyTuple_Type)
        return words_of_items(type->tp_name, Py_SIZE(value));
    if (type == &PyDict_Type)
        return words_of_items(type->tp_name, PyDict_GET_SIZE(value));
    if (type == &PySet_Type || type == &PyFrozenSet_Type)
        return words_of_items(type->tp_name, PySet_GET_SIZE(value));
    if (type == &PyFunction_Type)
        return PyUnicode_FromFormat("<function %U>", ((PyFunctionObject *)value)->func_qualname);
    if (type == &PyCFunction_Type)
        return PyUnicode_FromFormat("<built-in %s>", ((PyCFunctionObject *)value)->m_ml->ml_name);
    if (type == &PyCode_Type)
        return PyUnicode_FromFormat("<code of %U, line %d>", ((PyCodeObject *)value)->co_qualname,
                                    ((PyCodeObject *)value)->co_firstlineno);
    if (PyType_Check(value))
        return words_of_class((PyTypeObject *)value, "<class %U>");
    if (type == &PyModule_Type)
        return words_of_module(value);
    return words_of_class(type, "<%U object>");
}

/* --- facets and changes ------------------------------------------------------------------------------------------- */

static PyObject *words_of_owner(uint32_t id)
{
    PyObject *owner = object_at(id)->address;
    if (owner == NULL)
        return PyUnicode_FromFormat("object %u, which is dead", (unsigned)id);
    if (!PyDict_Check(owner))
        return words_of_value(owner);
    PyObject *name = PyDict_CheckExact(owner) ? name_in(owner) : NULL;
    PyObject *fact = PyDict_CheckExact(owner) && name == NULL ? text_in(owner, "__fact__") : NULL;
    if (name != NULL || fact != NULL)
        return PyUnicode_FromFormat("%s %U", name != NULL ? "module" : "the fact", name != NULL ? name : fact);
    PyObject *words = words_of_value(owner);
    PyObject *result = words == NULL ? NULL : PyUnicode_FromFormat("%U (object %u)", words, (unsigned)id);
    Py_XDECREF(words);
    return result;
}

PyObject *words_of_facet(uint32_t id)
{
    const Facet *facet = facet_at(id);
    PyObject *owner = words_of_owner(rest_of(facet)->owner), *words = NULL;
    PyObject *name = owner == NULL || rest_of(facet)->name == NULL ? NULL : quoted(rest_of(facet)->name);
    if (owner == NULL || (rest_of(facet)->name != NULL && name == NULL))
        ; /* out of memory */
    else if (facet->kind == FACET_KEY)
        words = PyUnicode_FromFormat("%U in %U", name, owner);
    else if (name != NULL)
        words = PyUnicode_FromFormat("%s %U of %U", traits_of(facet)->word, name, owner);
    else if (facet->kind == FACET_ANY)
        words = PyUnicode_FromFormat("anything in %U", owner);
    else
        words = PyUnicode_FromFormat("%s of %U", traits_of(facet)->word, owner);
    Py_XDECREF(owner);
    Py_XDECREF(name);
    return words;
}

PyObject *words_of_change(Change change, PyObject *before, PyObject *after, PyObject *filename, int line)
{
    PyObject *place = filename == NULL ? PyUnicode_FromString("outside Python code")
                                       : PyUnicode_FromFormat("%U:%d", filename, line);
    PyObject *words = NULL;
    const char *untold = "(unknown)";
    if (place == NULL)
        return NULL;
    if (change == DEPWATCH_DESTROYED)
        words = PyUnicode_FromFormat("died at %U", place);
    else if (change == DEPWATCH_MODIFIED)
        words = PyUnicode_FromFormat("%V -> %V, changed at %U", before, untold, after, untold, place);
    else if (before != NULL)
        words = PyUnicode_FromFormat("%U, %s at %U", before, CHANGE_WORDS[change], place);
    else
        words = PyUnicode_FromFormat("%s at %U", CHANGE_WORDS[change], place);
    Py_DECREF(place);
    return words;
}

PyObject *words_of_cause(uint32_t id, Cause cause, PyObject *change)
{
    PyObject *facet = words_of_facet(id);
    PyObject *words = facet == NULL    ? NULL
                      : change == NULL ? PyUnicode_FromFormat("%U %s", facet, CAUSE_WORDS[cause])
                                       : PyUnicode_FromFormat("%U %s: %U", facet, CAUSE_WORDS[cause], change);
    Py_XDECREF(facet);
    return words;
}
