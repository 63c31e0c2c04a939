/* Chains: the dicts in which a name is looked up one after the other. */
#include "tap.h"

#define MOST_ITEMS 5000 /* of a dict that is searched without hashing */

/* 1, 0, or -1: not known. */
static int search(PyObject *dict, PyObject *name, PyObject **value)
{
    Py_ssize_t position = 0;
    PyObject *key;
    if (PyDict_GET_SIZE(dict) > MOST_ITEMS)
        return -1;
    while (PyDict_Next(dict, &position, &key, value))
        if (key == name || (PyUnicode_CheckExact(key) && PyUnicode_Compare(key, name) == 0))
            return 1;
    return 0;
}

static int get(PyObject *dict, PyObject *name, bool may_run_python, PyObject **value)
{
    if (!may_run_python)
        return search(dict, name, value);
    *value = PyDict_GetItemWithError(dict, name);
    if (*value == NULL && PyErr_Occurred()) {
        PyErr_Clear();
        return -1;
    }
    return *value != NULL;
}

typedef struct Walk {
    const Facet *facet;
    Py_ssize_t at;
} Walk;

/* The next dict (borrowed), or NULL. */
static PyObject *walk_on(Walk *walk)
{
    const Facet *facet = walk->facet;
    Py_ssize_t at = walk->at++;
    if (facet->kind != FACET_TYPE)
        return at != 0 || facet->owner->dead ? NULL : facet->owner->address;
    PyObject *mro = facet->owner->dead ? NULL : facet->owner->type->tp_mro;
    if (mro == NULL || at >= PyTuple_GET_SIZE(mro))
        return NULL;
    PyObject *dict = PyType_GetDict((PyTypeObject *)PyTuple_GET_ITEM(mro, at));
    Py_XDECREF(dict); /* the class has it */
    return dict;
}

bool facet_is_shadowed(const Facet *facet, const Object *object)
{
    Walk walk = {facet, 0};
    for (PyObject *dict = walk_on(&walk); dict != NULL; dict = walk_on(&walk)) {
        if (dict == object->address)
            return false;
        if (dict == facet->provider)
            return true;
    }
    return true; /* it is no longer looked up there */
}

bool facet_is_along(const Facet *facet, const PyObject *value)
{
    Walk walk = {facet, 0};
    PyObject *found;
    for (PyObject *dict = walk_on(&walk); dict != NULL; dict = walk_on(&walk))
        if (search(dict, facet->name, &found) == 1 && found == value)
            return true;
    return false;
}

int facet_find(const Facet *facet, const PyObject *without, bool may_run_python, PyObject **provider, PyObject **value)
{
    Walk walk = {facet, 0};
    for (PyObject *dict = walk_on(&walk); dict != NULL; dict = walk_on(&walk)) {
        int found = dict == without ? 0 : get(dict, facet->name, may_run_python, value);
        *provider = dict;
        if (found != 0)
            return found;
    }
    return 0;
}
