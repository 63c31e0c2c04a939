#include "event/provisional.h"

#include "action/action.h"
#include "facet/bases.h"
#include "facet/stored_keys.h"
#include "watch/extra_dicts.h"

/* Beyond these limits facets break instead. */
#define MAX_FACETS 64
static Facet *facets[MAX_FACETS];

#define MAX_ITEMS 2000 /* of a dict that is looked through: a few microseconds */

static bool keep_watched(PyObject *dict) { return object_of(dict) != NULL || extra_dicts_watch(dict); }

typedef enum Look { LOOK_MISSING, LOOK_FOUND, LOOK_GIVEN_UP } Look;

/* Whether dict has the name, and as what (borrowed). */
static Look look_through(PyObject *dict, PyObject *name, PyObject **value)
{
    Py_ssize_t position = 0;
    PyObject *key;
    if (dict == NULL || PyDict_GET_SIZE(dict) > MAX_ITEMS || odd_key_of(dict, str_hash(name)) != NULL)
        return LOOK_GIVEN_UP;
    while (PyDict_Next(dict, &position, &key, value))
        if (key == name || (compares_as_str(key) && str_hash(key) == str_hash(name) && same_str(key, name)))
            return LOOK_FOUND;
    return LOOK_MISSING;
}

/* One dict along a chain: true if the chain ends here, with *holds telling whether the recorded value is there. */
static bool ends_here(const Facet *facet, PyObject *dict, bool *holds)
{
    PyObject *value;
    Look look = look_through(dict, facet->name, &value);
    *holds = false;
    if (look == LOOK_GIVEN_UP || !keep_watched(dict))
        return true;
    if (look == LOOK_MISSING)
        return false;
    *holds = is_recorded(facet, value);
    return true;
}

/* Whether the recorded value is what is found along the MRO of now, behind the dict after (NULL: from the start). */
static bool holds_along_mro(const Facet *facet, const PyTypeObject *type, const PyObject *after)
{
    PyObject *mro = type->tp_mro; /* NULL: the collector has taken the type apart */
    for (Py_ssize_t i = 0; mro != NULL && i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        bool holds;
        if (!PyType_HasFeature(base, Py_TPFLAGS_HEAPTYPE) || PyType_HasFeature(base, Py_TPFLAGS_IMMUTABLETYPE))
            return false;
        if (after != NULL) {
            if (base->tp_dict == after)
                after = NULL;
        } else if (ends_here(facet, base->tp_dict, &holds)) {
            return holds;
        }
    }
    return false;
}

/* The table of the changing class's base dies when it is the only one in it, and a new base may have none yet. */
static bool stays(PyObject *table, const PyTypeObject *changing)
{
    Py_ssize_t position = 0;
    PyObject *key;
    while (PyDict_Next(table, &position, &key, NULL))
        if (type_of_key(key) != changing)
            return true;
    return false;
}

/* Whether the table of a base of type is watched, so that it shows if type gets other bases: the old ones' all do. */
static bool keep_base_watched(const PyTypeObject *type, const PyTypeObject *changing)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(type->tp_bases); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(type->tp_bases, i);
        PyObject *table = known_table(base);
        if (!may_leave(base))
            return true;
        if (table != NULL && (type != changing || stays(table, changing)) && keep_watched(table))
            return true;
    }
    return false;
}

/* The MRO may change again before the drain, also by a class that is new in it. */
static bool keep_bases_watched(PyObject *mro, const PyTypeObject *changing)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); i++) {
        const PyTypeObject *type = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
        if (!PyType_HasFeature((PyTypeObject *)type, Py_TPFLAGS_IMMUTABLETYPE) && !keep_base_watched(type, changing))
            return false;
    }
    return true;
}

static bool has_room(const Facet *facet)
{
    return !service.shutting_down && (facet->provisional != PROVISIONAL_NOT || extra_dicts_needed < MAX_FACETS);
}

static void hold_provisionally(Facet *facet, Provisional how)
{
    if (facet->provisional == PROVISIONAL_NOT)
        facets[extra_dicts_needed++] = facet;
    facet->provisional = (uint8_t)how;
    facet_loses_place(facet);
}

