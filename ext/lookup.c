#include "lookup.h"

#include "action.h"
#include "subclasses.h"
#include "watch.h"

#define MAX_LOOKS 100 /* a dict whose keys' __eq__ changes it at every look-up never comes to rest */

static bool is_immutable(PyTypeObject *type)
{
    return !PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) || PyType_HasFeature(type, Py_TPFLAGS_IMMUTABLETYPE);
}

/* One pass along dicts (borrowed; watched[i] says whether it can change). Registers at each before looking into it,
 * so that no change falls between. *value: borrowed, NULL if missing. 1: look again. */
static int walk_chain(uint32_t id, PyObject *const *dicts, const bool *watched, Py_ssize_t n, PyObject **value,
                      uint32_t *provider)
{
    Facet *facet = facet_at(id);
    uint32_t n_links = 0, changes = facet->changes;
    *value = NULL;
    *provider = NO_ID;
    for (Py_ssize_t i = 0; i < n && *value == NULL; i++) {
        if (watched[i] && facet_link(id, n_links++, dicts[i]) < 0)
            return -1;
        *value = PyDict_GetItemWithError(dicts[i], facet->name);
        if (*value == NULL && PyErr_Occurred())
            return -1;
        if (watched[i])
            *provider = object_find(dicts[i]);
        /* Comparing keys ran Python, and that may have changed a dict, or looked here itself. */
        if (facet->changes != changes || facet->n_links < n_links ||
            (watched[i] && facet->links[n_links - 1] != *provider))
            return 1;
        if (!watched[i])
            *provider = NO_ID;
    }
    facet_unlink_after(id, n_links);
    return 0;
}

static int look_along(uint32_t id, PyObject *const *dicts, const bool *watched, Py_ssize_t n)
{
    Facet *facet = facet_at(id);
    for (int look = 0; look < MAX_LOOKS && !facet->dead; look++) {
        uint32_t provider;
        PyObject *value;
        int again = walk_chain(id, dicts, watched, n, &value, &provider);
        if (again < 0)
            return -1;
        if (again)
            continue;
        if (value == NULL) {
            facet_becomes_missing(id);
        } else {
            facet->provider = provider;
            facet_becomes(id, value);
        }
        return 0;
    }
    return 0; /* unknown: broken until an event brings it here again */
}

static int look_namespace(uint32_t id)
{
    Facet *facet = facet_at(id);
    PyObject *dicts[2] = {Py_XNewRef(object_at(facet->owner)->address), NULL};
    static const bool watched[2] = {true, true};
    Py_ssize_t n = 1;
    if (facet->fallback != NO_ID && facet->fallback != facet->owner && object_at(facet->fallback)->address != NULL)
        dicts[n++] = Py_NewRef(object_at(facet->fallback)->address);
    int result = dicts[0] == NULL ? 0 : look_along(id, dicts, watched, n);
    Py_XDECREF(dicts[0]);
    Py_XDECREF(dicts[1]);
    return result;
}

/* The dicts along the MRO of the facet's type, with whether each can change. The caller owns all of it. */
typedef struct Mro {
    Py_ssize_t n;
    PyObject **dicts;
    bool *watched;
} Mro;

static void mro_clear(Mro *mro)
{
    for (Py_ssize_t i = 0; mro->dicts != NULL && i < mro->n; i++)
        Py_XDECREF(mro->dicts[i]);
    PyMem_Free(mro->dicts);
    PyMem_Free(mro->watched);
}

static int mro_of(PyTypeObject *type, Mro *mro)
{
    PyObject *classes = type->tp_mro;
    *mro = (Mro){.n = PyTuple_GET_SIZE(classes)};
    mro->dicts = PyMem_Calloc((size_t)mro->n + 1, sizeof *mro->dicts);
    mro->watched = PyMem_Calloc((size_t)mro->n + 1, sizeof *mro->watched);
    if (mro->dicts == NULL || mro->watched == NULL) {
        mro_clear(mro);
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < mro->n; i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(classes, i);
        mro->dicts[i] = PyType_GetDict(base);
        mro->watched[i] = !is_immutable(base);
    }
    return 0;
}

static int look_type(uint32_t id)
{
    Facet *facet = facet_at(id);
    PyTypeObject *type = (PyTypeObject *)Py_XNewRef(object_at(facet->owner)->address);
    Mro mro;
    if (type == NULL)
        return 0;
    int result = mro_of(type, &mro);
    if (result == 0) {
        if (facet->kind == FACET_ATTRIBUTE) {
            result = look_along(id, mro.dicts, mro.watched, mro.n);
        } else {
            uint32_t n_links = 0;
            for (Py_ssize_t i = 0; i < mro.n && result == 0; i++)
                if (mro.watched[i])
                    result = facet_link(id, n_links++, mro.dicts[i]);
            facet_unlink_after(id, n_links);
            facet->known = true;
        }
        mro_clear(&mro);
    }
    Py_DECREF(type);
    return result;
}

