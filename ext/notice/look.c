#include "notice/look.h"

#include "action/action.h"
#include "facet/assigned_bases.h"
#include "facet/bases.h"
#include "facet/stored_keys.h"
#include "watch/errors.h"
#include "watch/watch.h"

/* The dicts in which a name is looked up, in order, and whether each can change. The function that has the Chain owns its
 * arrays and references. */
typedef struct Chain {
    Py_ssize_t n;
    PyObject **dicts;
    bool *watched;
} Chain;

static void chain_clear(Chain *chain)
{
    for (Py_ssize_t i = 0; chain->dicts != NULL && i < chain->n; i++)
        Py_XDECREF(chain->dicts[i]);
    PyMem_Free(chain->dicts);
    PyMem_Free(chain->watched);
}

static int chain_reserve(Chain *chain, Py_ssize_t n)
{
    *chain = (Chain){0};
    chain->dicts = PyMem_Calloc((size_t)n + 1, sizeof *chain->dicts);
    chain->watched = PyMem_Calloc((size_t)n + 1, sizeof *chain->watched);
    if (chain->dicts != NULL && chain->watched != NULL)
        return 0;
    chain_clear(chain);
    PyErr_NoMemory();
    return -1;
}

static int chain_of_type(const PyTypeObject *type, Chain *chain)
{
    PyObject *classes = type->tp_mro;
    if (chain_reserve(chain, PyTuple_GET_SIZE(classes)) < 0)
        return -1;
    for (; chain->n < PyTuple_GET_SIZE(classes); chain->n++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(classes, chain->n);
        chain->dicts[chain->n] = PyType_GetDict(base);
        chain->watched[chain->n] = !is_immutable(base);
    }
    return 0;
}

/* The facet's chain of dicts at this moment; empty if its object is dead. */
static int chain_of(const Facet *facet, Chain *chain)
{
    PyObject *owner = object_at(rest_of(facet)->owner)->address;
    if (owner != NULL && PyType_Check(owner))
        return chain_of_type((PyTypeObject *)owner, chain);
    if (chain_reserve(chain, 2) < 0)
        return -1;
    if (owner != NULL)
        chain->dicts[chain->n++] = Py_NewRef(owner);
    uint32_t fallback = facet_fallback(facet);
    if (owner != NULL && fallback != NO_ID && fallback != rest_of(facet)->owner && object_at(fallback)->address != NULL)
        chain->dicts[chain->n++] = Py_NewRef(object_at(fallback)->address);
    chain->watched[0] = chain->watched[1] = true;
    return 0;
}

/* Refuses the name if the dict has an odd key (one that is no plain str) with the same hash: the key's __eq__ may call it equal
 * to the name, and CPython reports no event when that answer changes. */
static int refuse_odd_key(PyObject *dict, PyObject *name)
{
    if (check_stored_keys() < 0)
        return -1;
    PyObject *key = odd_key_of(dict, str_hash(name));
    if (key == NULL)
        return 0;
    PyErr_Format(Unwatchable_error,
                 "%R in a dict that also has a key of type %.100s with the same hash: the __eq__ of that key may call it equal "
                 "to the name, and CPython does not report when its answer changes; use only keys of type str",
                 name, Py_TYPE(key)->tp_name);
    return -1;
}

/* Looks along a chain once. Registers the facet at each dict before looking into it, so that no change is missed in between.
 * *value: borrowed, NULL if missing. Returns 1 if something changed meanwhile, so that the look must start again. */
static int walk_chain(uint32_t id, const Chain *chain, PyObject **value, uint32_t *provider)
{
    Facet *facet = facet_at(id);
    uint32_t n_registered = 0, changes = facet->changes;
    *value = NULL;
    *provider = NO_ID;
    for (Py_ssize_t i = 0; i < chain->n && *value == NULL; i++) {
        PyObject *dict = chain->dicts[i];
        bool watched = chain->watched[i];
        if (watched && (facet_register(id, n_registered++, dict) < 0 || refuse_odd_key(dict, rest_of(facet)->name) < 0))
            return -1;
        *value = PyDict_GetItemWithError(dict, rest_of(facet)->name);
        if (*value == NULL && PyErr_Occurred())
            return -1;
        if (watched)
            *provider = object_find(dict);
        /* Comparing keys may have run Python, which may have changed a dict or the MRO, or looked at this facet itself. */
        if (facet->changes != changes || facet_n_registered(facet) < n_registered ||
            (watched && facet_registered_at(facet, n_registered - 1) != *provider))
            return 1;
        if (!watched)
            *provider = NO_ID;
    }
    facet_unregister_after(id, n_registered);
    return 0;
}

static int look_along_chain(uint32_t id)
{
    Facet *facet = facet_at(id);
    for (int look = 0; look < MAX_LOOKS && !facet->dead; look++) {
        uint32_t provider = NO_ID;
        PyObject *value = NULL;
        Chain chain;
        if (chain_of(facet, &chain) < 0)
            return -1;
        int again = chain.n == 0 ? 0 : walk_chain(id, &chain, &value, &provider);
        if (again == 0 && value == NULL) {
            facet_becomes_missing(id);
        } else if (again == 0) {
            facet->provider = provider;
            facet_becomes(id, value);
        }
        chain_clear(&chain);
        if (again <= 0)
            return again;
    }
    return 0; /* the value stays unknown, and the facet broken, until an event causes another look */
}

