/* Room facet: the watched objects, and their facets: what of them can change. At safe points this room is given objects and
 * names; for an event it finds the facets by address and key. A facet is registered at every object whose events concern it.
 * Nothing here changes a handle.
 */

/* Facets: the parts of objects that can change, each with the handles that rely on it.
 *
 * `recorded` is the value that the dependents assumed (or ABSENT), `current` the value now. While a facet holds, its provider (the
 * dict or the function that has the value) keeps the value alive, and recorded is borrowed. CPython reports every removal of the
 * value before it is made, and that event takes a reference: otherwise the value could die, another object get its address, and
 * be taken for it. The event takes none if the reference that goes is the program's last: then the value dies, as it would
 * without depwatch, and the facet can never hold again. The drain replaces the reference by a weak one where the type allows it.
 * See kept.h.
 */
#ifndef DW_FACETS_H
#define DW_FACETS_H

#include <Python.h>
#include <stdbool.h>

#include "facet/kept.h"
#include "facet/kinds.h"
#include "facet/objects.h"
#include "facet/service.h"
#include "index/blocks.h"
#include "index/dependents.h"
#include "index/edges.h"
#include "index/pool.h"

/* Why a facet retired its handles. */
typedef enum Cause {
    CAUSE_NONE,
    CAUSE_CHANGED,    /* a whole-object dependency changed: no value was recorded that could come back */
    CAUSE_DIED,       /* the facet's object died */
    CAUSE_SUPERSEDED, /* a recorder read another value than the handles recorded */
    CAUSE_UNSTABLE,   /* the facet broke too often */
    CAUSE_LOST,       /* the program no longer has the value that the handles recorded */
    CAUSE_UNWATCHABLE, /* the facet can no longer be watched */
    CAUSE_AMBIGUOUS,  /* a key that may equal any name was stored or deleted */
    CAUSE_CLASS,      /* the facet's module got another class */
    CAUSE_BASES,      /* bases were assigned, and the mro() of a metaclass may have run in the middle of the assignment */
    CAUSE_SATURATED   /* of one handle, not of the facet: its byte cannot count a 255th broken assumption */
} Cause;

/* The change that an event announced, and that may not be made yet. The drain looks at the facet only once it is made: before,
 * a look finds the old value. */
typedef enum Awaits {
    AWAITS_NOTHING,
    AWAITS_NAME,      /* the name will be in the dict awaited_in */
    AWAITS_NO_NAME,   /* the name will not be in the dict awaited_in */
    AWAITS_KWDEFAULTS, /* the function will have awaited_value as its __kwdefaults__ */
    AWAITS_CLARITY    /* no look can find out whether the change is made, so this facet is never looked up again. A new one
                         of the same name is, once this one is freed */
} Awaits;

typedef enum Reference {
    REFERENCE_BORROWED, /* recorded is current, and the provider keeps it alive */
    REFERENCE_STRONG,   /* recorded is a reference: the value dies unseen (see kept.h) */
    REFERENCE_KEPT,     /* recorded is a Kept */
    REFERENCE_WEAK      /* recorded is a weak reference */
} Reference;

/* What an event reads and writes of a facet: one cache line. */
typedef struct Facet {
    uint32_t next_touched;  /* first, because Pool threads its free list through these 4 bytes */
    uint32_t provider;      /* object ID of the dict or function that holds the value; NO_ID: unknown, missing or immutable */
    uint32_t changes;       /* counts events that may have changed the value; wraps: see COUNTS_BEGIN */
    uint32_t falls;         /* how often it broke, also where no drain saw it; wraps: compare it beside service.breaks */
    uint32_t id;            /* its own ID */
    uint32_t next_of_owner;     /* the facets of an object, the newest first: a list in both directions, as an object may have */
    uint32_t previous_of_owner; /* thousands; NO_ID: the first */
    BlockRef cells;         /* owned list: see cells.h */
    uint16_t breaks;        /* how many breaks drains have counted */
    uint8_t kind : 4;       /* FacetKind */
    uint8_t cause : 4;      /* Cause, until the drain has reported it for the retired handles */
    uint8_t listeners;      /* LISTENERS_IN_C, LISTENERS_SUBSCRIBED, both or none */
    bool known;             /* current is the value now (NULL: the name is missing) */
    bool holds;             /* false: broken, the value now is not the recorded one */
    uint8_t reference : 2;  /* Reference: how recorded is held */
    uint8_t n_registered : 2; /* how many of FacetRest.registered_at are used; REGISTERED_MANY: see there */
    bool touched : 1;       /* on the service's list of facets that the drain must look at */
    bool counted : 1;       /* breaks includes the present break */
    bool identity : 1;      /* a reader of recorded asked for that very object: an equal value breaks the facet */
    bool kept : 1;          /* one pin keeps the facet for the user who has its object's ID, until the object dies */
    bool conservative : 1;  /* the present break came from an event that does not name the new value */
    bool dead : 1;          /* its object died */
    bool handles_have_listeners : 1; /* some dependent handle has listeners in C: see handle_listeners.h */
    uint8_t awaits : 3;     /* Awaits: what must be done before a look is worth it, for at most two dicts: the first one that */
    uint8_t awaits_too : 2; /* changed since the last look, and the most recent other one. Only while the value is unknown */
    union {
        PyObject *current;             /* known: borrowed from the provider */
        uint32_t awaited_in[2];        /* not known: object IDs of the dicts of awaits and awaits_too */
        const PyObject *awaited_value; /* AWAITS_KWDEFAULTS: compared, never dereferenced */
    };
    PyObject *recorded;     /* held as reference says. NULL: nothing is recorded, or (if broken) the recorded value is gone */
    Dependents handles;
} Facet;

