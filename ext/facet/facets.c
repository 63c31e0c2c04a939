#include "facet/facets.h"

#include <stdlib.h>

#include "watch/errors.h"

Pool facet_pool = POOL_OF(Facet);
#if PY_VERSION_HEX < 0x030d0000 /* there PyObject_HEAD_INIT makes a mortal object */
struct Absent facet_absent = {{.ob_refcnt = _Py_IMMORTAL_REFCNT, .ob_type = &PyBaseObject_Type}};
#else
struct Absent facet_absent = {PyObject_HEAD_INIT(&PyBaseObject_Type)};
#endif
const DependentsOf handles_of_facets = {.facets = &facet_pool, .offset = offsetof(Facet, handles)};

/* --- finding a facet: (kind, owner, fallback, name) -> facet ID --------------------------------------------------- */

#define TOMBSTONE (NO_ID + 1)

static struct {
    uint32_t *ids; /* owned; mask + 1 of them: facet IDs, NO_ID (empty) or TOMBSTONE */
    uint32_t mask;
    uint32_t filled; /* IDs and tombstones */
    uint32_t live;   /* IDs */
} facet_map;

static uint32_t facet_hash(FacetKind kind, uint32_t owner, uint32_t fallback, PyObject *name)
{
    uint64_t hash = ((uint64_t)owner << 32) ^ ((uint64_t)fallback << 8) ^ kind ^ ((uintptr_t)name << 12);
    return (uint32_t)((hash * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static bool facet_is(const Facet *facet, FacetKind kind, uint32_t owner, uint32_t fallback, PyObject *name)
{
    return facet->kind == kind && facet->owner == owner && facet->fallback == fallback && facet->name == name;
}

uint32_t facet_lookup(FacetKind kind, uint32_t owner, uint32_t fallback, PyObject *name)
{
    if (facet_map.live == 0)
        return NO_ID;
    for (uint32_t i = facet_hash(kind, owner, fallback, name) & facet_map.mask;; i = (i + 1) & facet_map.mask) {
        uint32_t id = facet_map.ids[i];
        if (id == NO_ID)
            return NO_ID;
        if (id != TOMBSTONE && facet_is(facet_at(id), kind, owner, fallback, name))
            return id;
    }
}

static void map_put(uint32_t *ids, uint32_t mask, uint32_t id)
{
    const Facet *facet = facet_at(id);
    uint32_t i = facet_hash(facet->kind, facet->owner, facet->fallback, facet->name) & mask;
    while (ids[i] != NO_ID)
        i = (i + 1) & mask;
    ids[i] = id;
}

static bool map_reserve(void)
{
    if (facet_map.ids != NULL && 2 * (facet_map.filled + 1) <= facet_map.mask + 1)
        return true;
    uint32_t size = 64;
    while (size < 4 * (facet_map.live + 1))
        size *= 2;
    uint32_t *ids = malloc(size * sizeof *ids);
    if (ids == NULL)
        return false;
    for (uint32_t i = 0; i < size; i++)
        ids[i] = NO_ID;
    for (uint32_t i = 0; facet_map.ids != NULL && i <= facet_map.mask; i++)
        if (facet_map.ids[i] < NO_ID)
            map_put(ids, size - 1, facet_map.ids[i]);
    free(facet_map.ids);
    facet_map.ids = ids;
    facet_map.mask = size - 1;
    facet_map.filled = facet_map.live;
    return true;
}

static void map_remove(uint32_t id)
{
    const Facet *facet = facet_at(id);
    uint32_t i = facet_hash(facet->kind, facet->owner, facet->fallback, facet->name) & facet_map.mask;
    while (facet_map.ids[i] != id)
        i = (i + 1) & facet_map.mask;
    facet_map.ids[i] = TOMBSTONE;
    facet_map.live--;
}

/* --- making and freeing ------------------------------------------------------------------------------------------- */

uint32_t facet_new(FacetKind kind, uint32_t owner, uint32_t fallback, PyObject *name)
{
    uint32_t id = map_reserve() && kept_reserve(facet_pool.live / 4) ? pool_take(&facet_pool) : NO_ID;
    if (id == NO_ID) {
        PyErr_NoMemory();
        return NO_ID;
    }
    Object *object = object_at(owner);
    *facet_at(id) = (Facet){.next_touched = NO_ID,
                            .next_of_owner = object->first_facet,
                            .previous_of_owner = NO_ID,
                            .id = id,
                            .owner = owner,
                            .fallback = fallback,
                            .provider = NO_ID,
                            .kind = (uint8_t)kind,
                            .holds = true,
                            .name = Py_XNewRef(name)};
    if (object->first_facet != NO_ID)
        facet_at(object->first_facet)->previous_of_owner = id;
    object->first_facet = id;
    object->uses++;
    if (fallback != NO_ID)
        object_at(fallback)->uses++;
    map_put(facet_map.ids, facet_map.mask, id);
    facet_map.live++;
    facet_map.filled++;
    service.function_interest += kind == FACET_CREATED;
    return id;
}

void facets_touch_all(void)
{
    for (uint32_t i = 0; facet_map.ids != NULL && i <= facet_map.mask; i++)
        if (facet_map.ids[i] < NO_ID)
            facet_touch(facet_map.ids[i]);
}

void facet_touch_if_idle(uint32_t id)
{
    const Facet *facet = facet_at(id);
    if (facet->readers == 0 && dependents_empty(&facet->handles))
        facet_touch(id);
}

void facet_unpin(uint32_t id)
{
    facet_at(id)->pins--;
    facet_touch_if_idle(id);
}

void facet_unread(uint32_t id)
{
    facet_at(id)->readers--;
    facet_touch_if_idle(id);
}

PyObject *facet_forget(Facet *facet)
{
    PyObject *owned = facet->reference == REFERENCE_BORROWED || facet->recorded == NULL ? NULL
                      : facet->reference == REFERENCE_KEPT                              ? kept_leave((Kept *)facet->recorded)
                                                                                        : facet->recorded;
    facet->recorded = NULL;
    facet->reference = REFERENCE_BORROWED;
    facet->holds = !facet->dead;
    facet->counted = facet->conservative = facet->identity = false;
    return owned;
}

static void leave_owner(uint32_t id)
{
    uint32_t next = facet_at(id)->next_of_owner, previous = facet_at(id)->previous_of_owner;
    if (next != NO_ID)
        facet_at(next)->previous_of_owner = previous;
    if (previous != NO_ID)
        facet_at(previous)->next_of_owner = next;
    else
        object_at(facet_at(id)->owner)->first_facet = next;
}

static void facet_free(uint32_t id)
{
    Facet *facet = facet_at(id);
    uint32_t owner = facet->owner, fallback = facet->fallback;
    PyObject *name = facet->name, *recorded = facet_forget(facet);
    facet_unregister_after(id, 0);
    map_remove(id);
    leave_owner(id);
    service.function_interest -= facet->kind == FACET_CREATED;
    free(facet->registered_at);
    facet->registered_at = NULL;
    facet->name = NULL;
    facet->owner = NO_ID; /* shows code that goes through all numbers that this one is no facet */
    pool_give(&facet_pool, id);
    if (fallback != NO_ID)
        object_release(fallback);
    object_release(owner);
    Py_XDECREF(recorded);
    Py_XDECREF(name);
}

void facet_free_mro_if_alone(uint32_t owner)
{
    uint32_t first = object_at(owner)->first_facet;
    if (first != NO_ID && facet_at(first)->kind == FACET_MRO && facet_at(first)->next_of_owner == NO_ID &&
        !facet_at(first)->touched && facet_at(first)->pins == 0) /* else a drain has this facet, and frees it later */
        facet_free(first);
}

bool facet_free_if_unused(uint32_t id)
{
    Facet *facet = facet_at(id);
    /* A facet stays, although nothing needs it, to remember how often it broke. But the facet of a name that was deleted is
     * freed unless it is unstable: a program may use any number of names that come and go. */
    bool is_gone = facet->known && facet->current == NULL && traits_of(facet)->is_named && facet->breaks < service.unstable_after;
    bool remembers = facet->breaks != 0 && !facet->dead && !is_gone;
    if (facet->touched || facet->pins + facet->readers + facet->listeners != 0 || facet->cells != NULL ||
        !dependents_empty(&facet->handles) || remembers)
        return false;
    uint32_t owner = facet->owner;
    if (facet->kind == FACET_MRO) {
        if (object_at(owner)->first_facet != id || facet->next_of_owner != NO_ID)
            return false;
        facet_free(id);
        return true;
    }
    object_at(owner)->uses++;
    facet_free(id);
    facet_free_mro_if_alone(owner);
    object_release(owner);
    return true;
}

/* --- registering a facet at the objects whose events concern it --------------------------------------------------- */

/* Updates slot->only, which the short path of events reads. False: slot is NULL (out of memory). */
static bool know_only(KeySlot *slot)
{
    if (slot == NULL)
        return false;
    uint32_t only = dependents_only(&slot->facets);
    slot->only = only == NO_ID ? NULL : facet_at(only);
    return true;
}

int facet_register(uint32_t id, uint32_t index, PyObject *target)
{
    Facet *facet = facet_at(id);
    uint32_t object = object_use(target);
    if (object == NO_ID)
        return -1;
    if (index < facet->n_registered && facet->registered_at[index] == object) {
        object_release(object);
        return 0;
    }
    facet_unregister_after(id, index);
    if (index == UINT16_MAX) {
        object_release(object);
        PyErr_Format(Unwatchable_error, "a class with more than %d bases cannot be watched", UINT16_MAX);
        return -1;
    }
    if ((facet->n_registered & (facet->n_registered + 1)) == 0) { /* room for 1, 3, 7, ... more */
        uint32_t *registered_at = realloc(facet->registered_at, (2 * (size_t)facet->n_registered + 1) * sizeof *registered_at);
        if (registered_at == NULL)
            goto no_memory;
        facet->registered_at = registered_at;
    }
    Object *at = object_at(object);
    if (traits_of(facet)->has_mro && object_at(facet->owner)->kind == OBJECT_TYPE)
        at->of_class = true;
    bool added = at->subclasses_table && facet->kind == FACET_MRO ? true /* subclasses_event() finds it by the event's key */
                 : traits_of(facet)->is_named                     ? know_only(keys_add(&at->keys, facet->name, id))
                                                                  : dependents_add(&at->whole, id);
    if (!added)
        goto no_memory;
    facet->registered_at[facet->n_registered++] = object;
    return 0;
no_memory:
    object_release(object);
    PyErr_NoMemory();
    return -1;
}

void facet_unregister_after(uint32_t id, uint32_t n_registered)
{
    Facet *facet = facet_at(id);
    while (facet->n_registered > n_registered) {
        uint32_t object = facet->registered_at[--facet->n_registered];
        if (traits_of(facet)->is_named)
            know_only(keys_remove(&object_at(object)->keys, facet->name, id));
        else
            dependents_remove(&object_at(object)->whole, id);
        object_release(object);
    }
}

/* --- checking: what is kept, although it could be derived, so that an event reads it in one load -------------------- */

static const char *registrations_wrong(const Facet *facet)
{
    for (uint32_t i = 0; i < facet->n_registered; i++) {
        const KeySlot *slot = keys_find(&object_at(facet->registered_at[i])->keys, facet->name);
        if (slot == NULL || !dependents_has(&slot->facets, facet->id))
            return "a facet is registered at a dict whose key table does not have it";
        uint32_t only = dependents_only(&slot->facets);
        if (slot->only != (only == NO_ID ? NULL : facet_at(only)))
            return "a key's slot names another only facet than its set of facets has";
    }
    return NULL;
}

static const char *facet_wrong(const Facet *facet)
{
    bool owner_died = object_at(facet->owner)->address == NULL;
    /* A facet need not be dead where its fallback died: a look may find the name in the owner. */
    bool fallback_died = facet->fallback != NO_ID && object_at(facet->fallback)->address == NULL;
    if (facet->dead ? !owner_died && !fallback_died : owner_died)
        return "a facet is marked dead while its objects live, or its owner died and it is not marked dead";
    if (facet->native_listeners > facet->listeners)
        return "a facet has more listeners in C than listeners";
    return traits_of(facet)->is_named ? registrations_wrong(facet) : NULL;
}

const char *facets_wrong(void)
{
    for (uint32_t i = 0; facet_map.ids != NULL && i <= facet_map.mask; i++) {
        if (facet_map.ids[i] >= NO_ID)
            continue;
        const Facet *facet = facet_at(facet_map.ids[i]);
        const char *wrong = facet_wrong(facet);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}