static int look_whole_type(uint32_t id, PyObject *type)
{
    uint32_t n_registered = 0;
    Chain chain;
    int result = chain_of_type((PyTypeObject *)type, &chain);
    if (result < 0)
        return -1;
    for (Py_ssize_t i = 0; i < chain.n && result == 0; i++)
        if (chain.watched[i])
            result = facet_register(id, n_registered++, chain.dicts[i]);
    chain_clear(&chain);
    if (result < 0)
        return -1;
    facet_unregister_after(id, n_registered);
    facet_at(id)->known = true;
    return 0;
}

static int look_function(uint32_t id)
{
    Facet *facet = facet_at(id);
    PyFunctionObject *function = (PyFunctionObject *)object_at(rest_of(facet)->owner)->address;
    if (function == NULL)
        return 0;
    PyObject *value = facet->kind == FACET_CODE       ? function->func_code
                      : facet->kind == FACET_DEFAULTS ? function->func_defaults
                                                      : function->func_kwdefaults;
    uint32_t n_registered = 0;
    if (facet->kind == FACET_KWDEFAULTS) {
        /* Registers at the dict in use and at the recorded one, because either may change in place. */
        PyObject *recorded = facet_recorded(facet);
        if (recorded != NULL && PyDict_Check(recorded) && facet_register(id, n_registered++, recorded) < 0)
            return -1;
        if (value != NULL && value != recorded && facet_register(id, n_registered++, value) < 0)
            return -1;
    }
    facet_unregister_after(id, n_registered);
    facet->provider = rest_of(facet)->owner;
    facet_becomes(id, value == NULL ? Py_None : value);
    return 0;
}

/* Registers a facet that stands for a whole object. For a function also at its dict of keyword defaults, which may change in
 * place. */
static int look_whole(uint32_t id, PyObject *object)
{
    if (PyType_Check(object))
        return look_whole_type(id, object);
    PyObject *dict = PyDict_Check(object)       ? object
                     : PyFunction_Check(object) ? ((PyFunctionObject *)object)->func_kwdefaults
                                                : NULL;
    if (dict != NULL && facet_register(id, 0, dict) < 0)
        return -1;
    facet_unregister_after(id, dict != NULL);
    facet_at(id)->known = true;
    return 0;
}

/* Looks at the type's MRO facet, if the MRO changed since the last look, so that the next change of it is seen. -1 with an
 * exception set. */
static int look_mro(uint32_t owner)
{
    uint32_t id = facet_lookup(FACET_MRO, owner, NO_ID, NULL);
    return id == NO_ID || facet_at(id)->known ? 0 : facet_look(id);
}

static int look(uint32_t id)
{
    Facet *facet = facet_at(id);
    PyObject *object = object_at(rest_of(facet)->owner)->address;
    const FacetTraits *traits = traits_of(facet);
    if (traits->has_mro && object != NULL && PyType_Check(object) && look_mro(rest_of(facet)->owner) < 0)
        return -1;
    if (traits->is_named)
        return look_along_chain(id);
    if (traits->is_part)
        return look_function(id);
    switch (facet->kind) {
    case FACET_MRO:
        return look_bases(id);
    case FACET_EXISTENCE:
        if (object != NULL) {
            facet->provider = rest_of(facet)->owner;
            facet_becomes(id, object);
        }
        return 0;
    case FACET_ANY:
        return object == NULL ? 0 : look_whole(id, object);
    }
    facet->known = true;
    return 0;
}

static bool is_missing_yet(Awaits what, uint32_t dict, PyObject *name)
{
    PyObject *address = what == AWAITS_NOTHING ? NULL : object_at(dict)->address; /* AWAITS_NOTHING: dict is not set */
    if (address == NULL)
        return false;
    if (odd_key_of(address, str_hash(name)) != NULL)
        return false; /* that key may answer for the name, before the change and after it: the look that follows refuses it */
    int has_name = PyDict_Contains(address, name);
    if (has_name < 0)
        PyErr_Clear(); /* comparing keys raised: the look that follows will raise again */
    return has_name == (what == AWAITS_NAME ? 0 : 1);
}

bool facet_is_awaited(const Facet *facet)
{
    if (facet->awaits == AWAITS_CLARITY)
        return true;
    if (facet->awaits == AWAITS_KWDEFAULTS) {
        const PyFunctionObject *function = (PyFunctionObject *)object_at(rest_of(facet)->owner)->address;
        return function != NULL && function->func_kwdefaults != facet->awaited_value;
    }
    return is_missing_yet(facet->awaits, facet->awaited_in[0], rest_of(facet)->name) ||
           is_missing_yet(facet->awaits_too, facet->awaited_in[1], rest_of(facet)->name);
}

int facet_look(uint32_t id)
{
    Facet *facet = facet_at(id);
    PyObject *owner = object_at(rest_of(facet)->owner)->address;
    if (owner != NULL && PyType_Check(owner) && facet->kind != FACET_EXISTENCE && refuse_assigned_bases((PyTypeObject *)owner) < 0)
        return -1;
    if (facet->awaits == AWAITS_CLARITY) {
        PyErr_Format(Unwatchable_error,
                     "%R: a key with an __eq__ of its own was stored in (or deleted from) its dict, and CPython does not "
                     "report when that is finished; cancel subscriptions to this name and read it again",
                     rest_of(facet)->name);
        return -1;
    }
    if (facet_is_awaited(facet))
        return 0; /* the value is unknown until a later look */
    facet->awaits = facet->awaits_too = AWAITS_NOTHING;
    rest_of(facet)->pins++; /* a look-up can run Python, which can run a drain: the pin keeps that drain from freeing the facet */
    int result = look(id);
    rest_of(facet)->pins--;
    return result;
}
