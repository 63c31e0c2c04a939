#define PY_SSIZE_T_CLEAN
#include "settle.h"

#include <stdlib.h>
#include <string.h>

#include "action.h"
#include "commit.h"
#include "handle_listeners.h"
#include "handles.h"
#include "lookup.h"
#include "meanwhile.h"
#include "provisional.h"
#include "values.h"
#include "watch.h"

Service service = {.first_touched = NO_ID, .first_retired = NO_ID, .unstable_after = UINT16_MAX};
PyObject *Unknown_value, *drain_callable;

/* How many drains in a row may ask for another one while events keep coming. Beyond that, the next event asks: CPython
 * runs up to 32 pending calls before it lets the main thread go on, and a busy thread could keep it from that for ever. */
#define MAX_ROUNDS 8

static _Thread_local unsigned draining; /* drains under way in this thread, one inside the other */
static bool postponed;                  /* the pending call came during a drain of the main thread */

#define ROOM 100 /* calls of ours and of listeners */

/* Lets this thread call so deep beyond the recursion limit: a program near its limit must not make us fail half-way.
 * Returns what take_room() is to take back. */
static int give_room(void)
{
    PyThreadState *thread = PyThreadState_Get();
    int room = Py_MAX(ROOM - thread->py_recursion_remaining, 0);
    thread->py_recursion_remaining += room;
    return room;
}

static void take_room(int room) { PyThreadState_Get()->py_recursion_remaining -= room; }

static _Thread_local int room_of_drain;

void drain_begins(void)
{
    if (draining++ == 0)
        room_of_drain = give_room();
}

void drain_ends(void)
{
    if (--draining != 0)
        return;
    take_room(room_of_drain);
    if (!postponed)
        return;
    postponed = service.scheduled = false;
    if (service_has_news())
        service_schedule();
}

static _Thread_local PyObject *interruption; /* owned or NULL */

void drain_interrupted(void)
{
    if (interruption == NULL)
        interruption = PyErr_GetRaisedException();
    else
        PyErr_WriteUnraisable(drain_callable); /* only one can be raised */
}

int drain_raises(void)
{
    if (draining != 0 || interruption == NULL)
        return 0;
    PyErr_SetRaisedException(interruption);
    interruption = NULL;
    return -1;
}

int service_pending(void *Py_UNUSED(unused))
{
    static unsigned rounds;
    int raised = 0;
    if (draining != 0) {
        postponed = true; /* and still scheduled: events need not ask again */
        return 0;
    }
    uint64_t before = queue.taken + queue.count;
    int room = give_room();
    PyObject *result = drain_callable == NULL ? NULL : PyObject_CallNoArgs(drain_callable);
    take_room(room);
    if (result == NULL && PyErr_ExceptionMatches(PyExc_MemoryError))
        PyErr_WriteUnraisable(drain_callable);
    else if (result == NULL && PyErr_Occurred())
        raised = -1; /* by a signal handler: the program gets it, as if we had not been there */
    Py_XDECREF(result);
    service.scheduled = false; /* only now: events during the drain did not ask for another one */
    if (!service_has_news())
        rounds = 0;
    else if (queue.taken + queue.count == before || ++rounds < MAX_ROUNDS)
        service_schedule();
    return raised;
}

/* Appends and drops the reference to item. */
static int append(PyObject *list, PyObject *item)
{
    int result = item == NULL ? -1 : PyList_Append(list, item);
    Py_XDECREF(item);
    return result;
}

/* Keeps an owned reference until no state is in the making any more: its destructor may run Python. */
static void let_go(PyObject *garbage, PyObject *owned)
{
    if (owned != NULL && append(garbage, owned) < 0)
        PyErr_Clear(); /* append has dropped it: early, but dropped */
}

/* --- details ------------------------------------------------------------------------------------------------------ */

static PyObject *or_unknown(PyObject *owned) { return owned == NULL ? Py_NewRef(Unknown_value) : owned; }

static PyObject *life_notice(const Detail *detail)
{
    PyObject *function = detail->key, *value = detail->new_value;
    if (detail->change == CHANGE_DESTROYED) {
        PyObject *name = detail->key == NULL ? PyUnicode_FromString("") : detail->key;
        function = Py_BuildValue("NNN", PyLong_FromVoidPtr(detail->address), name, value);
        value = Py_NewRef(Py_None);
    }
    return Py_BuildValue("iNiNiN", (int)NOTICE_LIFE, detail->hearer, (int)detail->change, function,
                         (int)detail->attribute, value);
}

