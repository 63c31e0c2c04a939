#include "event.h"

#include "action.h"
#include "facets.h"
#include "provisional.h"
#include "queue.h"
#include "service.h"
#include "subclasses.h"

static bool held(const Facet *facet) { return facet->recorded != NULL && facet->holds; }

/* Queues the details where somebody wants them: a listener, or explain() because the facet just broke. */
static ALWAYS_INLINE void tell(const Facet *facet, bool was_held, uint32_t object, Change change, PyObject *before,
                               PyObject *value)
{
    bool broke = was_held && !facet->holds;
    if (!broke && facet->listeners == 0)
        return;
    if (facet->listeners == 0)
        before = NULL; /* it is the recorded value, which the facet keeps from now on: see take_detail */
    queue_detail(facet->id, object, change, broke, NULL, before, value); /* its name is the facet's */
    if (!broke)
        service_schedule(); /* a break has done that */
}

/* --- dicts ------------------------------------------------------------------------------------------------------ */

/* The key's provider stores another value: the one event that is to be trusted, as the write cannot fail any more. */
static NOT_INLINE int provider_event(Facet *facet, PyObject *value)
{
    service.events++;
    facet->changes++; /* a look-up that is under way sees by this that it must look again */
    PyObject *before = facet->current;
    bool was_held = held(facet);
    becomes(facet, value);
    tell(facet, was_held, facet->provider, CHANGE_MODIFIED, before, value);
    return 0;
}

/* Any other event of a key along a look-up chain, or of the whole dict. */
static void chain_event(uint32_t id, const Object *object, Change change, PyObject *value)
{
    Facet *facet = facet_at(id);
    bool removal = change == CHANGE_DELETED || change == CHANGE_CLEARED;
    if (facet->dead || (facet->known && facet->provider != object->id && removal))
        return; /* of something else: the facet's name is not in this dict, it is provided further down */
    PyObject *before = facet->current;
    bool was_held = held(facet);
    service.events++;
    facet->changes++;
    facet->awaits = removal ? AWAITS_NO_NAME : AWAITS_NAME;
    facet->awaited_in = object->id;
    if (was_held && value != NULL && same_value(facet_recorded(facet), value))
        facet_loses_place(facet); /* whether or not the write succeeds: the value is the same, only perhaps moved here */
    else if (was_held ? !(removal && provisional_after_removal(facet, object->address)) : facet->known)
        facet_becomes_unknown(id);
    tell(facet, was_held, object->id, change, before, value);
}

static inline void named_event(uint32_t id, const Object *object, Change change, PyObject *value)
{
    if (change == CHANGE_MODIFIED && facet_at(id)->provider == object->id)
        provider_event(facet_at(id), value);
    else
        chain_event(id, object, change, value);
}

/* A dict of keyword defaults that the function had in between: neither in use nor waited for. */
static bool is_other_dict(const Facet *facet, uint32_t object)
{
    const PyObject *dict = object_at(object)->address;
    return facet->kind == FACET_KWDEFAULTS && facet->known && dict != facet->current && dict != facet_recorded(facet);
}

static void whole_event(uint32_t id, uint32_t object, Change change, PyObject *key, PyObject *value)
{
    Facet *facet = facet_at(id);
    if (facet->dead || is_other_dict(facet, object))
        return;
    /* ANY, or KWDEFAULTS whose dict changed in place: nothing is recorded that could be found again. */
    bool relied_on = !dependents_empty(&facet->handles);
    service.events++;
    facet->changes++;
    facet_retires_handles(id, CAUSE_CHANGED);
    if (relied_on || facet->listeners != 0) {
        queue_detail(id, object, change, relied_on, key, NULL, value);
        service_schedule();
    }
}

/* Whether the value is the type's own, which comes first in any MRO that has the type at its head. */
static bool is_own(const Facet *facet, const PyTypeObject *type)
{
    return facet->kind == FACET_ATTRIBUTE && facet->known && facet->provider != NO_ID &&
           object_at(facet->provider)->address == type->tp_dict &&
           PyTuple_GET_ITEM(type->tp_mro, 0) == (const PyObject *)type;
}

