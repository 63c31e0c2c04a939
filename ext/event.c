#include "event.h"

#include "action.h"
#include "facets.h"
#include "queue.h"
#include "service.h"

static bool held(const Facet *facet) { return facet->recorded != NULL && facet->holds; }

/* Queues the details where somebody wants them: a listener, or explain() because the facet just broke. */
static void tell(uint32_t id, bool was_held, uint32_t object, Change change, PyObject *key, PyObject *before,
                 PyObject *value)
{
    Facet *facet = facet_at(id);
    bool broke = was_held ? !facet->holds : !facet_has_value(facet) && !dependents_empty(&facet->handles);
    if (!broke && facet->listeners == 0)
        return;
    queue_detail(id, object, change, broke, key, before, value);
    facet_touch(id);
}

/* --- dicts ------------------------------------------------------------------------------------------------------ */

/* A key along a look-up chain. named: the event is certainly about the facet's own name. */
static void chain_event(uint32_t id, uint32_t object, Change change, bool named, PyObject *key, PyObject *value)
{
    Facet *facet = facet_at(id);
    if (facet->dead)
        return;
    PyObject *before = facet->current;
    bool was_held = held(facet);
    bool removal = change == CHANGE_DELETED || change == CHANGE_CLEARED;
    if (facet->known && facet->provider != object && removal)
        return; /* of something else: the facet's name is not in this dict, it is provided further down */
    facet->changes++; /* a look-up that is under way sees by this that it must look again */
    if (!facet->known)
        ;
    else if (facet->provider == object && change == CHANGE_MODIFIED && named)
        facet_becomes(id, value); /* after MODIFIED the write cannot fail any more: the only event to be trusted */
    else
        facet_becomes_unknown(id);
    tell(id, was_held, object, change, key, before, value);
}

static void chain_events(const Dependents *facets, uint32_t object, Change change, bool named, PyObject *key,
                         PyObject *value)
{
    for (DependentsWalk walk = dependents_walk(facets); dependents_next(&walk);)
        for (uint32_t i = 0; i < walk.count; i++)
            chain_event(walk.ids[i], object, change, named, key, value);
}

static void whole_event(uint32_t id, uint32_t object, Change change, PyObject *key, PyObject *value)
{
    Facet *facet = facet_at(id);
    if (facet->dead)
        return;
    /* ANY, or KWDEFAULTS whose dict changed in place: nothing is recorded that could be found again. */
    bool relied_on = !dependents_empty(&facet->handles);
    facet->changes++;
    facet_retires_handles(id, CAUSE_CHANGED);
    if (relied_on || facet->listeners != 0) {
        queue_detail(id, object, change, relied_on, key, NULL, value);
        facet_touch(id);
    }
}

/* The MRO of this type may have changed, or of one that inherits from it: tell the facets of those where it did. */
static void check_mros(uint32_t object)
{
    DependentsWalk walk = dependents_walk(&object_at(object)->whole);
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
                    facet_retires_handles(id, CAUSE_CHANGED);
                PyObject *before = part->current;
                part->changes++;
                facet_becomes_unknown(id); /* ANY and MRO too: the drain registers them along the new MRO */
                tell(id, was_held, facet->owner, CHANGE_MRO, NULL, before, NULL);
            }
        }
}

/* A type leaves a base's table of subclasses: its MRO and those of its subclasses are already new. */
static void subclasses_event(PyObject *key)
{
    if (key == NULL || !PyLong_CheckExact(key))
        return;
    uint32_t type = object_find((void *)(uintptr_t)PyLong_AsUnsignedLongLongMask(key));
    if (type != NO_ID && object_at(type)->kind == OBJECT_TYPE)
        check_mros(type);
}

static Change change_of(PyDict_WatchEvent event)
{
    switch (event) {
    case PyDict_EVENT_ADDED:
        return CHANGE_ADDED;
    case PyDict_EVENT_MODIFIED:
        return CHANGE_MODIFIED;
    case PyDict_EVENT_DELETED:
        return CHANGE_DELETED;
    case PyDict_EVENT_CLONED:
        return CHANGE_CLONED;
    default:
        return CHANGE_CLEARED;
    }
}