static int take_detail(PyObject *notices, PyObject *garbage)
{
    Detail detail = queue.details[queue.head];
    queue.head = (queue.head + 1) & (QUEUE_CAPACITY - 1);
    queue.taken++;
    if (--queue.count == 0)
        queue.head = 0; /* the same few cache lines serve again */
    if (detail.facet == NO_ID)
        return append(notices, life_notice(&detail));
    if (detail.broke && detail.old_value == NULL)
        detail.old_value = Py_XNewRef(facet_recorded(facet_at(detail.facet)));
    PyObject *filename = Py_None;
    int line = 0;
    if (detail.code != NULL && PyCode_Check(detail.code)) {
        filename = ((PyCodeObject *)detail.code)->co_filename;
        line = PyCode_Addr2Line((PyCodeObject *)detail.code, detail.offset);
    }
    PyObject *notice = Py_BuildValue("iIIiiNNNOi", (int)NOTICE_DETAIL, detail.facet, detail.object, (int)detail.change,
                                     (int)detail.broke, or_unknown(detail.key), or_unknown(detail.old_value),
                                     or_unknown(detail.new_value), filename, line);
    let_go(garbage, detail.code);
    return append(notices, notice);
}

/* --- facets ------------------------------------------------------------------------------------------------------- */

static bool has_guards(const Facet *facet)
{
    for (const Cell *cell = facet->cells; cell != NULL; cell = cell->next)
        if (cell->kind == CELL_GUARD)
            return true;
    return false;
}

/* Nobody but depwatch has this value, so nobody can put it back; a scalar can come back as an equal one. */
static bool is_lost(const Facet *facet)
{
    PyObject *recorded = facet_recorded(facet);
    return recorded == NULL ||
           (facet->reference == REFERENCE_STRONG && Py_REFCNT(recorded) == 1 && !is_scalar(recorded));
}

/* A weak reference to the recorded value died: nobody can restore it. The reference is the facet's own, so while it
 * exists the ID means that facet. */
static PyObject *value_died(PyObject *facet_id, PyObject *Py_UNUSED(weakref))
{
    facet_touch((uint32_t)PyLong_AsUnsignedLong(facet_id));
    Py_RETURN_NONE;
}

static PyMethodDef value_died_method = {"value_died", value_died, METH_O, NULL};

/* While a facet is broken, its old value is kept only as long as somebody could restore it. */
static void hold_loosely(uint32_t id, PyObject *garbage)
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

static void give_up_waiting(uint32_t id, PyObject *garbage)
{
    Facet *facet = facet_at(id);
    facet_retires_handles(id, facet->dead ? CAUSE_DIED : CAUSE_LOST);
    facet_drops_guards(facet);
    let_go(garbage, facet_forget(facet));
}

/* Facets that are broken and own their old value: looked at again now and then, as nothing tells when the last other
 * reference to a value goes. */
static struct {
    Dependents facets;
    uint32_t drains;
} waiting;

static void update_reference(uint32_t id, PyObject *garbage)
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
        hold_loosely(id, garbage);
        (void)dependents_add(&waiting.facets, id); /* out of memory: kept until it holds or is recorded anew */
    }
}

static void sweep_waiting(PyObject *garbage)
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

static void count_break(uint32_t id)
{
    Facet *facet = facet_at(id);
    if (facet->recorded == NULL || facet->holds || facet->counted || facet->dead)
        return;
    facet->counted = true;
    facet->breaks += facet->breaks != UINT16_MAX;
}

/* Handles that do not want to live with a facet that breaks so often. */
static void give_up_unstable(uint32_t id)
{
    Facet *facet = facet_at(id);
    if (facet->breaks < service.unstable_after || dependents_empty(&facet->handles))
        return;
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(handle, walk, &facet->handles)
        if (handle_at(handle)->unstable_after <= facet->breaks) {
            *handle_byte(handle) = BYTE_RETIRED;
            if (handle_at(handle)->heard)
                handle_listeners_hear(handle, id);
            facet->cause = facet->cause == CAUSE_NONE ? CAUSE_UNSTABLE : facet->cause; /* or they are retired already */
        }
}

/* Once: it is touched by that, and looked at again before the handles are told. */
static void give_up_unwatchable(uint32_t id)
{
    if (facet_at(id)->cause != CAUSE_UNWATCHABLE)
        facet_retires_handles(id, CAUSE_UNWATCHABLE);
}

/* Facets whose last change was not made yet when a drain looked: the next one looks again. */
static Dependents unfinished;

static void take_unfinished(void)
{
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(facet, walk, &unfinished) {
        facet_at(facet)->touched = false;
        facet_touch(facet);
    }
    dependents_clear(&unfinished);
    service.unfinished = false;
}

