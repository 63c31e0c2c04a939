#include "event/event.h"

#include "event/death.h"
#include "event/telling.h"
#include "event/type_event.h"
#include "facet/bases.h"
#include "facet/stored_keys.h"

static inline bool drops_one(Change change) { return change == DEPWATCH_MODIFIED || change == DEPWATCH_DELETED; }

static inline bool may_drop_last(PyObject *before)
{
    return before != NULL && UNLIKELY(Py_REFCNT(before) <= MAX_REFERENCES_OF_LAST + 1);
}

/* The dict is about to drop `before`, its value of this key; NULL: unknown. The caller calls drop_ends() after the event. */
static inline void item_drop_begins(PyObject *before, const Object *object, PyObject *key)
{
    if (may_drop_last(before))
        drop_begins(before, references_of_last(object, key));
}

/* The same for the facet's current value. Reads the facet's name, which is in another cache line, only if it must. */
static inline void current_drop_begins(const Facet *facet, const Object *object)
{
    if (may_drop_last(facet->current))
        drop_begins(facet->current, references_of_last(object, rest_of(facet)->name));
}

/* The dict that provides the facet's value stores another value under the key; the event is counted already. Of all events of a
 * dict only this one names the facet's new value for certain: the write cannot fail any more. */
static NOT_INLINE int provider_event(Facet *facet, const Object *object, PyObject *value)
{
    facet->changes++; /* tells a look-up that is under way to start again */
    PyObject *before = facet->current;
    current_drop_begins(facet, object);
    bool broke = becomes(facet, value, true);
    tell(facet, broke, object->id, DEPWATCH_MODIFIED, before, value);
    drop_ends();
    return 0;
}

static NOT_INLINE int timed_provider_event(Facet *facet, const Object *object, PyObject *value)
{
    Timing timing = is_always_timed(facet) ? (Timing){0} : timing_now(facet); /* else becomes() times what takes long */
    provider_event(facet, object, value);
    timing_ends(timing);
    return 0;
}

/* Any other event of a key in a dict of the facet's look-up chain, or of the whole dict. */
static void chain_event(uint32_t id, const Object *object, Change change, PyObject *value)
{
    Facet *facet = facet_at(id);
    bool removal = change == DEPWATCH_DELETED || change == DEPWATCH_CLEARED;
    if (facet->dead || (facet->known && facet->provider != object->id && removal))
        return; /* this dict does not have the facet's name: a dict further down the chain provides it */
    Happening before = event_begins(facet);
    if (before.held && value != NULL && is_recorded(facet, value))
        facet_loses_place(facet); /* the same value, perhaps now in this dict: it holds whether or not the write succeeds */
    else if (before.held || facet->known)
        facet_becomes_unknown(id);
    facet_awaits(facet, removal ? AWAITS_NO_NAME : AWAITS_NAME, object->id);
    event_ends(facet, before, object->id, change, value);
}

static inline void named_event(uint32_t id, const Object *object, Change change, PyObject *value)
{
    Facet *facet = facet_at(id);
    if (change != DEPWATCH_MODIFIED || facet->provider != object->id)
        chain_event(id, object, change, value);
    else if (event_counts())
        timed_provider_event(facet, object, value);
    else
        provider_event(facet, object, value);
}

/* The key is deleted from a base's table of subclasses: that type leaves the base. CPython has already replaced its MRO, and
 * those of its subclasses. */
static void subclasses_event(PyObject *key)
{
    const PyTypeObject *left = key == NULL ? NULL : type_of_key(key);
    const Object *type = left == NULL ? NULL : object_of(left);
    if (type != NULL && type->kind == OBJECT_TYPE)
        check_mros(type);
}

