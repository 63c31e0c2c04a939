#include "facet/classes.h"

#include <stddef.h>
#include <string.h>

#include "facet/bases.h"
#include "index/address_map.h"

/* Reading a class follows a chain of pointers to memory that is in no cache. So classes are read in batches: one step for each
 * class of the batch, then the next step. The processor then waits for many at once, which is 2 to 6 times as fast. */
#define BATCH 64

typedef struct Found {
    PyObject *reference; /* borrowed, a weak reference to the class; NULL: type is known */
    PyTypeObject *type;  /* borrowed; NULL: dead */
    PyTypeObject *base;  /* the class in whose table it was found */
} Found;

typedef struct Walk {
    ClassVisit visit;
    void *data;
    PyTypeObject **waiting; /* owned array of borrowed classes: visited, but their subclasses are not */
    size_t n, capacity;
    AddressMap met;         /* owned: visited classes that may be found again */
    bool enough;
    unsigned n_found;
    Found found[BATCH];     /* classes that are found and not visited yet */
} Walk;

static int keep_waiting(Walk *walk, PyTypeObject *type)
{
    if (walk->n == walk->capacity) {
        size_t capacity = walk->capacity ? 2 * walk->capacity : 256;
        PyTypeObject **waiting = PyMem_RawRealloc(walk->waiting, capacity * sizeof *waiting);
        if (waiting == NULL)
            return -1;
        walk->waiting = waiting;
        walk->capacity = capacity;
    }
    walk->waiting[walk->n++] = type;
    return 0;
}

/* Whether the class can be found only once: it has one base, and was found in the table of that base. A class whose bases are
 * being assigned is still in the tables of its old bases. */
static bool is_found_once(const Found *found)
{
    PyObject *bases = found->type->tp_bases;
    return bases != NULL && PyTuple_GET_SIZE(bases) == 1 && PyTuple_GET_ITEM(bases, 0) == (PyObject *)found->base;
}

static int visit_found(Walk *walk, const Found *found)
{
    PyTypeObject *type = found->type;
    if (!is_found_once(found)) {
        if (address_map_find(&walk->met, type) != NULL)
            return 0;
        if (!address_map_insert(&walk->met, type, type))
            return -1;
    }
    walk->enough = !walk->visit(type, walk->data);
    return type->tp_subclasses == NULL ? 0 : keep_waiting(walk, type); /* a static type has an index here: never NULL */
}

static int visit_batch(Walk *walk)
{
    Found *end = walk->found + walk->n_found;
    int result = 0;
    for (Found *found = walk->found; found < end; found++) {
        if (found->reference != NULL)
            found->type = (PyTypeObject *)((PyWeakReference *)found->reference)->wr_object;
        if ((PyObject *)found->type == Py_None)
            found->type = NULL;
        if (found->type == NULL)
            continue;
        __builtin_prefetch(&found->type->tp_dict);
        __builtin_prefetch(&found->type->tp_bases);
        __builtin_prefetch(&found->type->tp_subclasses);
    }
    for (const Found *found = walk->found; found < end; found++)
        if (found->type != NULL) {
            __builtin_prefetch(found->type->tp_bases);
            __builtin_prefetch(found->type->tp_dict);
        }
    for (const Found *found = walk->found; found < end; found++)
        if (found->type != NULL && found->type->tp_dict != NULL) /* a static type has NULL: its dict is elsewhere */
            __builtin_prefetch(((PyDictObject *)found->type->tp_dict)->ma_keys);
    for (const Found *found = walk->found; found < end && result == 0 && !walk->enough; found++)
        if (found->type != NULL)
            result = visit_found(walk, found);
    walk->n_found = 0;
    return result;
}

static int find(Walk *walk, PyObject *reference, PyTypeObject *type, PyTypeObject *base)
{
    if (reference != NULL)
        __builtin_prefetch(&((PyWeakReference *)reference)->wr_object);
    walk->found[walk->n_found++] = (Found){reference, type, base};
    return walk->n_found == BATCH ? visit_batch(walk) : 0;
}

/* The C function of `type.__subclasses__`, from the method table: a program can change even a static type's dict. */
static PyCFunction subclasses_of_static(void)
{
    static PyCFunction found;
    for (const PyMethodDef *method = PyType_Type.tp_methods; found == NULL; method++)
        if (strcmp(method->ml_name, "__subclasses__") == 0)
            found = method->ml_meth;
    return found;
}

/* A static type keeps its table in the interpreter's state; its __subclasses__() returns a list of the classes in it. */
static int find_in_static(Walk *walk, PyTypeObject *base)
{
    PyObject *list = subclasses_of_static()((PyObject *)base, NULL);
    if (list == NULL)
        return -1;
    int result = 0;
    for (Py_ssize_t i = 0; result == 0 && !walk->enough && i < PyList_GET_SIZE(list); i++)
        result = find(walk, NULL, (PyTypeObject *)PyList_GET_ITEM(list, i), base);
    Py_DECREF(list); /* frees no class: something else kept each alive before the call, and still does */
    return result;
}

static int find_in_table(Walk *walk, PyTypeObject *base)
{
    PyObject *reference, *table = known_table(base);
    Py_ssize_t position = 0;
    int result = 0;
    while (table != NULL && result == 0 && !walk->enough && PyDict_Next(table, &position, NULL, &reference))
        result = find(walk, reference, NULL, base);
    return result;
}

int classes_visit(ClassVisit visit, void *data)
{
    Walk walk = {.visit = visit, .data = data, .met = {.slots = address_map_nothing}};
    int result = find(&walk, NULL, &PyBaseObject_Type, NULL);
    while (result == 0 && !walk.enough && (walk.n != 0 || walk.n_found != 0)) {
        if (walk.n == 0) {
            result = visit_batch(&walk);
        } else {
            PyTypeObject *base = walk.waiting[--walk.n];
            result = is_static(base) ? find_in_static(&walk, base) : find_in_table(&walk, base);
        }
    }
    PyMem_RawFree(walk.waiting);
    if (walk.met.slots != address_map_nothing)
        free(walk.met.slots);
    if (result < 0 && !PyErr_Occurred())
        PyErr_NoMemory();
    return result;
}
