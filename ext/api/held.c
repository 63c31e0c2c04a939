#include "api/held.h"

#include "index/address_map.h"

typedef struct Held {
    AddressMap types; /* what is asked for */
    AddressMap seen;  /* what is in found, and what was looked into by way of todo */
    PyObject **found; /* owned, and a reference to each */
    PyObject **todo;  /* owned; borrowed objects to look into, which nothing can delete meanwhile */
    Py_ssize_t found_count, found_size, todo_count, todo_size;
    bool frozen; /* go wherever references lead */
    bool failed; /* out of memory */
} Held;

static bool append(PyObject ***objects, Py_ssize_t *count, Py_ssize_t *size, PyObject *object)
{
    if (*count == *size) {
        Py_ssize_t larger = *size == 0 ? 64 : 2 * *size;
        PyObject **moved = realloc(*objects, larger * sizeof *moved);
        if (moved == NULL)
            return false;
        *objects = moved;
        *size = larger;
    }
    (*objects)[(*count)++] = object;
    return true;
}

/* A visitproc: -1 when out of memory, which ends a traversal. */
static int reach(PyObject *object, void *arg)
{
    Held *held = arg;
    bool wanted = address_map_find(&held->types, Py_TYPE(object)) != NULL;
    bool look_into = PyObject_IS_GC(object) && (held->frozen || !PyObject_GC_IsTracked(object));
    if ((!wanted && !look_into) || address_map_find(&held->seen, object) != NULL)
        return 0;
    if (!address_map_insert(&held->seen, object, object))
        return -1;
    if (wanted) {
        if (!append(&held->found, &held->found_count, &held->found_size, object))
            return -1;
        Py_INCREF(object);
    }
    return !look_into || append(&held->todo, &held->todo_count, &held->todo_size, object) ? 0 : -1;
}

/* 0, or -1 when out of memory. */
static int look_into(PyObject *object, Held *held)
{
    if (!PyObject_IS_GC(object)) /* a static type has a traverse, which aborts */
        return 0;
    int failed = Py_TYPE(object)->tp_traverse(object, reach, held);
    while (failed == 0 && held->todo_count > 0) {
        object = held->todo[--held->todo_count];
        failed = Py_TYPE(object)->tp_traverse(object, reach, held);
    }
    return failed;
}

/* A gcvisitobjects_t: 0 ends the visit. */
static int visit_tracked(PyObject *object, void *arg)
{
    Held *held = arg;
    held->failed = reach(object, held) != 0 || look_into(object, held) != 0;
    return !held->failed;
}

static PyObject *list_of(PyObject **objects, Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (list == NULL)
            Py_DECREF(objects[i]);
        else
            PyList_SET_ITEM(list, i, objects[i]);
    }
    return list;
}

static void map_free(AddressMap *map)
{
    if (map->slots != address_map_nothing)
        free(map->slots);
}

PyObject *held_of(PyObject *types, PyObject *roots, bool everywhere, bool frozen)
{
    Held held = {.types.slots = address_map_nothing, .seen.slots = address_map_nothing, .frozen = frozen};
    for (Py_ssize_t i = 0; !held.failed && i < PyList_GET_SIZE(types); i++)
        held.failed = !address_map_insert(&held.types, PyList_GET_ITEM(types, i), PyList_GET_ITEM(types, i));
    for (Py_ssize_t i = 0; !held.failed && i < PyList_GET_SIZE(roots); i++)
        visit_tracked(PyList_GET_ITEM(roots, i), &held);
    if (!held.failed && everywhere)
        PyUnstable_GC_VisitObjects(visit_tracked, &held);
    PyObject *found = list_of(held.found, held.found_count);
    if (held.failed) {
        Py_CLEAR(found);
        PyErr_NoMemory();
    }
    map_free(&held.types);
    map_free(&held.seen);
    free(held.found);
    free(held.todo);
    return found;
}
