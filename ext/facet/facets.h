/* Room facet: the objects that are watched and what of them can change. In come objects and names at safe points; out go IDs
 * that an event finds by address and key. A facet is registered with what tells of it; nothing here changes a handle.
 */

/* Facets: the parts of objects that can change, with who relies on them.
 *
 * recorded is what the dependents assumed, current what the facet is now. While a facet holds, its provider (the dict,
 * the function) keeps the value alive and recorded is borrowed: depwatch keeps nothing of the program alive. Every way
 * to take the value away passes through an event before it happens; that event takes a reference, so that no other
 * object can appear at the same address and be mistaken for it, unless it is the last: then the value dies, and the facet
 * can never hold again. The drain turns that reference into a weak one where the type allows it. See kept.h.
 */
#ifndef DW_FACETS_H
#define DW_FACETS_H

#include <Python.h>
#include <stdbool.h>

#include "facet/kept.h"
#include "facet/kinds.h"
#include "facet/objects.h"
#include "facet/service.h"
#include "index/dependents.h"
#include "index/edges.h"
#include "index/pool.h"

/* Why a facet retired its handles. */
typedef enum Cause {
    CAUSE_NONE,
    CAUSE_CHANGED,    /* a whole-object dependency changed: there is no value that could come back */
    CAUSE_DIED,       /* its object died */
    CAUSE_SUPERSEDED, /* another value was recorded than the one that they wait for */
    CAUSE_UNSTABLE,   /* it broke too often */
    CAUSE_LOST,       /* nobody but depwatch has the value that they wait for */
    CAUSE_UNWATCHABLE, /* it can no longer be watched */
    CAUSE_AMBIGUOUS,  /* a key that may equal any name was stored or deleted */
    CAUSE_CLASS,      /* its module got another class */
    CAUSE_BASES,      /* bases were assigned, and the mro() of a metaclass may have run in the middle of it */
    CAUSE_SATURATED   /* of a handle alone: its byte counts no more broken assumptions */
} Cause;

/* What an event that is not to be trusted says will be so once its change is made. */
typedef enum Awaits {
    AWAITS_NOTHING,
    AWAITS_NAME,      /* in the dict awaited_in */
    AWAITS_NO_NAME,
    AWAITS_KWDEFAULTS, /* awaited_value, in the function that has the facet */
    AWAITS_CLARITY    /* nothing tells when the change is made: never looked at again; a new facet is, once this one is free */
} Awaits;

typedef enum Reference {
    REFERENCE_BORROWED, /* from the provider: it is current */
    REFERENCE_STRONG,   /* it dies unseen */
    REFERENCE_KEPT,     /* recorded is a Kept */
    REFERENCE_WEAK      /* recorded is a weak reference */
} Reference;

typedef struct Facet {
    /* What an event reads and writes: one cache line. */
    uint32_t next_touched;  /* first, because Pool threads its free list through these 4 bytes */
    uint32_t provider;      /* object ID of the dict that holds the value; NO_ID: unknown, missing or immutable */
    uint32_t changes;       /* events that may have changed it; wraps */
    uint32_t listeners;     /* subscriptions, and listeners in C */
    uint8_t kind;           /* FacetKind */
    uint8_t reference;      /* Reference: how recorded is held */
    uint8_t cause;          /* Cause, until the drain has told the retired handles */
    bool known;             /* current is what the facet is (NULL: it is missing) */
    bool holds;             /* false: the recorded value is not there now */
    bool touched;           /* on the service's list */
    bool counted : 1;       /* the present break is in breaks */
    bool identity : 1;      /* a reader of what is recorded asked for that very object: an equal one is another value */
    bool conservative;      /* the present break came from an event that does not tell the value */
    bool dead;              /* its object died */
    bool handles_have_listeners;           /* handles of it have a listener: see handle_listeners.h */
    uint16_t breaks;        /* breaks that a drain has seen */
    uint32_t id;            /* its own */
    PyObject *current;      /* borrowed from the provider */
    PyObject *recorded;     /* see reference; NULL: nothing is recorded or, while it does not hold, that is gone */
    Dependents handles;
    struct Cell *cells;     /* owned list */
    /* The rest. */
    uint32_t owner;         /* object ID */
    uint32_t fallback;      /* object ID of the builtins; NO_ID but for FACET_GLOBAL */
    uint32_t next_of_owner;     /* the facets of an object: a list in both directions, as an object may have thousands */
    uint32_t previous_of_owner; /* NO_ID: the first */
    uint32_t generation;    /* of what is recorded: a recorder that read another generation is stale: see
                               also service.generations */
    uint32_t readers;       /* recorders that have read it and not yet committed */
    uint32_t pins;          /* Python references, drains at work, and the user who was given the object's ID */
    uint32_t n_registered;
    uint32_t *registered_at;      /* owned: object IDs where this facet is registered */
    PyObject *name;         /* owned, interned; NULL for parts of functions and whole objects */
    uint8_t awaits[2];      /* Awaits: of the first dict that had such an event since the last look, and of the last other one */
    bool kept;              /* one pin is for the user who has its object's ID: until the object dies */
    uint32_t native_listeners; /* of listeners, those in C */
    union {
        uint32_t awaited_in[2];        /* object IDs */
        const PyObject *awaited_value; /* compared, never dereferenced */
    };
} Facet;