static int look_function(uint32_t id)
{
    Facet *facet = facet_at(id);
    PyFunctionObject *function = (PyFunctionObject *)object_at(facet->owner)->address;
    if (function == NULL)
        return 0;
    PyObject *value = facet->kind == FACET_CODE       ? function->func_code
                      : facet->kind == FACET_DEFAULTS ? function->func_defaults
                                                      : function->func_kwdefaults;
    uint32_t n_links = 0;
    if (facet->kind == FACET_KWDEFAULTS) {
        /* Both the dict in use and the one that handles wait for: either may change in place. */
        PyObject *recorded = facet_recorded(facet);
        if (recorded != NULL && PyDict_Check(recorded) && facet_link(id, n_links++, recorded) < 0)
            return -1;
        if (value != NULL && value != recorded && facet_link(id, n_links++, value) < 0)
            return -1;
    }
    facet_unlink_after(id, n_links);
    facet->provider = facet->owner;
    facet_becomes(id, value == NULL ? Py_None : value);
    return 0;
}

/* Where events concern an object as a whole. Of a function also the dict of keyword defaults, which changes in place. */
static int look_whole(uint32_t id, PyObject *object)
{
    if (PyType_Check(object))
        return look_type(id);
    PyObject *dict = PyDict_Check(object)       ? object
                     : PyFunction_Check(object) ? ((PyFunctionObject *)object)->func_kwdefaults
                                                : NULL;
    if (dict != NULL && facet_link(id, 0, dict) < 0)
        return -1;
    facet_unlink_after(id, dict != NULL);
    facet_at(id)->known = true;
    return 0;
}

static int look(uint32_t id)
{
    Facet *facet = facet_at(id);
    PyObject *object = object_at(facet->owner)->address;
    switch (facet->kind) {
    case FACET_KEY:
    case FACET_GLOBAL:
        return look_namespace(id);
    case FACET_ATTRIBUTE:
        return look_type(id);
    case FACET_CODE:
    case FACET_DEFAULTS:
    case FACET_KWDEFAULTS:
        return look_function(id);
    case FACET_MRO:
        return look_bases(id);
    case FACET_EXISTENCE:
        if (object != NULL) {
            facet->provider = facet->owner;
            facet_becomes(id, object);
        }
        return 0;
    case FACET_ANY:
        return object == NULL ? 0 : look_whole(id, object);
    }
    facet->known = true;
    return 0;
}

int facet_look(uint32_t id)
{
    facet_at(id)->pins++; /* a look-up can run Python, and that a drain: the facet must not go meanwhile */
    int result = look(id);
    facet_at(id)->pins--;
    return result;
}

/* Returns what was recorded before, an owned reference or NULL: dropping it may run Python. */
static PyObject *record(uint32_t id)
{
    Facet *facet = facet_at(id);
    if (facet->recorded != NULL && facet->holds)
        return NULL;
    /* Another value than the one that these handles wait for: their code is of no use any more. */
    facet_retires_handles(id, CAUSE_SUPERSEDED);
    facet_drops_guards(facet);
    PyObject *old = facet_forget(facet);
    facet->recorded = facet->current;
    facet->holds = true;
    return old;
}

PyObject *facet_read(uint32_t id, unsigned unstable_after, uint32_t *generation)
{
    Facet *facet = facet_at(id);
    if (!facet->known && facet_look(id) < 0)
        return NULL;
    if (!facet->known) {
        PyErr_Format(Unwatchable_error, "%R changes each time it is looked up (%d times in a row)", facet->name,
                     MAX_LOOKS);
        return NULL;
    }
    if (facet->breaks >= unstable_after) {
        PyErr_Format(Unstable_error, "it has broken %u times, the limit is %u: load it at run time or use a value cell",
                     (unsigned)facet->breaks, unstable_after);
        return NULL;
    }
    if (facet_has_value(facet) && facet->current == NULL)
        return NULL;
    PyObject *old = facet_has_value(facet) ? record(id) : NULL;
    PyObject *value = Py_NewRef(facet_has_value(facet) ? facet->current : Py_None);
    *generation = facet->generation;
    facet->readers++;
    Py_XDECREF(old);
    return value;
}

/* --- finding a facet by what it is ---------------------------------------------------------------------------------- */

/* The MRO facet of a type lives as long as the type has another facet: it tells them when the MRO changes. */
static int need_mro_facet(uint32_t type)
{
    if (facet_lookup(FACET_MRO, type, NO_ID, NULL) != NO_ID)
        return 0;
    uint32_t id = facet_new(FACET_MRO, type, NO_ID, NULL);
    return id == NO_ID ? -1 : facet_look(id);
}

uint32_t facet_get(FacetKind kind, PyObject *owner, PyObject *fallback, PyObject *name)
{
    uint32_t object = object_use(owner);
    uint32_t other = object == NO_ID || fallback == NULL ? NO_ID : object_use(fallback);
    uint32_t id = NO_ID;
    if (object == NO_ID || (fallback != NULL && other == NO_ID))
        goto done;
    id = facet_lookup(kind, object, other, name);
    if (id != NO_ID)
        goto done;
    if (kind == FACET_CREATED && watch_functions() < 0)
        goto done;
    if (object_at(object)->kind == OBJECT_TYPE && kind != FACET_EXISTENCE && need_mro_facet(object) < 0)
        goto done;
    id = facet_new(kind, object, other, name);
    if (id != NO_ID && facet_look(id) < 0) {
        facet_free_if_unused(id);
        id = NO_ID;
    }
done:
    if (id != NO_ID)
        facet_at(id)->pins++;
    if (other != NO_ID)
        object_release(other);
    if (object != NO_ID) {
        object_at(object)->uses++; /* the MRO facet must not go while it is looked for */
        if (id == NO_ID)
            facet_free_mro_if_alone(object);
        object_release(object);
        object_release(object);
    }
    return id;
}
