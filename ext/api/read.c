#include "api/read.h"

#include "action/action.h"
#include "notice/look.h"
#include "notice/words.h"
#include "watch/audit.h"
#include "watch/errors.h"
#include "watch/watch.h"

/* Records the facet's present value. Returns a reference to the value recorded before, or NULL, for the caller to drop: that
 * may run Python. */
static PyObject *record(uint32_t id, bool identity)
{
    Facet *facet = facet_at(id);
    PyObject *now = facet->current == NULL ? ABSENT : facet->current;
    bool same = facet_holds_now(facet);
    if (same && (!identity || facet_recorded(facet) == now)) {
        facet->identity |= identity;
        return NULL;
    }
    if (!same) /* the facet can no longer hold for handles that wait for the former recorded value */
        facet_retires(id, CAUSE_SUPERSEDED);
    PyObject *old = facet_forget(facet);
    facet->recorded = now;
    facet->holds = true;
    facet->identity = identity;
    return old;
}

int refuse_lazy_import(uint32_t id)
{
    const Facet *facet = facet_at(id);
    if (!facet_has_value(facet) || facet_value(facet) == NULL || !is_lazy_import(facet_value(facet)))
        return 0;
    PyErr_Format(Unwatchable_error, "%R is a lazy import that is not made yet: code that loads the name makes the import and "
                                    "gets another value; load the name first, then read it",
                 rest_of(facet)->name);
    return -1;
}

PyObject *facet_read(uint32_t id, Reading reading, Assumption *assumption)
{
    Facet *facet = facet_at(id);
    if (!facet->known && facet_look(id) < 0)
        return NULL;
    if (!facet->known) {
        if (facet_is_awaited(facet))
            PyErr_SetString(Unwatchable_error, "the value is being changed by the write in whose watcher callback this code "
                                               "runs; read it after that write");
        else
            PyErr_Format(Unwatchable_error, "%R changes each time it is looked up (%d times in a row); use keys whose "
                                            "__eq__ and __hash__ do not change the dict",
                         rest_of(facet)->name, MAX_LOOKS);
        return NULL;
    }
    if (facet->breaks >= reading.unstable_after) {
        PyObject *words = words_of_facet(id);
        if (words != NULL)
            PyErr_Format(Unstable_error, "%U has broken %u times, the limit is %u: load it at run time or use a value cell",
                         words, (unsigned)facet->breaks, reading.unstable_after);
        Py_XDECREF(words);
        return NULL;
    }
    if (facet_has_value(facet) && facet->current == NULL && !reading.absence)
        return NULL;
    if (refuse_lazy_import(id) < 0)
        return NULL;
    PyObject *old = facet_has_value(facet) ? record(id, reading.identity) : NULL;
    PyObject *value = Py_NewRef(!facet_has_value(facet) ? Py_None : facet->current == NULL ? ABSENT : facet->current);
    *assumption = (Assumption){id, rest_of(facet)->generation, facet->falls};
    rest_of(facet)->readers++;
    Py_XDECREF(old);
    return value;
}

/* --- finding a facet by what it is ---------------------------------------------------------------------------------- */

/* Makes the MRO facet of a type, through which the type's other facets learn of changes of the MRO. It lives as long as the
 * type has another facet. */
static int need_mro_facet(uint32_t type)
{
    uint32_t id = facet_lookup(FACET_MRO, type, NO_ID, NULL);
    if (id == NO_ID)
        id = facet_new(FACET_MRO, type, NO_ID, NULL);
    return id == NO_ID ? -1 : facet_at(id)->known ? 0 : facet_look(id);
}

uint32_t facet_get(FacetKind kind, PyObject *owner, PyObject *fallback, PyObject *name)
{
    uint32_t object = object_use(owner);
    uint32_t other = object == NO_ID || fallback == NULL ? NO_ID : object_use(fallback);
    uint32_t id = NO_ID;
    if (object == NO_ID || (fallback != NULL && other == NO_ID))
        goto done;
    id = facet_lookup(kind, object, other, name);
    if (id != NO_ID)
        goto done;
    if (kind == FACET_CREATED && watch_functions() < 0)
        goto done;
    if (object_at(object)->kind == OBJECT_TYPE && kind != FACET_EXISTENCE &&
        (audit_assignments("attributes of classes") < 0 || need_mro_facet(object) < 0))
        goto done;
    id = facet_new(kind, object, other, name);
    if (id != NO_ID && facet_look(id) < 0) {
        facet_free_if_unused(id);
        id = NO_ID;
    }
done:
    if (id != NO_ID)
        facet_rest_at(id)->pins++;
    if (other != NO_ID)
        object_release(other);
    if (object != NO_ID) {
        object_at(object)->uses++; /* keeps the object while facet_free_mro_if_alone() looks at it */
        if (id == NO_ID)
            facet_free_mro_if_alone(object);
        object_release(object);
        object_release(object);
    }
    return id;
}
