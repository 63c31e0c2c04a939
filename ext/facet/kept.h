/* Kept values: what depwatch has a reference to although nobody told it to. Lifetimes are the program's, so for each value
 * there is at most one such reference, whoever wants it (facets whose recorded value was replaced, details in the queue), and
 * all of them lose it together:
 *   - where a store is about to drop the last reference that the program has, inside CPython's callback; the value then dies
 *     in that store. Until then the container has it, so our DECREF runs no destructor;
 *   - at the first drain at which nobody else has it.
 * A function of whose death CPython tells (DESTROY) is known without a reference.
 *
 * An exact int, float or str, and what is immortal, is no kept value: it has no destructor, and is simply referred to.
 */
#ifndef DW_KEPT_H
#define DW_KEPT_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "facet/service.h"
#include "facet/values.h"
#include "index/address_map.h"

typedef struct Kept {
    PyObject *value;    /* NULL: it is gone, or was let go */
    struct Kept *next;  /* of those with a reference; or of those that are free */
    struct Kept **link; /* what points here; NULL: there is no reference, it is known only */
    uint32_t users;
    uint32_t here;      /* how often it is in the dict that is being emptied */
} Kept;

extern AddressMap kept_values; /* by value */
extern Kept *kept_first;       /* list: with a reference */
extern Kept *kept_free;        /* list */
extern const PyObject *kept_dying; /* its last reference is about to be dropped: compared */
extern bool kept_any_lost;     /* one was let go since the drain has looked at those who wait for their value */

#if PY_VERSION_HEX < 0x030e0000
#define is_immortal(object) _Py_IsImmortal(object)
#else
#define is_immortal(object) PyUnstable_IsImmortal(object)
#endif

/* Whether a reference to it shows nowhere: there is no destructor, nor a weak reference to be called. */
static inline bool dies_unseen(PyObject *value) { return is_scalar(value) || is_immortal(value); }

static inline Kept *kept_of(const void *value)
{
    return kept_values.count == 0 ? NULL : address_map_find(&kept_values, value);
}

/* --- inside CPython's callbacks, and at safe points ------------------------------------------------------------------ */

Kept *keep_anew(PyObject *value);

static inline void kept_refer(Kept *kept)
{
    Py_INCREF(kept->value);
    kept->next = kept_first;
    kept->link = &kept_first;
    if (kept_first != NULL)
        kept_first->link = &kept->next;
    kept_first = kept;
}

/* For one user more; NULL: it is not to be kept, or there is no room. The caller has seen that it does not die unseen. */
static inline Kept *keep(PyObject *value)
{
    Kept *kept = kept_of(value);
    if (value == kept_dying)
        return NULL;
    if (kept == NULL)
        return keep_anew(value);
    kept->users++;
    if (kept->link == NULL)
        kept_refer(kept);
    return kept;
}

/* The same of a function whose DESTROY is reported: without a reference. */
Kept *keep_address(PyObject *function);
/* A value that somebody else has a reference to, which goes next. */
void kept_let_go(Kept *kept);
/* A function dies. */
static inline void kept_dies(const void *function)
{
    Kept *kept = kept_of(function);
    if (kept != NULL && kept->link == NULL) {
        address_map_remove(&kept_values, function);
        kept->value = NULL;
    }
}

/* Around an event that tells of a store: it drops one reference to before (NULL: none that is known). references: to a
 * value that nobody but its container has, as CPython's callback finds them. */
static inline void drop_begins(PyObject *before, Py_ssize_t references)
{
    if (before == NULL || Py_REFCNT(before) > references + 1)
        return;
    Kept *kept = kept_of(before);
    bool ours = kept != NULL && kept->link != NULL;
    if (Py_REFCNT(before) - ours > references)
        return;
    kept_dying = before;
    if (ours)
        kept_let_go(kept);
}

static inline void drop_ends(void) { kept_dying = NULL; }

/* A dict drops all its values, some of which may be in it more than once. */
void drop_items(PyObject *dict);

/* --- safe points only ------------------------------------------------------------------------------------------------ */

/* Room for so many values; memory that is not needed is not touched. Where there is too little, values are not kept, and
 * assumptions do not heal: right, only dear. False: out of memory. */
bool kept_reserve(uint32_t n);
/* One user less; returns the reference, for the caller to DECREF, or NULL. */
PyObject *kept_leave(Kept *kept);
/* Those that nobody else has are let go: up to n references, for the caller to DECREF. Returns how many; 0: there is no such. */
uint32_t kept_take_lonely(PyObject **owned, uint32_t n);

#endif
