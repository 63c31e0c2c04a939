/* Kept values: objects of the program to which depwatch has a reference without having been asked to. Facets want one to a
 * recorded value that was replaced, and the queue wants one to the values in its details. But a value must die when it would
 * die without depwatch. So there is at most one reference for each value, shared by all that want it, and it is let go:
 *   - inside CPython's callback, when a store is about to drop the program's last reference. The value then dies in that store,
 *     as it should; our DECREF runs no destructor, because the container still has its reference;
 *   - at the first drain at which only depwatch has a reference to the value.
 * For a function depwatch keeps only the address, because CPython reports the death of a function (DESTROY).
 *
 * An exact int, float or str, or an immortal object, "dies unseen": it has no destructor, so the program cannot notice how long
 * it lives. depwatch takes ordinary references to these.
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
    PyObject *value;    /* NULL: the value died, or its reference was let go */
    struct Kept *next;  /* the next Kept in the list of those with a reference, or in the list of free ones */
    struct Kept **link; /* where the list points to this Kept; NULL: only the address is kept, no reference */
    uint32_t users;     /* facets and details that have this Kept */
    uint32_t here;      /* how often value is in the dict that drop_items() is emptying */
} Kept;

extern AddressMap kept_values; /* the Kept of a value, by its address */
extern Kept *kept_first;       /* list of those with a reference */
extern Kept *kept_free;        /* list of unused ones */
extern const PyObject *kept_dying; /* the value whose last reference is about to be dropped; compared only */
extern bool kept_any_lost;     /* a value was let go since the drain last looked at the facets that wait for theirs */

/* Whether the program cannot notice when the value dies: it has no destructor and no weak references. Not
 * PyUnstable_IsImmortal(), which is a call: events ask this twice. */
static inline bool dies_unseen(PyObject *value) { return is_scalar(value) || _Py_IsImmortal(value); }

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

/* Keeps the value for one more user. NULL: it is about to die, may not be kept, or no Kept is free. Not for a value that dies
 * unseen. */
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

/* Keeps the address of a function for one more user, without a reference: kept_dies() clears it. */
Kept *keep_address(PyObject *function);
/* Lets the reference go. Some container still has a reference to the value, and drops it next. */
void kept_let_go(Kept *kept);
/* CPython reports the death (DESTROY) of a function. */
static inline void kept_dies(const void *function)
{
    Kept *kept = kept_of(function);
    if (kept != NULL && kept->link == NULL) {
        address_map_remove(&kept_values, function);
        kept->value = NULL;
    }
}

/* Called before and after an event in which a container drops a reference to the value `before` (NULL: unknown): lets our own
 * reference go if the program has no other. references: what Py_REFCNT is, inside the callback, of a value to which only its
 * container refers. */
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

/* The same for a dict that drops all its values. A value may be in it more than once. */
void drop_items(PyObject *dict);

/* --- safe points only ------------------------------------------------------------------------------------------------ */

/* Makes room for n values; memory that is never needed is never touched. If there is too little, values are not kept: then a
 * broken facet retires its handles, which is correct, but it cannot hold again. False: out of memory. */
bool kept_reserve(uint32_t n);
/* Takes one user away. Returns the reference, for the caller to DECREF, if that was the last user and there is one; or NULL. */
PyObject *kept_leave(Kept *kept);
/* Takes out values to which only depwatch refers: writes up to n references, for the caller to DECREF; returns how many. */
uint32_t kept_take_lonely(PyObject **owned, uint32_t n);

#endif
