#include "event.h"

#include "action.h"
#include "facets.h"
#include "queue.h"
#include "service.h"

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
static void chain_event(uint32_t id, uint32_t object, Change change, PyObject *value)
{
    Facet *facet = facet_at(id);
    bool removal = change == CHANGE_DELETED || change == CHANGE_CLEARED;
    if (facet->dead || (facet->known && facet->provider != object && removal))
        return; /* of something else: the facet's name is not in this dict, it is provided further down */
    PyObject *before = facet->current;
    bool was_held = held(facet);
    service.events++;
    facet->changes++;
    if (facet->known)
        facet_becomes_unknown(id);
    tell(facet, was_held, object, change, before, value);
}

static inline void named_event(uint32_t id, uint32_t object, Change change, PyObject *value)
{
    if (change == CHANGE_MODIFIED && facet_at(id)->provider == object)
        provider_event(facet_at(id), value);
    else
        chain_event(id, object, change, value);
}

static void whole_event(uint32_t id, uint32_t object, Change change, PyObject *key, PyObject *value)
{
    Facet *facet = facet_at(id);
    if (facet->dead)
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
            for (uint32_t id = type->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner) {
                Facet *part = facet_at(id);
                bool was_held = held(part);
                if (part->kind == FACET_EXISTENCE)
                    continue;
                if (part->kind == FACET_ANY)
                    whole_event(id, facet->owner, CHANGE_MRO, NULL, NULL);
                PyObject *before = part->current;
                service.events++;
                part->changes++;
                facet_becomes_unknown(id); /* ANY and MRO too: the drain registers them along the new MRO */
                if (part->kind != FACET_ANY)
                    tell(part, was_held, facet->owner, CHANGE_MRO, before, NULL);
            }
        }
}

/* A type leaves a base's table of subclasses: its MRO and those of its subclasses are already new. */
static void subclasses_event(PyObject *key)
{
    if (key == NULL || !PyLong_CheckExact(key))
        return;
    const Object *type = object_of((void *)(uintptr_t)PyLong_AsUnsignedLongLongMask(key));
    if (type != NULL && type->kind == OBJECT_TYPE)
        check_mros(type);
}

_Static_assert(PyDict_EVENT_ADDED < PyDict_EVENT_DELETED && PyDict_EVENT_MODIFIED < PyDict_EVENT_DELETED &&
                   (int)CHANGE_ADDED == PyDict_EVENT_ADDED && (int)CHANGE_MODIFIED == PyDict_EVENT_MODIFIED &&
                   (int)CHANGE_DELETED == PyDict_EVENT_DELETED && (int)CHANGE_CLONED == PyDict_EVENT_CLONED &&
                   (int)CHANGE_CLEARED == PyDict_EVENT_CLEARED,
               "the changes of a dict have CPython's numbers");

/* An event that may concern any key: it names none, or its key is no exact str and may equal one. What is stored is
 * perhaps the value of another key, so nobody is told that it is the facet's. */
static void every_key_event(const Object *object, Change change)
{
    for (uint32_t i = 0; object->keys.slots != NULL && i <= object->keys.mask; i++)
        for (DependentsWalk walk = dependents_walk(&object->keys.slots[i].facets); dependents_next(&walk);)
            for (uint32_t j = 0; j < walk.count; j++)
                chain_event(walk.ids[j], object->id, change, NULL);
}

/* Everything but the two short paths of on_dict_event. */
static NOT_INLINE int dict_event(const Object *object, PyDict_WatchEvent event, PyObject *key, PyObject *value)
{
    if (event == PyDict_EVENT_DEALLOCATED) {
        object_dies(object->id);
        return 0;
    }
    Change change = (Change)event;
    if (change == CHANGE_CLONED)
        key = NULL; /* the event's key is the dict that is copied */
    if (key == NULL || !PyUnicode_CheckExact(key) || str_hash(key) == -1) {
        every_key_event(object, change);
    } else {
        const KeySlot *slot = keys_find(&object->keys, key);
        for (DependentsWalk walk = slot == NULL ? (DependentsWalk){0} : dependents_walk(&slot->facets);
             dependents_next(&walk);)
            for (uint32_t i = 0; i < walk.count; i++)
                named_event(walk.ids[i], object->id, change, value);
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
    const Object *object = object_of(dict);
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

int on_type_event(PyTypeObject *type)
{
    const Object *object = object_of(type);
    if (object == NULL)
        return 0;
    check_mros(object);
    /* No further event comes until the type has a version tag again: the drain sees to that. */
    for (DependentsWalk walk = dependents_walk(&object->whole); dependents_next(&walk);)
        for (uint32_t i = 0; i < walk.count; i++)
            facet_becomes_unknown(walk.ids[i]);
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

static NOT_INLINE int function_modified(uint32_t object, PyFunction_WatchEvent event, PyObject *value)
{
    value = value == NULL ? Py_None : value; /* deleted defaults read as None */
    for (uint32_t id = object_at(object)->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner) {
        Facet *facet = facet_at(id);
        if (!concerns(event, facet->kind))
            continue;
        if (facet->kind == FACET_ANY) {
            whole_event(id, object, CHANGE_MODIFIED, NULL, value);
            continue;
        }
        PyObject *before = facet->current;
        bool was_held = held(facet);
        service.events++;
        facet->changes++;
        if (!facet->known || (facet->kind == FACET_KWDEFAULTS && value != facet_recorded(facet)))
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