/* The rest of a facet, which most events do not need. */
typedef struct FacetRest {
    uint32_t readers;       /* recorders that have read the facet and not yet committed */
    uint32_t owner;         /* object ID; NO_ID: this is no facet */
    uint32_t generation;    /* changes with each new recording; a recorder that read an earlier generation is stale. See also
                               service.generations */
    uint32_t pins;          /* Python references, drains at work, and the user who was given the object's ID */
    PyObject *name;         /* owned, interned; NULL for parts of functions and whole objects */
    union {
        uint32_t registered_at[2];   /* object IDs: events of these objects find the facet. Of a FACET_GLOBAL the second one is
                                        always the object ID of the builtins, or NO_ID */
        struct Registrations *many;  /* owned; Facet.n_registered is REGISTERED_MANY */
    };
} FacetRest;

/* The objects of a facet that is registered at more than two. */
typedef struct Registrations {
    uint32_t n;
    uint32_t objects[];
} Registrations;

enum { REGISTERED_MANY = 3 };
enum { LISTENERS_IN_C = 1, LISTENERS_SUBSCRIBED = 2 };

_Static_assert(sizeof(Facet) == 64, "an event finds what it needs of a facet in one cache line: see Pool.item_size");
_Static_assert(sizeof(Facet) + sizeof(FacetRest) == 96, "a million facets take 96 MB");

extern Pool facet_pool, facet_rest_pool; /* a facet has the same ID in both */
extern const DependentsOf handles_of_facets; /* the dependents of all facets: the reverse side of the index */

static inline Facet *facet_at(uint32_t id)
{
    return POOL_AT(Facet, &facet_pool, id);
}

static inline FacetRest *facet_rest_at(uint32_t id) { return POOL_AT(FacetRest, &facet_rest_pool, id); }
static inline FacetRest *rest_of(const Facet *facet) { return facet_rest_at(facet->id); }

/* The object ID of the builtins; NO_ID but for FACET_GLOBAL. */
static inline uint32_t facet_fallback(const Facet *facet)
{
    return facet->kind == FACET_GLOBAL ? rest_of(facet)->registered_at[1] : NO_ID;
}

/* The facet's value now (borrowed); NULL: the name is missing, or the value is unknown. */
static inline PyObject *facet_value(const Facet *facet) { return facet->known ? facet->current : NULL; }

static inline const FacetTraits *traits_of(const Facet *facet) { return &facet_traits[facet->kind]; }

static inline bool facet_has_value(const Facet *facet) { return traits_of(facet)->has_value; }

/* Makes all recorders stale that have read the facet so far. */
static inline void facet_outdate(uint32_t id)
{
    FacetRest *rest = facet_rest_at(id);
    rest->generation++;
    service.generations += rest->readers != 0; /* without readers, no recorder knows the earlier generation */
}

/* Where changes and generation begin: shortly before they wrap, so that each program, and each test, goes past that. Whoever
 * compares a generation also looks whether service.generations has grown by 2^32 meanwhile. A look compares changes, and runs
 * no Python but between few of them. A detail that waits for a drain while its facet changes 2^32 times, or twice that, shows a
 * wrong new value in explain(); no action depends on it. */
