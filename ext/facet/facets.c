#include "facet/facets.h"

#include <stdlib.h>
#include <string.h>

#include "watch/errors.h"

Pool facet_pool = POOL_OF(Facet), facet_rest_pool = POOL_OF(FacetRest);
#if PY_VERSION_HEX < 0x030d0000 /* there PyObject_HEAD_INIT makes a mortal object */
struct Absent facet_absent = {{.ob_refcnt = _Py_IMMORTAL_REFCNT, .ob_type = &PyBaseObject_Type}};
#else
struct Absent facet_absent = {PyObject_HEAD_INIT(&PyBaseObject_Type)};
#endif
const DependentsOf handles_of_facets = {.facets = &facet_pool, .offset = offsetof(Facet, handles)};

/* --- finding a facet: (kind, owner, fallback, name) -> facet ID --------------------------------------------------- */

#define TOMBSTONE (NO_ID + 1)
/* For more, the table would need 2^32 places, which a uint32_t does not count to. So many facets would take 48 GiB. */
#define MOST_FACETS ((UINT32_C(1) << 29) - 1)
_Static_assert(UINT64_C(4) * (MOST_FACETS + 1) <= UINT64_C(1) << 31, "the size of the table, a power of two, is found");

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

static uint32_t hash_of(const Facet *facet)
{
    return facet_hash(facet->kind, rest_of(facet)->owner, facet_fallback(facet), rest_of(facet)->name);
}

static bool facet_is(const Facet *facet, FacetKind kind, uint32_t owner, uint32_t fallback, PyObject *name)
{
    const FacetRest *rest = rest_of(facet);
    return facet->kind == kind && rest->owner == owner && rest->name == name && facet_fallback(facet) == fallback;
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
    uint32_t i = hash_of(facet_at(id)) & mask;
    while (ids[i] != NO_ID)
        i = (i + 1) & mask;
    ids[i] = id;
}

static bool map_reserve(void)
{
    if (facet_map.ids != NULL && 2 * (facet_map.filled + 1) <= facet_map.mask + 1)
        return true;
    if (facet_map.live >= MOST_FACETS)
        return false;
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
    uint32_t i = hash_of(facet_at(id)) & facet_map.mask;
    while (facet_map.ids[i] != id)
        i = (i + 1) & facet_map.mask;
    facet_map.ids[i] = TOMBSTONE;
    facet_map.live--;
}

/* --- making and freeing ------------------------------------------------------------------------------------------- */

/* Takes an ID, and the two items of a facet; NO_ID when out of memory. */
static uint32_t take_items(void)
{
    uint32_t id = pool_take(&facet_pool);
    if (id != NO_ID && pool_take(&facet_rest_pool) == NO_ID) { /* both pools give the same IDs: they are used alike */
        pool_give(&facet_pool, id);
        return NO_ID;
    }
    return id;
}

static void give_items(uint32_t id)
{
    facet_rest_at(id)->owner = NO_ID; /* shows code that goes through all numbers that this one is no facet */
    pool_give(&facet_rest_pool, id);
    pool_give(&facet_pool, id);
}

uint32_t facet_new(FacetKind kind, uint32_t owner, uint32_t fallback, PyObject *name)
{
    uint32_t id = map_reserve() && kept_reserve(facet_pool.live / 4) ? take_items() : NO_ID;
    if (id == NO_ID) {
        PyErr_NoMemory();
        return NO_ID;
    }
    Object *object = object_at(owner);
    *facet_at(id) = (Facet){.next_touched = NO_ID,
                            .next_of_owner = object->first_facet,
                            .previous_of_owner = NO_ID,
                            .id = id,
                            .provider = NO_ID,
                            .kind = (uint8_t)kind & 0xf,
                            .holds = true,
                            .changes = COUNTS_BEGIN};
    *facet_rest_at(id) = (FacetRest){.owner = owner,
                                     .generation = COUNTS_BEGIN,
                                     .registered_at = {NO_ID, fallback},
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
    if (rest_of(facet)->readers == 0 && dependents_empty(&facet->handles))
        facet_touch(id);
}

void facet_unpin(uint32_t id)
{
    facet_rest_at(id)->pins--;
    facet_touch_if_idle(id);
}

void facet_unread(uint32_t id)
{
    facet_rest_at(id)->readers--;
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
        object_at(facet_rest_at(id)->owner)->first_facet = next;
}

static void facet_free(uint32_t id)
{
    Facet *facet = facet_at(id);
    uint32_t owner = rest_of(facet)->owner, fallback = facet_fallback(facet);
    PyObject *name = rest_of(facet)->name, *recorded = facet_forget(facet);
    facet_unregister_after(id, 0);
    map_remove(id);
    leave_owner(id);
    service.function_interest -= facet->kind == FACET_CREATED;
    give_items(id);
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
        !facet_at(first)->touched && facet_rest_at(first)->pins == 0) /* else a drain has this facet, and frees it later */
        facet_free(first);
}

