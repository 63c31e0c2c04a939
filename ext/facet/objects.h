/* Watched objects: dicts, types, functions and code objects, named by object IDs.
 *
 * depwatch has the address of an object, not a reference. The event that announces the object's death (for a type: the weak
 * reference) takes the address out of the map at once. The ID stays in use until no facet names it.
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
    uint32_t id;           /* its own ID */
    uint8_t kind;          /* ObjectKind */
    bool subclasses_table; /* a dict that is some type's tp_subclasses: its keys are addresses of types */
    bool type_watched;     /* types: a type watcher watches it, too */
    bool of_class;         /* a dict that holds the attributes of a class */
    KeyTable keys;         /* dicts: the facets that the events of one key concern, by key */
    Dependents whole;      /* the facets that every event of this object concerns */
    PyObject *weakref;     /* owned, types only: reports the death; NULL once the item is free */
    PyObject *told_mro;    /* types: the MRO last reported to the type's facets, so that it is reported once; compared only */
    uint32_t first_facet;  /* facets whose owner this object is: a list through Facet.next_of_owner */
    uint32_t uses;         /* how many facets name this object as owner, fallback, or where they are registered */
} Object;

extern Pool object_pool;
extern AddressMap objects_by_address;

static inline Object *object_at(uint32_t id) { return pool_at(&object_pool, id); }

/* The watched object at this address; NULL: it is not watched. */
static inline Object *object_of(const void *address) { return address_map_find(&objects_by_address, address); }

static inline uint32_t object_find(const void *address)
{
    const Object *object = object_of(address);
    return object == NULL ? NO_ID : object->id;
}

#define MAX_REFERENCES_OF_LAST 2 /* what references_of_last() returns at most */
Py_ssize_t references_of_last_in_class(PyObject *name);

/* The dict of a module; NULL once the collector has cleared the module. Borrowed. */
static inline PyObject *module_dict(PyObject *module)
{
    PyObject *dict = *(PyObject **)((char *)module + PyModule_Type.tp_dictoffset);
    return dict != NULL && PyDict_Check(dict) ? dict : NULL;
}

/* Py_REFCNT, inside CPython's callback, of a value that this dict is about to drop and to which nothing else refers. */
static inline Py_ssize_t references_of_last(const Object *dict, PyObject *key)
{
    return !dict->of_class ? 1 : references_of_last_in_class(key);
}

/* Safe points only from here on. The object's ObjectKind; -1 with Unwatchable set: CPython reports no changes of it. */
int object_kind(PyObject *object);
/* Adds a use of the object, which is watched from now on, and returns its ID; NO_ID with an exception set if it cannot be
 * watched. */
uint32_t object_use(PyObject *object);
/* Takes one use away; an object without uses is no longer watched, and its ID is free again. */
void object_release(uint32_t id);

#endif