#define COUNTS_BEGIN (UINT32_MAX - 2)

/* Puts the facet on the list of those that the drain must look at, and schedules a drain. */
static inline void touch(Facet *facet)
{
    if (!facet->touched) {
        facet->touched = true;
        facet->next_touched = service.first_touched;
        service.first_touched = facet->id;
    }
    service_schedule();
}

static inline void facet_touch(uint32_t id) { touch(facet_at(id)); }

/* Notes that an event announced a change of this dict; the facet's value is unknown. Two dicts of a chain may have announced one:
 * before the first change is made, another extension's watcher may run Python that changes the second dict. */
static inline void facet_awaits(Facet *facet, Awaits what, uint32_t dict)
{
    if (facet->awaits == AWAITS_NOTHING || (facet->awaits != AWAITS_CLARITY && facet->awaited_in[0] == dict)) {
        facet->awaits = what & 7u;
        facet->awaited_in[0] = dict;
    } else {
        facet->awaits_too = what & 3u;
        facet->awaited_in[1] = dict;
    }
}

static inline void facet_awaits_clarity(Facet *facet)
{
    facet->awaits = AWAITS_CLARITY;
    facet->breaks = 0; /* a facet that remembers breaks is not freed, and this one is to be freed */
    facet->counted = true;
}

/* What is recorded where the dependents assumed that the name is missing. No namespace can have this object. */
extern struct Absent {
    PyObject object; /* immortal */
} facet_absent;
#define ABSENT (&facet_absent.object)

/* The value that the facet's dependents assumed (borrowed), or ABSENT; NULL if nothing is recorded or the value is gone. */
static inline PyObject *facet_recorded(const Facet *facet)
{
    PyObject *recorded = facet->recorded;
    if (facet->reference <= REFERENCE_STRONG || recorded == NULL)
        return recorded;
    if (!UNLIKELY(facet->reference == REFERENCE_WEAK))
        return ((Kept *)recorded)->value;
    PyObject *object = ((PyWeakReference *)recorded)->wr_object;
    return object == Py_None ? NULL : object;
}

static inline bool is_recorded(const Facet *facet, PyObject *value)
{
    PyObject *recorded = facet_recorded(facet);
    return recorded != NULL && (recorded == value || (!facet->identity && same_value(recorded, value)));
}

/* Whether a value is recorded and is the value now. */
static inline bool facet_holds_now(const Facet *facet) { return facet->recorded != NULL && facet->holds; }

/* Whether the facet is broken and its recorded value is gone: it can never hold again, and the drain retires its handles. */
static inline bool lost_its_value(const Facet *facet) { return facet->recorded == NULL && !facet->holds && !facet->dead; }

/* Safe points only from here on. Makes a facet that is not looked up yet; NO_ID with an exception set. */
uint32_t facet_new(FacetKind kind, uint32_t owner, uint32_t fallback, PyObject *name);
/* The existing facet of this description, or NO_ID without an exception. */
uint32_t facet_lookup(FacetKind kind, uint32_t owner, uint32_t fallback, PyObject *name);
/* Touches all facets: the next drain looks at each. */
void facets_touch_all(void);
/* Touches the facet if no recorder and no handle needs it: the next drain then frees it. */
void facet_touch_if_idle(uint32_t id);
/* Take one pin or reader away, and touch the facet if it may now be unused. */
void facet_unpin(uint32_t id);
void facet_unread(uint32_t id);
/* Frees the facet if it is unused and remembers no breaks; returns whether it was freed. */
bool facet_free_if_unused(uint32_t id);
void facet_free_mro_if_alone(uint32_t owner);
/* Makes target the index-th object whose events concern this facet (for a look-up chain: the events of the facet's key).
 * Unregisters the facet from the objects from index on, if target was not the index-th. -1 with an exception set. */
int facet_register(uint32_t id, uint32_t index, PyObject *target);
void facet_unregister_after(uint32_t id, uint32_t n_registered);
uint32_t facet_n_registered(const Facet *facet);
uint32_t facet_registered_at(const Facet *facet, uint32_t index);
/* Forgets the recorded value. Returns an owned reference for the caller to DECREF once all state is consistent, or NULL. */
PyObject *facet_forget(Facet *facet);

/* Compares what the facets keep with what it could be derived from: describes the first contradiction, or returns NULL. */
const char *facets_wrong(void);

#endif