_Static_assert(PyDict_EVENT_ADDED < PyDict_EVENT_DELETED && PyDict_EVENT_MODIFIED < PyDict_EVENT_DELETED &&
                   (int)DEPWATCH_ADDED == PyDict_EVENT_ADDED && (int)DEPWATCH_MODIFIED == PyDict_EVENT_MODIFIED &&
                   (int)DEPWATCH_DELETED == PyDict_EVENT_DELETED && (int)DEPWATCH_CLONED == PyDict_EVENT_CLONED &&
                   (int)DEPWATCH_CLEARED == PyDict_EVENT_CLEARED,
               "the changes of a dict have the same numbers as CPython's events");

/* A dict loses all its keys. */
static void clear_event(const Object *object)
{
    DependentsWalk walk;
    for (uint32_t i = 0; object->keys.slots != NULL && i <= object->keys.mask; i++)
        FOR_EACH_DEPENDENT(facet, walk, &object->keys.slots[i].facets)
            chain_event(facet, object, DEPWATCH_CLEARED, NULL);
    drop_items(object->address); /* last, because the facets above took references that must not outlive the clear() */
}

/* An event whose key may equal any name, or any name with this hash. CPython reports neither whether the key equals a name nor
 * when the change is made, so the facets of all these names are given up. */
static void ambiguous_event(const Object *object, Change change, Py_hash_t hash)
{
    DependentsWalk walk;
    for (uint32_t i = 0; object->keys.slots != NULL && i <= object->keys.mask; i++) {
        const KeySlot *slot = &object->keys.slots[i];
        if (hash != ANY_HASH && slot->hash != hash)
            continue;
        FOR_EACH_DEPENDENT(facet, walk, &slot->facets) {
            if (facet_at(facet)->dead)
                continue;
            const Facet *known = facet_at(facet);
            if (known->provider == object->id && drops_one(change))
                current_drop_begins(known, object); /* if the key equals the name */
            facet_awaits_clarity(facet_at(facet));
            give_up_event(facet, object->id, change, CAUSE_AMBIGUOUS);
            facet_awaits_clarity(facet_at(facet));
            drop_ends();
        }
    }
}

static void str_key_event(const Object *object, Change change, PyObject *key, PyObject *value)
{
    const KeySlot *slot = keys_find(&object->keys, key);
    DependentsWalk walk;
    if (slot == NULL)
        return;
    if (change == DEPWATCH_DELETED && odd_key_of(object->address, slot->hash) != NULL) {
        /* The event names the key that was asked for. The dict may drop the odd key, which has come to equal the name, and keep
         * the name itself. */
        ambiguous_event(object, change, slot->hash);
        return;
    }
    FOR_EACH_DEPENDENT(facet, walk, &slot->facets)
        named_event(facet, object, change, value);
}

/* Whether the event concerns exactly the name that the key spells, now and later. */
static bool names_one(Change change, PyObject *key)
{
    if (compares_as_str(key))
        return true;
    /* If the dict already has the name, it keeps its own key object, so this key need not compare as a str later. */
    return drops_one(change) && PyUnicode_Check(key) && has_slots_of_str(key) && str_hash(key) != -1;
}

/* The value that the dict has under the key and is about to drop (borrowed). NULL: there is none, or depwatch keeps no
 * reference that could prolong its life, or finding it would run Python. */
static PyObject *value_dropped(const Object *object, Change change, PyObject *key)
{
    const KeySlot *slot = names_one(change, key) ? keys_find(&object->keys, key) : NULL;
    DependentsWalk walk;
    if (slot != NULL)
        FOR_EACH_DEPENDENT(facet, walk, &slot->facets)
            if (facet_at(facet)->known && facet_at(facet)->provider == object->id)
                return facet_at(facet)->current;
    return kept_first == NULL ? NULL : stored_value(object->address, key);
}