/* The MRO of the facet's type was replaced, as changing got other bases. */
static void mro_event(Facet *facet, const Object *type, const PyTypeObject *changing)
{
    PyObject *before = facet->current;
    bool was_held = held(facet);
    if (facet->kind == FACET_EXISTENCE || is_own(facet, (PyTypeObject *)type->address))
        return;
    if (facet->kind == FACET_ANY)
        whole_event(facet->id, type->id, CHANGE_MRO, NULL, NULL);
    service.events++;
    facet->changes++;
    if (facet->kind != FACET_ATTRIBUTE || !was_held || !provisional_after_mro(facet, changing))
        facet_becomes_unknown(facet->id); /* ANY and MRO too: the drain registers them along the new MRO */
    if (facet->kind != FACET_ANY)
        tell(facet, was_held, type->id, CHANGE_MRO, before, NULL);
}

/* The MRO of this type may have changed, or of one that inherits from it: tell the facets of those where it did. */
static void check_mros(const Object *object)
{
    DependentsWalk walk = dependents_walk(&object->whole);
    while (dependents_next(&walk))
        for (uint32_t i = 0; i < walk.count; i++) {
            Facet *facet = facet_at(walk.ids[i]);
            Object *type = object_at(facet->owner);
            if (facet->dead || type->address == NULL)
                continue;
            PyObject *mro = ((PyTypeObject *)type->address)->tp_mro;
            if (mro == type->mro)
                continue;
            type->mro = mro;
            for (uint32_t id = type->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner)
                mro_event(facet_at(id), type, (PyTypeObject *)object->address);
        }
}

/* A type leaves a base's table of subclasses: its MRO and those of its subclasses are already new. */
static void subclasses_event(PyObject *key)
{
    const PyTypeObject *left = key == NULL ? NULL : type_of_key(key);
    const Object *type = left == NULL ? NULL : object_of(left);
    if (type != NULL && type->kind == OBJECT_TYPE)
        check_mros(type);
}

_Static_assert(PyDict_EVENT_ADDED < PyDict_EVENT_DELETED && PyDict_EVENT_MODIFIED < PyDict_EVENT_DELETED &&
                   (int)CHANGE_ADDED == PyDict_EVENT_ADDED && (int)CHANGE_MODIFIED == PyDict_EVENT_MODIFIED &&
                   (int)CHANGE_DELETED == PyDict_EVENT_DELETED && (int)CHANGE_CLONED == PyDict_EVENT_CLONED &&
                   (int)CHANGE_CLEARED == PyDict_EVENT_CLEARED,
               "the changes of a dict have CPython's numbers");

#define ANY_HASH (-1) /* nothing has it */

/* The key's hash where finding it runs no Python, else ANY_HASH. */
static Py_hash_t hash_without_python(PyObject *key)
{
    hashfunc hash = Py_TYPE(key)->tp_hash;
    if (PyUnicode_Check(key) && hash == PyUnicode_Type.tp_hash)
        return str_hash(key);
    bool plain = hash == PyBaseObject_Type.tp_hash || hash == PyLong_Type.tp_hash || hash == PyFloat_Type.tp_hash ||
                 hash == PyBytes_Type.tp_hash;
    return plain ? hash(key) : ANY_HASH;
}

/* A dict loses all its keys. */
static void clear_event(Object *object)
{
    object->keys_are = KEYS_UNKNOWN;
    for (uint32_t i = 0; object->keys.slots != NULL && i <= object->keys.mask; i++)
        for (DependentsWalk walk = dependents_walk(&object->keys.slots[i].facets); dependents_next(&walk);)
            for (uint32_t j = 0; j < walk.count; j++)
                chain_event(walk.ids[j], object, CHANGE_CLEARED, NULL);
}

/* An event whose key may equal any name, or any of this hash. Nothing tells whether it did, now or when the change is
 * made: so nobody goes on relying on such a name. */
