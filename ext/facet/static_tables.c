#include "facet/static_tables.h"

#include "facet/bases.h"

PyObject *table_of_object;

static PyObject *tables;          /* static base -> its table; NULL before the first */
static unsigned failures, to_skip; /* searches in a row that found nothing; how many are left out before the next */

#define FEW_FAILURES 8u   /* up to here each search is made */
#define MOST_FAILURES 18u /* from here on one in 1,024 */

PyObject *test_class(const char *name, PyObject *base)
{
    return PyObject_CallFunction((PyObject *)&PyType_Type, "s(O){}", name, base);
}

int clear_refusal(void)
{
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_MemoryError))
        return -1;
    PyErr_Clear();
    return 0;
}

/* Whether dict is base's table: makes a subclass of base and looks whether it appears there. A dict of the program may only
 * look like a table. */
static int is_table_of(PyObject *dict, PyTypeObject *base)
{
    PyObject *subclass = test_class("depwatch_self_check", (PyObject *)base);
    PyObject *key = subclass == NULL ? NULL : PyLong_FromVoidPtr(subclass);
    int is_table = key == NULL ? -1 : PyDict_Contains(dict, key);
    Py_XDECREF(key);
    Py_XDECREF(subclass);
    return is_table < 0 ? clear_refusal() : is_table;
}

typedef struct TableSearch {
    PyObject *reference;  /* borrowed: the weak reference to a subclass, which the tables of all its bases share */
    const PyTypeObject *type; /* that subclass */
    PyObject *candidates; /* borrowed list: dicts that have the weak reference under the key that a table has */
} TableSearch;

/* Called for every object of the garbage collector while it walks its lists. So this looks at a dict item by item, which runs
 * no code of the program, and makes no object that the collector would add to the lists. */
static int search_dict(PyObject *dict, void *data)
{
    const TableSearch *search = data;
    PyObject *key, *value;
    Py_ssize_t position = 0;
    if (!PyDict_CheckExact(dict))
        return 1;
    while (PyDict_Next(dict, &position, &key, &value) && PyLong_CheckExact(key) && PyWeakref_CheckRefExact(value))
        if (value == search->reference && type_of_key(key) == search->type)
            return PyList_Append(search->candidates, dict) == 0;
    return 1;
}

static int keep_table(PyTypeObject *base, PyObject *table)
{
    if ((tables == NULL && (tables = PyDict_New()) == NULL) || PyDict_SetItem(tables, (PyObject *)base, table) < 0)
        return -1;
    PyObject_GC_UnTrack(tables); /* or gc.get_objects() would show it to the program */
    if (base == &PyBaseObject_Type)
        table_of_object = table; /* kept by tables */
    return 0;
}

static int find_table(PyTypeObject *base, const TableSearch *search, PyObject **table)
{
    PyUnstable_GC_VisitObjects(search_dict, (void *)search);
    if (PyErr_Occurred())
        return -1; /* out of memory for a candidate */
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(search->candidates); i++) {
        PyObject *dict = PyList_GET_ITEM(search->candidates, i);
        int is_table = is_table_of(dict, base);
        if (is_table == 0)
            continue;
        if (is_table < 0 || keep_table(base, dict) < 0)
            return -1;
        *table = Py_NewRef(dict);
        return 1;
    }
    return 0;
}

int static_table(PyTypeObject *base, PyTypeObject *type, PyObject *key, PyObject **table)
{
    *table = NULL;
    PyObject *known = tables == NULL ? NULL : PyDict_GetItemWithError(tables, (PyObject *)base);
    if (known != NULL && PyDict_Contains(known, key) == 1) {
        *table = Py_NewRef(known);
        return 1;
    }
    if (to_skip != 0) {
        to_skip--;
        return 0;
    }
    PyObject *reference = PyWeakref_NewRef((PyObject *)type, NULL), *candidates = PyList_New(0);
    int found = reference == NULL || candidates == NULL
                    ? -1
                    : find_table(base, &(TableSearch){reference, type, candidates}, table);
    failures = found != 0 ? 0 : Py_MIN(failures + 1, MOST_FAILURES);
    to_skip = failures <= FEW_FAILURES ? 0 : (1u << (failures - FEW_FAILURES)) - 1;
    Py_XDECREF(candidates);
    Py_XDECREF(reference);
    return found;
}

/* --- all at once -------------------------------------------------------------------------------------------------- */

/* The class that an entry of a dict is of, if the entry is as in a table of subclasses; else NULL. */
static PyTypeObject *class_of_entry(PyObject *key, PyObject *value)
{
    const PyTypeObject *address = type_of_key(key);
    PyObject *object = address != NULL && PyWeakref_CheckRefExact(value) ? ((PyWeakReference *)value)->wr_object : NULL;
    return object != NULL && (const void *)object == address && PyType_Check(object) ? (PyTypeObject *)object : NULL;
}

/* As search_dict(): runs no code of the program. */
static int collect_dict(PyObject *dict, void *candidates)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    if (!PyDict_CheckExact(dict) || PyDict_GET_SIZE(dict) == 0)
        return 1;
    while (PyDict_Next(dict, &position, &key, &value))
        if (class_of_entry(key, value) == NULL)
            return 1;
    return PyList_Append(candidates, dict) == 0;
}

/* Whether the dict has the base's subclasses, all of them and nothing else. -1 with an exception set. */
static int has_subclasses_of(PyObject *dict, PyTypeObject *base)
{
    PyObject *list = PyObject_CallMethod((PyObject *)&PyType_Type, "__subclasses__", "O", base);
    int has = list == NULL ? -1 : PyList_GET_SIZE(list) == PyDict_GET_SIZE(dict);
    for (Py_ssize_t i = 0; has == 1 && i < PyList_GET_SIZE(list); i++) {
        PyObject *key = PyLong_FromVoidPtr(PyList_GET_ITEM(list, i));
        has = key == NULL ? -1 : PyDict_Contains(dict, key);
        Py_XDECREF(key);
    }
    Py_XDECREF(list);
    return has;
}

/* Keeps the dict for each static type whose subclasses are in it. */
static int keep_candidate(PyObject *dict)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    if (!PyDict_Next(dict, &position, &key, &value))
        return 0;
    PyObject *bases = class_of_entry(key, value)->tp_bases;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(bases); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(bases, i);
        int has = is_static(base) && may_leave(base) ? has_subclasses_of(dict, base) : 0;
        if (has < 0 || (has == 1 && keep_table(base, dict) < 0))
            return -1;
    }
    return 0;
}

int find_static_tables(void)
{
    PyObject *candidates = PyList_New(0);
    if (candidates == NULL)
        return -1;
    PyUnstable_GC_VisitObjects(collect_dict, candidates);
    int result = PyErr_Occurred() ? -1 : 0; /* out of memory for a candidate */
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(candidates); i++)
        result = keep_candidate(PyList_GET_ITEM(candidates, i));
    Py_DECREF(candidates);
    return result;
}