static int look_again(uint32_t id, PyObject *garbage)
{
    Facet *facet = facet_at(id);
    if (facet->dead && facet->kept) {
        facet->kept = false;
        facet->pins--;
    }
    bool unclear = facet->awaits[0] == AWAITS_CLARITY;
    if (!facet->known && !facet->dead && !unclear && facet_look(id) < 0) {
        if (PyErr_ExceptionMatches(PyExc_MemoryError))
            return -1;
        if (PyErr_ExceptionMatches(PyExc_Exception))
            PyErr_Clear(); /* e.g. out of version tags: whoever relies on it must not go on */
        else
            drain_interrupted(); /* while keys were looked at */
        give_up_unwatchable(id);
        for (uint32_t part = object_at(facet->owner)->first_facet; facet->kind == FACET_MRO && part != NO_ID;
             part = facet_at(part)->next_of_owner)
            give_up_unwatchable(part);
    }
    bool lost = !facet->known && !facet->dead;
    if (lost && !unclear && facet->awaits[0] != AWAITS_NOTHING) {
        facet->touched = dependents_add(&unfinished, id); /* it counts as touched, so that it stays */
        service.unfinished |= facet->touched;
        if (facet->touched)
            return 0;
    }
    if (facet->provisional != PROVISIONAL_NOT) {
        provisional_settled(facet);
        if (lost)
            facet_becomes_unknown(id); /* nothing says any more that it holds */
    }
    count_break(id);
    give_up_unstable(id);
    update_reference(id, garbage);
    return 0;
}

/* --- handles ------------------------------------------------------------------------------------------------------ */

static int tell_handles(uint32_t id, PyObject *notices)
{
    Facet *facet = facet_at(id);
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(handle, walk, &facet->handles) {
        HandleState state = handle_state(handle);
        if (state == handle_at(handle)->told || handle_at(handle)->queued)
            continue;
        if (facet->cause == CAUSE_UNSTABLE && facet->breaks < handle_at(handle)->unstable_after)
            continue; /* it puts up with this facet: if it is retired, another will say why */
        if (append(notices, Py_BuildValue("iIiIi", (int)NOTICE_HANDLE, handle, (int)state, id, (int)facet->cause)) < 0)
            return -1;
        handle_at(handle)->told = (uint8_t)state & 0x1f;
        if (state == HANDLE_GONE)
            handle_retire(handle);
    }
    facet->cause = CAUSE_NONE;
    return 0;
}

/* Takes the retired handles off their list, in the order in which they were retired: the list has the last one first.
 * A copy, malloc'ed, *n of them; NULL when out of memory. */
static uint32_t *take_retired(uint32_t *n)
{
    *n = 0;
    for (uint32_t id = service.first_retired; id != NO_ID; id = handle_at(id)->next_retired)
        ++*n;
    uint32_t *handles = malloc((*n + 1) * sizeof *handles);
    if (handles == NULL)
        return NULL;
    for (uint32_t i = *n, id = service.first_retired; i > 0; id = handle_at(id)->next_retired)
        handles[--i] = id;
    service.first_retired = NO_ID;
    return handles;
}

static void leave_retired(const uint32_t *handles, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        handle_at(handles[i])->next_retired = service.first_retired;
        service.first_retired = handles[i];
    }
}

/* Appends what is to be told of the end of these handles, all of it or nothing. */
static int tell_purged(const uint32_t *handles, uint32_t n, PyObject *notices)
{
    uint32_t n_released = 0;
    PyObject *told = PyList_New(0), *ids = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n * 4);
    int result = told == NULL || ids == NULL ? -1 : 0;
    for (uint32_t i = 0; i < n && result == 0; i++) {
        if (handle_at(handles[i])->released)
            memcpy(PyBytes_AS_STRING(ids) + 4 * (size_t)n_released++, &handles[i], 4);
        else
            result = append(told, Py_BuildValue("iI", (int)NOTICE_RETIRED, handles[i]));
    }
    if (result == 0 && n_released != 0)
        result = append(told, Py_BuildValue("iy#", (int)NOTICE_RELEASED, PyBytes_AS_STRING(ids), 4 * (Py_ssize_t)n_released));
    if (result == 0)
        result = PyList_SetSlice(notices, PyList_GET_SIZE(notices), PyList_GET_SIZE(notices), told);
    Py_XDECREF(told);
    Py_XDECREF(ids);
    return result;
}