bool facet_free_if_unused(uint32_t id)
{
    const Facet *facet = facet_at(id);
    const FacetRest *rest = rest_of(facet);
    /* A facet stays, although nothing needs it, to remember how often it broke. But the facet of a name that was deleted is
     * freed unless it is unstable: a program may use any number of names that come and go. */
    bool is_gone = facet->known && facet->current == NULL && traits_of(facet)->is_named && facet->breaks < service.unstable_after;
    bool remembers = facet->breaks != 0 && !facet->dead && !is_gone;
    if (facet->touched || (rest->pins | rest->readers | facet->listeners) != 0 || facet->cells != 0 ||
        !dependents_empty(&facet->handles) || remembers)
        return false;
    uint32_t owner = rest->owner;
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

uint32_t facet_n_registered(const Facet *facet)
{
    return facet->n_registered == REGISTERED_MANY ? rest_of(facet)->many->n : facet->n_registered;
}

uint32_t facet_registered_at(const Facet *facet, uint32_t index)
{
    const FacetRest *rest = rest_of(facet);
    return facet->n_registered == REGISTERED_MANY ? rest->many->objects[index] : rest->registered_at[index];
}

/* Adds the object behind those at which the facet is registered. False: out of memory. */
static bool push_registration(Facet *facet, uint32_t object)
{
    FacetRest *rest = rest_of(facet);
    bool are_many = facet->n_registered == REGISTERED_MANY;
    uint32_t n = facet_n_registered(facet);
    if (!are_many && n < 2) {
        rest->registered_at[n] = object; /* the second of a FACET_GLOBAL was the same object before: see FacetRest */
        facet->n_registered++;
        return true;
    }
    if (!are_many || (n & (n + 1)) == 0) { /* room for 5, 7, 15, 31, ... in all */
        Registrations *many = realloc(are_many ? rest->many : NULL, sizeof *many + (2 * (size_t)n + 1) * sizeof many->objects[0]);
        if (many == NULL)
            return false;
        if (!are_many)
            memcpy(many->objects, rest->registered_at, sizeof rest->registered_at);
        rest->many = many;
        facet->n_registered = REGISTERED_MANY;
    }
    rest->many->objects[n] = object;
    rest->many->n = n + 1;
    return true;
}

/* Takes the last one of the objects at which the facet is registered away, and returns its ID. */
static uint32_t pop_registration(Facet *facet)
{
    FacetRest *rest = rest_of(facet);
    if (facet->n_registered != REGISTERED_MANY)
        return rest->registered_at[--facet->n_registered];
    Registrations *many = rest->many;
    uint32_t object = many->objects[--many->n];
    if (many->n == 2) {
        memcpy(rest->registered_at, many->objects, sizeof rest->registered_at);
        facet->n_registered = 2;
        free(many);
    }
    return object;
}

int facet_register(uint32_t id, uint32_t index, PyObject *target)
{
    Facet *facet = facet_at(id);
    uint32_t object = object_use(target);
    if (object == NO_ID)
        return -1;
    if (index < facet_n_registered(facet) && facet_registered_at(facet, index) == object) {
        object_release(object);
        return 0;
    }
    facet_unregister_after(id, index);
    if (index == UINT16_MAX) {
        object_release(object);
        PyErr_Format(Unwatchable_error, "a class with more than %d bases cannot be watched", UINT16_MAX);
        return -1;
    }
    Object *at = object_at(object);
    const FacetRest *rest = rest_of(facet);
    if (!push_registration(facet, object))
        goto no_memory;
    if (traits_of(facet)->has_mro && object_at(rest->owner)->kind == OBJECT_TYPE)
        at->of_class = true;
    bool added = at->subclasses_table && facet->kind == FACET_MRO ? true /* subclasses_event() finds it by the event's key */
                 : traits_of(facet)->is_named                     ? know_only(keys_add(&at->keys, rest->name, id))
                                                                  : dependents_add(&at->whole, id);
    if (added)
        return 0;
    pop_registration(facet);
no_memory:
    object_release(object);
    PyErr_NoMemory();
    return -1;
}

void facet_unregister_after(uint32_t id, uint32_t n_registered)
{
    Facet *facet = facet_at(id);
    while (facet_n_registered(facet) > n_registered) {
        uint32_t object = pop_registration(facet);
        if (traits_of(facet)->is_named)
            know_only(keys_remove(&object_at(object)->keys, rest_of(facet)->name, id));
        else
            dependents_remove(&object_at(object)->whole, id);
        object_release(object);
    }
}

/* --- checking: what is kept, although it could be derived, so that an event reads it in one load -------------------- */

static const char *registrations_wrong(const Facet *facet)
{
    for (uint32_t i = 0; i < facet_n_registered(facet); i++) {
        const KeySlot *slot = keys_find(&object_at(facet_registered_at(facet, i))->keys, rest_of(facet)->name);
        if (slot == NULL || !dependents_has(&slot->facets, facet->id))
            return "a facet is registered at a dict whose key table does not have it";
        uint32_t only = dependents_only(&slot->facets);
        if (slot->only != (only == NO_ID ? NULL : facet_at(only)))
            return "a key's slot names another only facet than its set of facets has";
    }
    return NULL;
}

static const char *facet_wrong(uint32_t id)
{
    const Facet *facet = facet_at(id);
    uint32_t fallback = facet_fallback(facet);
    /* A facet need not be dead where its fallback died: a look may find the name in the owner. */
    bool owner_died = object_at(rest_of(facet)->owner)->address == NULL;
    bool fallback_died = fallback != NO_ID && object_at(fallback)->address == NULL;
    if (facet->id != id)
        return "a facet does not know its own ID";
    if (facet->dead ? !owner_died && !fallback_died : owner_died)
        return "a facet is marked dead while its objects live, or its owner died and it is not marked dead";
    if (facet->provider != NO_ID && !facet->known)
        return "a facet has a provider of its value, and the value is unknown";
    return traits_of(facet)->is_named ? registrations_wrong(facet) : NULL;
}

const char *facets_wrong(void)
{
    for (uint32_t i = 0; facet_map.ids != NULL && i <= facet_map.mask; i++) {
        if (facet_map.ids[i] >= NO_ID)
            continue;
        const char *wrong = facet_wrong(facet_map.ids[i]);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}
