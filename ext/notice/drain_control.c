#include "notice/drain_control.h"

PyObject *drain_callable;

/* How many drains in a row may ask for another one while events keep coming; after that, the next event asks. CPython runs up
 * to 32 pending calls before the main thread goes on, so a busy second thread could otherwise stop the main thread for ever. */
#define MAX_ROUNDS 8

static _Thread_local unsigned draining; /* how many drains of this thread are going on, one inside the other */
static bool postponed;                  /* the pending call came during a drain of the main thread */

#define ROOM 100 /* how deep the drain and the callbacks that it makes can call */

/* Raises this thread's recursion limit so that ROOM calls are possible: else a drain could fail half-way in a program that is
 * close to its limit. Returns the number for take_room() to take back. */
static int give_room(void)
{
    PyThreadState *thread = PyThreadState_Get();
    int room = Py_MAX(ROOM - thread->py_recursion_remaining, 0);
    thread->py_recursion_remaining += room;
    return room;
}

static void take_room(int room) { PyThreadState_Get()->py_recursion_remaining -= room; }

static _Thread_local int room_of_drain;

bool drain_begins(void)
{
    if (draining++ != 0)
        return false;
    room_of_drain = give_room();
    return true;
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
        postponed = true; /* service.scheduled stays true, so that events do not ask for another pending call */
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
        raised = -1; /* a signal handler raised: the program gets the exception, as it would without the drain */
    Py_XDECREF(result);
    service.scheduled = false; /* cleared after the drain, so that events during it ask for no other one */
    if (!service_has_news())
        rounds = 0;
    else if ((queue.taken + queue.count == before && !no_memory) || ++rounds < MAX_ROUNDS)
        service_schedule();
    return raised;
}
