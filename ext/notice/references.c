#include "notice/references.h"

#include <stdlib.h>

#include "action/action.h"
#include "facet/values.h"
#include "watch/weakrefs.h"

static bool has_guards(const Facet *facet)
{
    for (const Cell *cell = cell_at(facet->cells); cell != NULL; cell = cell_at(cell->next))
        if (cell->kind == CELL_GUARD)
            return true;
    return false;
}

bool is_relied_on(const Facet *facet)
{
    return !dependents_empty(&facet->handles) || rest_of(facet)->readers != 0 || has_guards(facet);
}

bool is_lost(const Facet *facet)
{
    PyObject *recorded = facet_recorded(facet);
    return recorded == NULL || (facet->reference == REFERENCE_KEPT && Py_REFCNT(recorded) == 1); /* the only one is ours */
}

/* Called when the recorded value of a facet died to which it had a weak reference. If the facet has another reference by now,
 * no handle waits for that value any more. */
static PyObject *value_died(PyObject *facet_id, PyObject *weakref)
{
    uint32_t id = (uint32_t)PyLong_AsUnsignedLong(facet_id);
    const Facet *facet = facet_at(id);
    if (facet->reference == REFERENCE_WEAK && facet->recorded == weakref)
        facet_touch(id);
    Py_RETURN_NONE;
}

static PyMethodDef value_died_method = {"value_died", value_died, METH_O, NULL};

/* Replaces the reference of a broken facet to its recorded value by a weak one, where the type allows it: then the value lives
 * only as long as the program has it, and could put it back. */
static void weaken_reference(uint32_t id, Garbage *garbage)
{
    Facet *facet = facet_at(id);
    PyObject *recorded = facet_recorded(facet);
    if (facet->reference == REFERENCE_KEPT && PyType_SUPPORTS_WEAKREFS(Py_TYPE(recorded))) {
        PyObject *weakref = weakref_with_id(recorded, &value_died_method, id);
        if (weakref == NULL) {
            PyErr_Clear(); /* out of memory: the reference stays until a drain finds it to be the only one */
            return;
        }
        let_go(garbage, kept_leave((Kept *)facet->recorded));
        facet->recorded = weakref;
        facet->reference = REFERENCE_WEAK;
    }
}

void give_up_waiting(uint32_t id, Garbage *garbage)
{
    Facet *facet = facet_at(id);
    uint8_t cause = facet->cause;
    bool counted = facet->counted;
    facet_retires(id, facet->dead ? CAUSE_DIED : CAUSE_LOST);
    let_go(garbage, facet_forget(facet));
    if (cause != CAUSE_NONE && cause != CAUSE_UNSTABLE) {
        facet->cause = cause; /* the event with this cause had retired all handles before */
        facet->counted = counted;
    }
}

/* The broken facets that have a reference to their recorded value. A drain looks at them again if kept values were let go. */
static Dependents waiting;

int update_reference(uint32_t id, Garbage *garbage)
{
    Facet *facet = facet_at(id);
    if (garbage_reserve(garbage, 2) < 0)
        return -1;
    if (facet->recorded != NULL && !is_relied_on(facet))
        let_go(garbage, facet_forget(facet));
    if (facet->recorded == ABSENT)
        facet->reference = REFERENCE_BORROWED; /* no reference is needed */
    if (facet->reference == REFERENCE_BORROWED && !lost_its_value(facet)) {
        dependents_remove(&waiting, id);
        return 0;
    }
    if (facet->holds && facet_value(facet) != NULL) {
        let_go(garbage, facet_forget(facet));
        facet->recorded = facet->current; /* the provider keeps it again */
        dependents_remove(&waiting, id);
    } else if (facet->dead || is_lost(facet)) {
        give_up_waiting(id, garbage);
        dependents_remove(&waiting, id);
    } else if (dependents_add(&waiting, id)) {
        weaken_reference(id, garbage);
    } else {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

int let_go_of_lonely(Garbage *garbage)
{
    PyObject *owned[64];
    uint32_t room = 8; /* most drains find none, and room for 8 needs no memory */
    while (room != 0) {
        if (garbage_reserve(garbage, room) < 0) {
            service.unfinished = true;
            return -1;
        }
        uint32_t n = kept_take_lonely(owned, room);
        for (uint32_t i = 0; i < n; i++)
            let_go(garbage, owned[i]);
        room = n == room ? 64 : 0;
    }
    return 0;
}

int touch_waiting(void)
{
    uint32_t n;
    if (!kept_any_lost || dependents_empty(&waiting)) {
        kept_any_lost = false;
        return 0;
    }
    uint32_t *ids = dependents_copy(&waiting, &n);
    if (ids == NULL) {
        service.unfinished = true;
        PyErr_NoMemory();
        return -1;
    }
    kept_any_lost = false;
    for (uint32_t i = 0; i < n; i++)
        if (facet_recorded(facet_at(ids[i])) == NULL)
            facet_touch(ids[i]);
    free(ids);
    return 0;
}