static int purge_retired(PyObject *notices)
{
    uint32_t n, *handles = take_retired(&n);
    if (handles == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    int result = n == 0 ? 0 : tell_purged(handles, n, notices);
    if (result < 0)
        leave_retired(handles, n);
    else
        handles_purge(handles, n);
    for (uint32_t i = 0; i < n && result == 0; i++) {
        Handle *handle = handle_at(handles[i]);
        handle->queued = false;
        handle->told = HANDLE_GONE;
        if (handle->released)
            handle_free(handles[i]);
    }
    free(handles);
    return result;
}

/* --- a batch ------------------------------------------------------------------------------------------------------ */

static int batch_reserve(LookedAt *batch)
{
    if (batch->n < batch->capacity)
        return 0;
    uint32_t capacity = batch->capacity ? 2 * batch->capacity : 64;
    uint32_t *facets = realloc(batch->facets, capacity * sizeof *facets);
    if (facets == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    batch->facets = facets;
    batch->capacity = capacity;
    return 0;
}

/* Takes all that is touched, in the order in which it was: the list has the last one first. */
static int batch_take(LookedAt *batch)
{
    uint32_t first = batch->n;
    while (service.first_touched != NO_ID) {
        if (batch_reserve(batch) < 0)
            return -1;
        uint32_t id = service.first_touched;
        Facet *facet = facet_at(id);
        service.first_touched = facet->next_touched;
        facet->touched = false;
        facet->pins++;
        batch->facets[batch->n++] = id;
    }
    for (uint32_t i = first, j = batch->n; i + 1 < j; i++, j--) {
        uint32_t id = batch->facets[i];
        batch->facets[i] = batch->facets[j - 1];
        batch->facets[j - 1] = id;
    }
    return 0;
}

/* Facets with a cause first: a handle that a death retired must not be reported as broken by another facet. */
static int tell_batch(const LookedAt *batch, PyObject *notices)
{
    for (uint32_t i = 0; i < batch->n; i++)
        if (facet_at(batch->facets[i])->cause != CAUSE_NONE && tell_handles(batch->facets[i], notices) < 0)
            return -1;
    for (uint32_t i = 0; i < batch->n; i++)
        if (tell_handles(batch->facets[i], notices) < 0)
            return -1;
    return 0;
}

static int settle_batch(LookedAt *batch, PyObject *notices, PyObject *garbage)
{
    while (service.first_touched != NO_ID || service.first_retired != NO_ID) {
        while (service.first_touched != NO_ID) {
            uint32_t next = batch->n;
            if (batch_take(batch) < 0)
                return -1;
            while (next < batch->n)
                if (look_again(batch->facets[next++], garbage) < 0)
                    return -1;
        }
        if (tell_batch(batch, notices) < 0 || purge_retired(notices) < 0)
            return -1;
    }
    return 0;
}

static void unwatch_meanwhile(void)
{
    for (PyObject *dict = meanwhile_take(); dict != NULL; dict = meanwhile_take())
        if (object_of(dict) == NULL)
            unwatch_dict(dict);
}

int settle(PyObject *notices, PyObject *garbage, LookedAt *looked_at)
{
    int result = 0;
    service.settling++; /* what this touches, this looks at: no pending call for it */
    take_unfinished();
    for (uint32_t n = queue.count; n > 0 && queue.count > 0 && result == 0; n--)
        result = take_detail(notices, garbage);
    if (result == 0) {
        sweep_waiting(garbage);
        result = settle_batch(looked_at, notices, garbage);
    }
    for (uint32_t i = 0; i < looked_at->n && result < 0; i++)
        facet_touch(looked_at->facets[i]); /* nothing is lost: the next drain goes on */
    if (meanwhile_needed == 0)
        unwatch_meanwhile();
    service.settling--;
    if (service_has_news())
        service_schedule();
    return result;
}

void settle_end(LookedAt *looked_at)
{
    uint32_t n_freed = 0;
    for (uint32_t i = 0; i < looked_at->n; i++) {
        uint32_t id = looked_at->facets[i];
        if (facet_at(id)->reference == REFERENCE_STRONG && is_lost(facet_at(id)))
            facet_touch(id); /* the notices had the last other reference */
        facet_at(id)->pins--;
        if (facet_free_if_unused(id))
            looked_at->facets[n_freed++] = id;
    }
    looked_at->n = n_freed;
}

PyObject *hear_functions(PyObject *hearer)
{
    PyObject *before = service.hearer;
    service.hearer = Py_XNewRef(hearer);
    service.function_interest = service.function_interest + (hearer != NULL) - (before != NULL);
    return before;
}

void settle_for_ever(PyObject *garbage)
{
    service.shutting_down = true;
    queue.limit = 0;
    let_go(garbage, hear_functions(NULL));
    for (; queue.count != 0; queue.count--, queue.head = (queue.head + 1) & (QUEUE_CAPACITY - 1)) {
        const Detail *detail = &queue.details[queue.head];
        let_go(garbage, detail->key);
        let_go(garbage, detail->facet == NO_ID ? NULL : detail->old_value);
        let_go(garbage, detail->new_value);
        let_go(garbage, detail->code);
    }
    for (uint32_t id = 0; id < facet_pool.used; id++)
        if (facet_at(id)->reference != REFERENCE_BORROWED) /* no free item: those own nothing */
            give_up_waiting(id, garbage);
    let_go(garbage, drain_callable);
    drain_callable = NULL;
}