_Static_assert(sizeof(Facet) == 128, "a facet fills two cache lines: see Pool.item_size");

extern Pool facet_pool;
extern const DependentsOf handles_of_facets; /* the reverse side of the index */

static inline Facet *facet_at(uint32_t id)
{
    return POOL_AT(Facet, &facet_pool, id);
}

static inline const FacetTraits *traits_of(const Facet *facet) { return &facet_traits[facet->kind]; }

static inline bool facet_has_value(const Facet *facet) { return traits_of(facet)->has_value; }

/* The drain must look at it. */
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

/* A watcher of somebody else may run Python before the change is made, and that may change another dict of the chain. */
static inline void facet_awaits(Facet *facet, Awaits what, uint32_t dict)
{
    bool other = facet->awaits[0] != AWAITS_NOTHING && facet->awaited_in[0] != dict;
    facet->awaits[other] = (uint8_t)what;
    facet->awaited_in[other] = dict;
}

static inline void facet_awaits_clarity(Facet *facet)
{
    facet->awaits[0] = AWAITS_CLARITY;
    facet->awaited_in[0] = NO_ID;
    facet->breaks = 0; /* nothing to remember: it may go */
    facet->counted = true;
}

/* What a facet's dependents assumed, or NULL when nothing is recorded or the value is gone. Borrowed. */
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

/* Whether what its dependents assumed is so now. */
static inline bool facet_holds_now(const Facet *facet) { return facet->recorded != NULL && facet->holds; }

/* It was broken by the end of its recorded value: nobody can restore that, and the drain retires those that rely on it. */
static inline bool lost_its_value(const Facet *facet) { return facet->recorded == NULL && !facet->holds && !facet->dead; }

/* Safe points only from here on. A new facet of that description, not looked up yet; NO_ID with an exception set. */
uint32_t facet_new(FacetKind kind, uint32_t owner, uint32_t fallback, PyObject *name);
/* The one that exists, or NO_ID without an exception. */
uint32_t facet_lookup(FacetKind kind, uint32_t owner, uint32_t fallback, PyObject *name);
/* The drain looks at every facet that there is. */
void facets_touch_all(void);
/* The drain looks at the facet if nobody needs it now. */
void facet_touch_if_idle(uint32_t id);
/* One pin or reader less. The drain looks at the facet if that may have been the last that needed it. */
void facet_unpin(uint32_t id);
void facet_unread(uint32_t id);
/* Frees the facet if nobody needs it or its memory of breaks; true if it is gone. */
bool facet_free_if_unused(uint32_t id);
void facet_free_mro_if_alone(uint32_t owner);
/* Makes target the index-th object whose events concern this facet (for a look-up chain: events of its key), and
 * forgets those after it if it was another. -1 with an exception set. */
int facet_register(uint32_t id, uint32_t index, PyObject *target);
void facet_unregister_after(uint32_t id, uint32_t n_registered);
/* Lets recorded go; returns an owned reference to DECREF when the state is consistent, or NULL. */
PyObject *facet_forget(Facet *facet);

/* What of the facets contradicts what it could be derived from, in words, or NULL. */
const char *facets_wrong(void);

#endif
