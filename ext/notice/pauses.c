#include "notice/pauses.h"

#include <Python.h>
#include <time.h>

#include "index/handles.h"

/* Enough for each handle to be looked at in several steps, and for some events in between. */
Pauses pauses_of_drain(void) { return (Pauses){.left = 64 + 8 * (handle_pool.live / PAUSE_AFTER)}; }

/* Without a sleep this thread would take the GIL back before one that waits for it has woken, on a machine that has a processor
 * for each; and as the other was woken, it would not ask for the GIL either. */
static void let_others_run(void)
{
    bool is_alone = PyThreadState_Next(PyInterpreterState_ThreadHead(PyInterpreterState_Get())) == NULL;
    Py_BEGIN_ALLOW_THREADS
    if (!is_alone)
        nanosleep(&(struct timespec){.tv_nsec = 1}, NULL); /* some 50 us */
    Py_END_ALLOW_THREADS
}

bool pause_after(Pauses *pauses, uint32_t n)
{
    pauses->done += n;
    if (pauses->done < PAUSE_AFTER || pauses->left == 0)
        return false;
    pauses->done = 0;
    pauses->left--;
    let_others_run();
    return true;
}