int on_dict_event(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    uint32_t id = object_find(dict);
    if (id == NO_ID)
        return 0;
    if (event == PyDict_EVENT_DEALLOCATED) {
        object_dies(id);
        return 0;
    }
    Object *object = object_at(id);
    if (object->subclasses_table) {
        if (event == PyDict_EVENT_DELETED)
            subclasses_event(key);
        if (dependents_empty(&object->whole) && object->keys.count == 0)
            return 0;
    }
    Change change = change_of(event);
    if (change == CHANGE_CLONED)
        key = NULL; /* the event's key is the dict that is copied */
    if (key != NULL && PyUnicode_CheckExact(key) && str_hash(key) != -1) {
        KeySlot *slot = keys_find(&object->keys, key);
        if (slot != NULL) {
            service.events++;
            chain_events(&slot->facets, id, change, true, key, value);
        }
    } else {
        service.events++;
        for (uint32_t i = 0; object->keys.slots != NULL && i <= object->keys.mask; i++)
            chain_events(&object->keys.slots[i].facets, id, change, false, key, value);
    }
    for (DependentsWalk walk = dependents_walk(&object->whole); dependents_next(&walk);)
        for (uint32_t i = 0; i < walk.count; i++)
            whole_event(walk.ids[i], id, change, key, value);
    return 0;
}

/* --- types ------------------------------------------------------------------------------------------------------ */

int on_type_event(PyTypeObject *type)
{
    uint32_t id = object_find(type);
    if (id == NO_ID)
        return 0;
    check_mros(id);
    /* No further event comes until the type has a version tag again: the drain sees to that. */
    for (DependentsWalk walk = dependents_walk(&object_at(id)->whole); dependents_next(&walk);)
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

static void function_modified(uint32_t object, PyFunction_WatchEvent event, PyObject *value)
{
    value = value == NULL ? Py_None : value; /* deleted defaults read as None */
    for (uint32_t id = object_at(object)->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner) {
        Facet *facet = facet_at(id);
        if (!concerns(event, facet->kind))
            continue;
        PyObject *before = facet->current;
        bool was_held = held(facet);
        facet->changes++;
        if (facet->kind == FACET_ANY)
            facet_retires_handles(id, CAUSE_CHANGED);
        else if (!facet->known || (facet->kind == FACET_KWDEFAULTS && value != facet_recorded(facet)))
            facet_becomes_unknown(id); /* another dict of defaults: the drain watches its contents too */
        else
            facet_becomes(id, value);
        tell(id, was_held, object, CHANGE_MODIFIED, NULL, before, value);
    }
}

static void function_created(PyFunctionObject *function)
{
    uint32_t code = object_find(function->func_code);
    if (code == NO_ID)
        return;
    for (uint32_t id = object_at(code)->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner)
        if (facet_at(id)->kind == FACET_CREATED)
            tell(id, false, code, CHANGE_CREATED, NULL, NULL, (PyObject *)function);
}

int on_function_event(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    if (event == PyFunction_EVENT_CREATE) {
        if (service.created_facets != 0)
            function_created(function);
        return 0;
    }
    uint32_t id = object_find(function);
    if (id == NO_ID)
        return 0;
    service.events++;
    if (event == PyFunction_EVENT_DESTROY)
        object_dies(id);
    else
        function_modified(id, event, value);
    return 0;
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
    service.events++;
    address_map_remove(&objects_by_address, object->address);
    object->address = NULL;
    for (uint32_t facet = object->first_facet; facet != NO_ID; facet = facet_at(facet)->next_of_owner)
        end_facet(facet, id);
    for (uint32_t i = 0; object->keys.slots != NULL && i <= object->keys.mask; i++)
        end_facets(&object->keys.slots[i].facets, id);
    end_facets(&object->whole, id);
}
