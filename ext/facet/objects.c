#include "facet/objects.h"

#include <string.h>

#include "watch/errors.h"
#include "watch/watch.h"
#include "watch/weakrefs.h"

Pool object_pool = POOL_OF(Object);
AddressMap objects_by_address = {.slots = address_map_nothing};

/* --- class attributes ------------------------------------------------------------------------------------------------ */

#if PY_VERSION_HEX >= 0x030d0000
/* Whether `type` has a data descriptor of this name: assigning the attribute calls the descriptor. */
static bool has_setter(PyObject *name)
{
    static const char *const names[] = {"__doc__", "__module__", "__abstractmethods__", "__annotations__",
                                        "__annotations_cache__", "__annotate__", "__annotate_func__", "__type_params__"};
    if (!PyUnicode_CheckExact(name) || !PyUnicode_IS_COMPACT_ASCII(name))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(PyUnicode_DATA(name), names[i]) == 0)
            return true;
    return false;
}

/* From 3.13 on, `C.x = ...` and `del C.x` themselves have a reference to the old value while the callback runs; tests/host
 * checks this. */
Py_ssize_t references_of_last_in_class(PyObject *name) { return has_setter(name) ? 1 : 2; }
#else
Py_ssize_t references_of_last_in_class(PyObject *Py_UNUSED(name)) { return 1; }
#endif

/* --- use and release --------------------------------------------------------------------------------------------- */

int object_kind(PyObject *object)
{
    if (PyDict_Check(object))
        return OBJECT_DICT;
    if (PyType_Check(object) && ((PyTypeObject *)object)->tp_mro == NULL) {
        PyErr_Format(Unwatchable_error, "the class %.200s is being made and has no MRO yet; read it when it is complete",
                     ((PyTypeObject *)object)->tp_name);
        return -1;
    }
    if (PyType_Check(object))
        return OBJECT_TYPE;
    if (PyFunction_Check(object))
        return OBJECT_FUNCTION;
    if (PyCode_Check(object))
        return OBJECT_CODE;
    PyErr_Format(Unwatchable_error,
                 "an object of type %.100s: CPython reports changes of dicts, types, functions and code objects only",
                 Py_TYPE(object)->tp_name);
    return -1;
}

static int watch(PyObject *object, int kind)
{
    switch (kind) {
    case OBJECT_DICT:
        return watch_dict(object);
    case OBJECT_FUNCTION:
        return watch_functions();
    case OBJECT_CODE:
        return watch_codes();
    default:
        return 0; /* types: depwatch watches the dicts along the MRO, and tables of subclasses */
    }
}

uint32_t object_use(PyObject *object)
{
    uint32_t id = object_find(object);
    if (id != NO_ID) {
        object_at(id)->uses++;
        return id;
    }
    int kind = object_kind(object);
    if (kind < 0)
        return NO_ID;
    id = pool_take(&object_pool);
    if (id == NO_ID) {
        PyErr_NoMemory();
        return NO_ID;
    }
    PyObject *weakref = kind == OBJECT_TYPE ? watch_death(object, id) : NULL;
    if (kind == OBJECT_TYPE && weakref == NULL)
        goto failed;
    *object_at(id) = (Object){.address = object, .weakref = weakref, .first_facet = NO_ID, .id = id, .uses = 1,
                              .kind = (uint8_t)kind};
    /* Entered in the map before it is watched, so that its first event finds it. */
    if (!address_map_insert(&objects_by_address, object, object_at(id))) {
        PyErr_NoMemory();
        goto failed;
    }
    if (watch(object, kind) < 0) {
        address_map_remove(&objects_by_address, object);
        goto failed;
    }
    return id;
failed:
    Py_XDECREF(weakref); /* only we refer to it: no destructor of the program runs */
    pool_give(&object_pool, id);
    return NO_ID;
}

void object_release(uint32_t id)
{
    Object *object = object_at(id);
    if (--object->uses != 0)
        return;
    if (object->address != NULL) {
        if (object->kind == OBJECT_DICT)
            unwatch_dict(object->address);
        if (object->type_watched)
            unwatch_type((PyTypeObject *)object->address);
        address_map_remove(&objects_by_address, object->address);
    }
    PyObject *weakref = object->weakref;
    keys_free(&object->keys);
    dependents_clear(&object->whole);
    object->weakref = NULL; /* its callback may still come: on_type_death() then sees that the item is not its own */
    pool_give(&object_pool, id);
    Py_XDECREF(weakref);
}