static void ambiguous_event(const Object *object, Change change, Py_hash_t hash)
{
    for (uint32_t i = 0; object->keys.slots != NULL && i <= object->keys.mask; i++) {
        const KeySlot *slot = &object->keys.slots[i];
        if (hash != ANY_HASH && slot->hash != hash)
            continue;
        for (DependentsWalk walk = dependents_walk(&slot->facets); dependents_next(&walk);)
            for (uint32_t j = 0; j < walk.count; j++) {
                Facet *facet = facet_at(walk.ids[j]);
                PyObject *before = facet->current;
                bool was_held = held(facet);
                if (facet->dead)
                    continue;
                service.events++;
                facet->changes++;
                facet_is_abandoned(facet, CAUSE_AMBIGUOUS);
                tell(facet, was_held, object->id, change, before, NULL);
            }
    }
}

static void str_key_event(const Object *object, Change change, PyObject *key, PyObject *value)
{
    const KeySlot *slot = keys_find(&object->keys, key);
    for (DependentsWalk walk = slot == NULL ? (DependentsWalk){0} : dependents_walk(&slot->facets);
         dependents_next(&walk);)
        for (uint32_t i = 0; i < walk.count; i++)
            named_event(walk.ids[i], object, change, value);
}

static void key_event(Object *object, Change change, PyObject *key, PyObject *value)
{
    if (compares_as_str(key)) {
        str_key_event(object, change, key, value);
    } else if (!never_equals_str(key)) {
        /* Its comparison may say anything; but a dict compares only what has the same hash. */
        object->keys_are = KEYS_ODD;
        ambiguous_event(object, change, hash_without_python(key));
    } else if (!has_plain_keys(object)) {
        ambiguous_event(object, change, hash_without_python(key)); /* an odd key may have found itself equal to it */
    }
}

/* An empty dict is about to be filled from another. */
static void clone_event(Object *object, PyObject *source)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(source, &position, &key, &value))
        key_event(object, CHANGE_CLONED, key, value);
}

/* Everything but the two short paths of on_dict_event. */
static NOT_INLINE int dict_event(Object *object, PyDict_WatchEvent event, PyObject *key, PyObject *value)
{
    if (event == PyDict_EVENT_DEALLOCATED) {
        object_dies(object->id);
        return 0;
    }
    Change change = (Change)event;
    if (change == CHANGE_CLONED) {
        clone_event(object, key); /* the event's key is the dict that is copied */
        key = NULL;
    } else if (change == CHANGE_CLEARED) {
        clear_event(object);
    } else {
        key_event(object, change, key, value);
    }
    if (object->subclasses_table && change == CHANGE_DELETED)
        subclasses_event(key);
    for (DependentsWalk walk = dependents_walk(&object->whole); dependents_next(&walk);)
        for (uint32_t i = 0; i < walk.count; i++)
            whole_event(walk.ids[i], object->id, change, key, value);
    return 0;
}

/* It is broken, stays so, and nobody wants to hear of it. */
static inline bool stays_broken(const Facet *facet, PyObject *value)
{
    if (facet->holds || facet->cells != NULL || facet->listeners != 0)
        return false;
    PyObject *recorded = facet_recorded(facet);
    return recorded != NULL && surely_differ(recorded, value);
}

int on_dict_event(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    Object *object = object_of(dict);
    if (provisional_facets != 0)
        provisional_event(event, dict, key, value);
    if (object == NULL)
        return 0;
    if (event > PyDict_EVENT_DELETED || !dependents_empty(&object->whole) || !PyUnicode_CheckExact(key) ||
        str_hash(key) == -1)
        return dict_event(object, event, key, value);
    const KeySlot *slot = keys_probe(&object->keys, key);
    if (slot == NULL)
        return 0;
    if (slot->name != key)
        return dict_event(object, event, key, value); /* an equal string, or only its hash: compared there */
    /* Most often one facet relies on the key, and this dict provides it. */
    Facet *facet = slot->only;
    if (facet == NULL || event != PyDict_EVENT_MODIFIED || facet->provider != object->id)
        return dict_event(object, event, key, value);
    if (!stays_broken(facet, value))
        return provider_event(facet, value);
    facet->changes++;
    facet->current = value;
    return 0;
}

/* --- types ------------------------------------------------------------------------------------------------------ */

/* The MRO of a type may be about to change: the event of a base comes before the MROs of its subclasses are new, and no
 * further event comes until the type has a version tag again, which the drain sees to. */
