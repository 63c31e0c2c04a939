#include "notice/references.h"

#include <stdlib.h>

#include "action/action.h"
#include "facet/values.h"
#include "notice/garbage.h"
#include "watch/weakrefs.h"

static bool has_guards(const Facet *facet)
{
    for (const Cell *cell = facet->cells; cell != NULL; cell = cell->next)
        if (cell->kind == CELL_GUARD)
            return true;
    return false;
}

bool is_lost(const Facet *facet)
{
    PyObject *recorded = facet_recorded(facet);
    return recorded == NULL ||
           (facet->reference == REFERENCE_STRONG && Py_REFCNT(recorded) == 1 && !is_scalar(recorded));
}

/* A weak reference to the recorded value died: nobody can restore it. If it is no longer the facet's own, nobody waits. */
static PyObject *value_died(PyObject *facet_id, PyObject *weakref)
{
    uint32_t id = (uint32_t)PyLong_AsUnsignedLong(facet_id);
    const Facet *facet = facet_at(id);
    if (facet->reference == REFERENCE_WEAK && facet->recorded == weakref)
        facet_touch(id);
    Py_RETURN_NONE;
}

static PyMethodDef value_died_method = {"value_died", value_died, METH_O, NULL};

/* While a facet is broken, its old value is kept only as long as somebody could restore it. */
static void weaken_reference(uint32_t id, PyObject *garbage)
{
    Facet *facet = facet_at(id);
    if (facet->reference == REFERENCE_STRONG && PyType_SUPPORTS_WEAKREFS(Py_TYPE(facet->recorded))) {
        PyObject *weakref = weakref_with_id(facet->recorded, &value_died_method, id);
        if (weakref == NULL) {
            PyErr_Clear(); /* kept strongly instead: correct, only longer */
            return;
        }
        let_go(garbage, facet->recorded);
        facet->recorded = weakref;
        facet->reference = REFERENCE_WEAK;
    }
}

void give_up_waiting(uint32_t id, PyObject *garbage)
{
    Facet *facet = facet_at(id);
    facet_retires(id, facet->dead ? CAUSE_DIED : CAUSE_LOST);
    let_go(garbage, facet_forget(facet));
}

/* Facets that are broken and own their old value: looked at again now and then, as nothing tells when the last other
 * reference to a value goes. */
static struct {
    Dependents facets;
    uint32_t drains;
} waiting;

void update_reference(uint32_t id, PyObject *garbage)
{
    Facet *facet = facet_at(id);
    if (facet->recorded != NULL && dependents_empty(&facet->handles) && !has_guards(facet) &&
        facet->readers == 0)
        let_go(garbage, facet_forget(facet));
    if (facet->reference == REFERENCE_BORROWED) {
        dependents_remove(&waiting.facets, id);
        return;
    }
    if (facet->holds && facet->current != NULL) {
        let_go(garbage, facet->recorded);
        facet->recorded = facet->current; /* the provider keeps it again */
        facet->reference = REFERENCE_BORROWED;
        dependents_remove(&waiting.facets, id);
    } else if (facet->dead || is_lost(facet)) {
        give_up_waiting(id, garbage);
        dependents_remove(&waiting.facets, id);
    } else {
        weaken_reference(id, garbage);
        (void)dependents_add(&waiting.facets, id); /* out of memory: kept until it holds or is recorded anew */
    }
}

void sweep_waiting(PyObject *garbage)
{
    uint32_t n;
    if (dependents_empty(&waiting.facets) || ++waiting.drains < 1 + dependents_count(&waiting.facets) / 16)
        return;
    waiting.drains = 0;
    uint32_t *ids = dependents_copy(&waiting.facets, &n);
    for (uint32_t i = 0; ids != NULL && i < n; i++) {
        Facet *facet = facet_at(ids[i]);
        if (facet->reference != REFERENCE_BORROWED && !is_lost(facet))
            continue;
        dependents_remove(&waiting.facets, ids[i]);
        if (facet->reference != REFERENCE_BORROWED)
            give_up_waiting(ids[i], garbage);
        facet_touch(ids[i]);
    }
    free(ids);
}