static void key_event(const Object *object, Change change, PyObject *key, PyObject *value)
{
    if (names_one(change, key))
        str_key_event(object, change, key, value);
    else if (!never_equals_str(key))
        /* The key's __eq__ may answer anything, now or later; but a dict compares only keys of the same hash. */
        ambiguous_event(object, change, hash_without_python(key));
    /* Else the key equals no str. It may equal an odd key of the dict (one with an __eq__ of its own), but no facet has a name
     * with the hash of an odd key. */
}

/* An empty dict is about to be filled from the dict source. */
static void clone_event(const Object *object, PyObject *source)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(source, &position, &key, &value))
        key_event(object, DEPWATCH_CLONED, key, value);
}

/* Everything but the two short paths of on_dict_event. */
static NOT_INLINE int dict_event(Object *object, PyDict_WatchEvent event, PyObject *key, PyObject *value)
{
    if (event == PyDict_EVENT_DEALLOCATED) {
        object_dies(object->id);
        return 0;
    }
    Change change = (Change)event;
    if (drops_one(change))
        item_drop_begins(value_dropped(object, change, key), object, key);
    if (change == DEPWATCH_CLONED) {
        clone_event(object, key); /* the event's key is the dict that is copied */
        key = NULL;
    } else if (change == DEPWATCH_CLEARED) {
        clear_event(object);
    } else {
        key_event(object, change, key, value);
    }
    if (object->subclasses_table && change == DEPWATCH_DELETED)
        subclasses_event(key);
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(facet, walk, &object->whole)
        whole_event(facet, object->id, change, key, value);
    drop_ends();
    return 0;
}

/* Whether the facet is broken and stays so with this value, and has no cell and no listener: then the event changes nothing
 * but the facet's value. */
static inline bool stays_broken(const Facet *facet, PyObject *value)
{
    if (facet->holds || facet->cells != 0 || facet->listeners != 0)
        return false;
    PyObject *recorded = facet_recorded(facet);
    return recorded != NULL && surely_differ(recorded, value);
}

/* The same event, where the dict's old value may have no reference left but the dict's own and ours. */
static NOT_INLINE int stays_broken_and_drops(Facet *facet, const Object *object, PyObject *value)
{
    if (kept_first != NULL)
        current_drop_begins(facet, object);
    drop_ends();
    facet->changes++;
    facet->current = value;
    return 0;
}

/* An event of a name that some facet may have. slot: the first one on its probe sequence. */
static NOT_INLINE int slot_event(const KeySlot *slot, Object *object, PyDict_WatchEvent event, PyObject *key, PyObject *value)
{
    if (UNLIKELY(slot->name != key) && (slot = keys_probe(&object->keys, slot, key)) == NULL)
        return 0;
    if (slot->name != key)
        return dict_event(object, event, key, value); /* another string of the same hash: dict_event() compares them */
    /* Most often one facet relies on the key, and this dict provides it. */
    Facet *facet = slot->only;
    if (facet == NULL || event != PyDict_EVENT_MODIFIED || facet->provider != object->id)
        return dict_event(object, event, key, value);
    if (!stays_broken(facet, value)) {
        if (event_counts())
            return timed_provider_event(facet, object, value);
        return provider_event(facet, object, value);
    }
    if (UNLIKELY(Py_REFCNT(facet->current) <= MAX_REFERENCES_OF_LAST + 1))
        return stays_broken_and_drops(facet, object, value);
    facet->changes++;
    facet->current = value;
    return 0;
}

/* The shortest path: all calls are tail calls, so an event that concerns no facet saves no registers. */
int on_dict_event(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    Object *object = object_of(dict);
    if (object == NULL)
        return 0;
    if (event > PyDict_EVENT_DELETED || !dependents_empty(&object->whole) || !PyUnicode_CheckExact(key) ||
        str_hash(key) == -1)
        return dict_event(object, event, key, value);
    if (object->keys.slots == NULL)
        return 0;
    const KeySlot *slot = keys_first(&object->keys, str_hash(key));
    if (slot->name == NULL)
        return 0;
    return slot_event(slot, object, event, key, value);
}