static void mro_may_change(const Object *type)
{
    for (uint32_t id = type->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner) {
        Facet *facet = facet_at(id);
        if (facet->kind == FACET_EXISTENCE || is_own(facet, (PyTypeObject *)type->address))
            continue;
        if (facet->kind == FACET_ANY)
            whole_event(id, type->id, CHANGE_MRO, NULL, NULL);
        facet->changes++;
        facet_becomes_unknown(id);
    }
}

int on_type_event(PyTypeObject *type)
{
    const Object *object = object_of(type);
    if (object == NULL)
        return 0;
    provisional_break_all();
    for (DependentsWalk walk = dependents_walk(&object->whole); dependents_next(&walk);)
        for (uint32_t i = 0; i < walk.count; i++) {
            const Facet *facet = facet_at(walk.ids[i]);
            if (facet->kind == FACET_MRO && !facet->dead && object_at(facet->owner)->address != NULL)
                mro_may_change(object_at(facet->owner));
        }
    return 0;
}

/* --- functions -------------------------------------------------------------------------------------------------- */

/* The parts of a function that an event is about; ANY is concerned by all. */
static bool concerns(PyFunction_WatchEvent event, FacetKind kind)
{
    switch (event) {
    case PyFunction_EVENT_MODIFY_CODE:
        return kind == FACET_CODE || kind == FACET_ANY;
    case PyFunction_EVENT_MODIFY_DEFAULTS:
        return kind == FACET_DEFAULTS || kind == FACET_ANY;
    case PyFunction_EVENT_MODIFY_KWDEFAULTS:
        return kind == FACET_KWDEFAULTS || kind == FACET_ANY;
    default:
        return false; /* __qualname__, which only 3.15 reports, is no facet */
    }
}

/* What is assigned may be what is there already: CPython reports that too. */
static bool is_there_already(const PyFunctionObject *function, PyFunction_WatchEvent event, const PyObject *value)
{
    return value == (event == PyFunction_EVENT_MODIFY_CODE       ? function->func_code
                     : event == PyFunction_EVENT_MODIFY_DEFAULTS ? function->func_defaults
                                                                 : function->func_kwdefaults);
}

static void awaits_kwdefaults(Facet *facet, uint32_t function, const PyObject *assigned)
{
    facet->awaits = AWAITS_KWDEFAULTS;
    facet->awaited_in = function;
    facet->awaited_value = assigned;
}

static NOT_INLINE int function_modified(uint32_t object, PyFunction_WatchEvent event, PyObject *value)
{
    if (is_there_already((PyFunctionObject *)object_at(object)->address, event, value))
        return 0;
    const PyObject *assigned = value;
    value = value == NULL ? Py_None : value; /* deleted defaults read as None */
    for (uint32_t id = object_at(object)->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner) {
        Facet *facet = facet_at(id);
        if (!concerns(event, facet->kind))
            continue;
        if (facet->kind == FACET_ANY) {
            whole_event(id, object, CHANGE_MODIFIED, NULL, value);
            if (event == PyFunction_EVENT_MODIFY_KWDEFAULTS) {
                awaits_kwdefaults(facet, object, assigned);
                facet_becomes_unknown(id); /* the drain registers it with the new dict */
            }
            continue;
        }
        PyObject *before = facet->current;
        bool was_held = held(facet);
        service.events++;
        facet->changes++;
        if (facet->kind == FACET_KWDEFAULTS)
            awaits_kwdefaults(facet, object, assigned);
        if (facet->kind == FACET_KWDEFAULTS && (!facet->known || value != facet_recorded(facet)))
            facet_becomes_unknown(id); /* another dict of defaults: the drain watches its contents too */
        else
            facet_becomes(id, value);
        tell(facet, was_held, object, CHANGE_MODIFIED, before, value);
    }
    return 0;
}

static NOT_INLINE int function_created(PyFunctionObject *function)
{
    uint32_t code = object_find(function->func_code);
    if (code == NO_ID)
        return 0;
    for (uint32_t id = object_at(code)->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner)
        if (facet_at(id)->kind == FACET_CREATED)
            tell(facet_at(id), false, code, CHANGE_CREATED, NULL, (PyObject *)function);
    return 0;
}

