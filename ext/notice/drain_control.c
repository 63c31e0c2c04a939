#include "notice/drain_control.h"

PyObject *drain_callable;

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

void drain_after_fork(void) { postponed = service.scheduled = false; }

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
    bool no_memory = result == NULL && PyErr_ExceptionMatches(PyExc_MemoryError);
    take_room(room);
    if (no_memory)
        PyErr_WriteUnraisable(drain_callable);
    else if (result == NULL && PyErr_Occurred())
        raised = -1; /* by a signal handler: the program gets it, as if we had not been there */
    Py_XDECREF(result);
    service.scheduled = false; /* only now: events during the drain did not ask for another one */
    if (!service_has_news())
        rounds = 0;
    else if ((queue.taken + queue.count == before && !no_memory) || ++rounds < MAX_ROUNDS)
        service_schedule();
    return raised;
}