bool provisional_after_removal(Facet *facet, const PyObject *dict)
{
    const Object *owner = object_at(facet->owner);
    bool holds = false;
    /* A removal before this one is perhaps still under way: then its dict still has the old value. */
    if (facet->provisional == PROVISIONAL_REMOVED || !has_room(facet))
        return false;
    if (facet->kind == FACET_ATTRIBUTE)
        holds = holds_along_mro(facet, (PyTypeObject *)owner->address, dict);
    else if (facet->kind == FACET_GLOBAL && facet->fallback != NO_ID && facet->fallback != facet->owner &&
             owner->address == dict && object_at(facet->fallback)->address != NULL)
        (void)ends_here(facet, object_at(facet->fallback)->address, &holds);
    if (holds)
        hold_provisionally(facet, PROVISIONAL_REMOVED);
    return holds;
}

bool provisional_after_mro(Facet *facet, const PyTypeObject *changing)
{
    PyTypeObject *type = (PyTypeObject *)object_at(facet->owner)->address;
    if (facet->provisional == PROVISIONAL_REMOVED || !has_room(facet) || !holds_along_mro(facet, type, NULL) ||
        !keep_bases_watched(type->tp_mro, changing))
        return false;
    hold_provisionally(facet, PROVISIONAL_MRO);
    return true;
}

void provisional_settled(Facet *facet)
{
    if (facet->provisional == PROVISIONAL_NOT)
        return;
    facet->provisional = PROVISIONAL_NOT;
    uint32_t i = 0;
    while (facets[i] != facet)
        i++;
    facets[i] = facets[--extra_dicts_needed];
}

static void break_one(Facet *facet)
{
    provisional_settled(facet);
    facet_becomes_unknown(facet->id);
}

void provisional_break_all(void)
{
    while (extra_dicts_needed > 0)
        break_one(facets[extra_dicts_needed - 1]);
}

/* Whether the facet's name is looked up in dict, now or once the drain has looked again. */
static bool is_in_chain(const Facet *facet, const PyObject *dict)
{
    PyObject *owner = object_at(facet->owner)->address;
    if (facet->kind != FACET_ATTRIBUTE)
        return dict == owner || dict == object_at(facet->fallback)->address; /* after a removal: it has a fallback */
    PyObject *mro = ((PyTypeObject *)owner)->tp_mro;
    if (mro == NULL)
        return true; /* taken apart */
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); i++)
        if (((PyTypeObject *)PyTuple_GET_ITEM(mro, i))->tp_dict == dict)
            return true;
    return false;
}

/* A change in a dict of the facet's chain. Whatever is found first, the recorded value stays if that is stored. */
static bool survives(Facet *facet, PyDict_WatchEvent event, const PyObject *dict, PyObject *key, PyObject *value)
{
    if (key == NULL)
        return false;
    if (!compares_as_str(key)) {
        Py_hash_t hash = hash_without_python(key); /* a dict compares only what has the same */
        return hash != ANY_HASH && hash != str_hash(facet->name);
    }
    if (!same_str(key, facet->name))
        return true;
    if (event == PyDict_EVENT_DELETED)
        return provisional_after_removal(facet, dict);
    return is_recorded(facet, value);
}

void provisional_event(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    if (event == PyDict_EVENT_DEALLOCATED) {
        extra_dicts_forget(dict);
        return; /* no chain has it any more: what is in a chain is kept by its class or namespace */
    }
    if (event == PyDict_EVENT_CLONED)
        key = NULL;
    if (key != NULL && never_equals_str(key) && event != PyDict_EVENT_DELETED)
        return; /* a class that gets a subclass */
    bool left_base = key != NULL && PyLong_CheckExact(key);
    const PyTypeObject *changing = left_base ? type_of_key(key) : NULL;
    for (uint32_t i = extra_dicts_needed; i-- > 0;) { /* breaking one moves the last into its place */
        Facet *facet = facets[i];
        if (facet->dead) /* with its owner: there is no chain any more */
            provisional_settled(facet);
        else if (left_base ? facet->kind == FACET_ATTRIBUTE && !provisional_after_mro(facet, changing)
                      : is_in_chain(facet, dict) && !survives(facet, event, dict, key, value))
            break_one(facet);
    }
}