/* What gh-91053 proposed to tell of every function. Of one that dies neither itself is kept, nor a name whose type is the
 * program's: both would come back to life, out of garbage that has been finalized. */
static void tell_life(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    PyObject *name = function->func_qualname;
    value = value == NULL ? Py_None : value; /* deleted defaults read as None */
    switch (event) {
    case PyFunction_EVENT_CREATE:
        queue_life(CHANGE_CREATED, ATTRIBUTE_NOT_APPLICABLE, function, (PyObject *)function, value);
        break;
    case PyFunction_EVENT_DESTROY:
        name = PyUnicode_CheckExact(name) ? name : NULL;
        queue_life(CHANGE_DESTROYED, ATTRIBUTE_NOT_APPLICABLE, function, name, function->func_code);
        break;
    case PyFunction_EVENT_MODIFY_CODE:
        queue_life(CHANGE_MODIFIED, ATTRIBUTE_CODE, function, (PyObject *)function, value);
        break;
    case PyFunction_EVENT_MODIFY_DEFAULTS:
        queue_life(CHANGE_MODIFIED, ATTRIBUTE_DEFAULTS, function, (PyObject *)function, value);
        break;
    case PyFunction_EVENT_MODIFY_KWDEFAULTS:
        queue_life(CHANGE_MODIFIED, ATTRIBUTE_KWDEFAULTS, function, (PyObject *)function, value);
        break;
    default:
        return; /* __qualname__, which only 3.15 reports, is not in the proposal */
    }
    service_schedule();
}

static ALWAYS_INLINE int function_changed_or_died(PyFunction_WatchEvent event, PyFunctionObject *function,
                                                  PyObject *value)
{
    uint32_t id = object_find(function);
    if (id == NO_ID)
        return 0;
    if (event != PyFunction_EVENT_DESTROY)
        return function_modified(id, event, value);
    object_dies(id);
    return 0;
}

/* Somebody wants to hear of functions that nobody relies on. */
static NOT_INLINE int interesting_event(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    if (service.hearer != NULL)
        tell_life(event, function, value);
    if (event == PyFunction_EVENT_CREATE)
        return function_created(function);
    return function_changed_or_died(event, function, value);
}

int on_function_event(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    /* Every function of the process comes here, and nearly always nobody is interested. */
    if (service.function_interest != 0)
        return interesting_event(event, function, value);
    if (event == PyFunction_EVENT_CREATE)
        return 0;
    return function_changed_or_died(event, function, value);
}

/* --- code objects ----------------------------------------------------------------------------------------------- */

int on_code_event(PyCodeEvent event, PyCodeObject *code)
{
    if (event != PY_CODE_EVENT_DESTROY)
        return 0;
    uint32_t id = object_find(code);
    if (id != NO_ID)
        object_dies(id);
    return 0;
}

/* --- death ------------------------------------------------------------------------------------------------------ */

static void end_facet(uint32_t id, uint32_t object)
{
    Facet *facet = facet_at(id);
    if (facet->dead)
        return;
    if (facet->owner == object || facet->fallback == object) {
        facet_dies(id);
        /* No value goes with it: a new reference to what is dying would bring it back to life. */
        queue_detail(id, object, CHANGE_DESTROYED, !dependents_empty(&facet->handles), NULL, NULL, NULL);
    } else if (facet->known && facet->provider != object) {
        facet_touch(id); /* the value is not from there; the drain leaves it out */
    } else {
        facet_becomes_unknown(id);
    }
}

static void end_facets(const Dependents *facets, uint32_t object)
{
    for (DependentsWalk walk = dependents_walk(facets); dependents_next(&walk);)
        for (uint32_t i = 0; i < walk.count; i++)
            end_facet(walk.ids[i], object);
}

void object_dies(uint32_t id)
{
    Object *object = object_at(id);
    address_map_remove(&objects_by_address, object->address);
    object->address = NULL;
    for (uint32_t facet = object->first_facet; facet != NO_ID; facet = facet_at(facet)->next_of_owner)
        end_facet(facet, id);
    for (uint32_t i = 0; object->keys.slots != NULL && i <= object->keys.mask; i++)
        end_facets(&object->keys.slots[i].facets, id);
    end_facets(&object->whole, id);
}
