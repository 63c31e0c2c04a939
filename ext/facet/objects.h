/* Watched objects: dicts, types, functions and code objects, named by object IDs.
 *
 * An address is borrowed and dies with its object: the event (or, for a type, the weak reference) that announces the
 * death takes it out of the map at once. The ID lives on until no facet names it.
 */
#ifndef DW_OBJECTS_H
#define DW_OBJECTS_H

#include <Python.h>
#include <stdbool.h>

#include "facet/keys.h"
#include "index/address_map.h"
#include "index/dependents.h"
#include "index/pool.h"

typedef enum ObjectKind { OBJECT_DICT, OBJECT_TYPE, OBJECT_FUNCTION, OBJECT_CODE } ObjectKind;

typedef struct Object {
    PyObject *address;     /* borrowed; NULL once dead */
    uint32_t id;           /* its own */
    uint8_t kind;          /* ObjectKind */
    bool subclasses_table; /* a dict that is some type's tp_subclasses: its keys are addresses of types */
    bool type_watched;     /* types: also by a type watcher */
    bool of_class;         /* a dict that has the attributes of a class */
    KeyTable keys;         /* dicts: the facets that rely on one key */
    Dependents whole;      /* facets that every event of this object concerns */
    PyObject *weakref;     /* owned, types only: tells of the death; NULL once the item is free */
    PyObject *told_mro;    /* types: the MRO that the present assignment of bases has told of; compared, never dereferenced */
    uint32_t first_facet;  /* facets that are parts of this object: list through Facet.next_of_owner */
    uint32_t uses;         /* facets that name this object as owner, fallback or link, counted */
} Object;

extern Pool object_pool;
extern AddressMap objects_by_address;

static inline Object *object_at(uint32_t id) { return pool_at(&object_pool, id); }

/* NULL: not watched. */
static inline Object *object_of(const void *address) { return address_map_find(&objects_by_address, address); }

static inline uint32_t object_find(const void *address)
{
    const Object *object = object_of(address);
    return object == NULL ? NO_ID : object->id;
}

#define MAX_REFERENCES_OF_LAST 2
Py_ssize_t references_of_last_in_class(PyObject *name);

/* The dict of a module; NULL once the collector has cleared the module. Borrowed. */
static inline PyObject *module_dict(PyObject *module)
{
    PyObject *dict = *(PyObject **)((char *)module + PyModule_Type.tp_dictoffset);
    return dict != NULL && PyDict_Check(dict) ? dict : NULL;
}

/* How many references a value has that only this dict has, under this key, when CPython's callback tells that it goes. */
static inline Py_ssize_t references_of_last(const Object *dict, PyObject *key)
{
    return !dict->of_class ? 1 : references_of_last_in_class(key);
}

/* Safe points only from here on. What it is, or -1 with Unwatchable set: CPython reports no changes of it. */
int object_kind(PyObject *object);
/* The ID of an object, watched from now on, with one use added;
 * NO_ID with an exception set when it cannot be watched. */
uint32_t object_use(PyObject *object);
/* One use less; without uses, an object is watched no longer and its ID is free again. */
void object_release(uint32_t id);

#endif
