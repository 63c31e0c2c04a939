#include "watch/extra_dicts.h"

#include "watch/watch.h"

#define MAX_DICTS 64
static PyObject *dicts[MAX_DICTS]; /* borrowed, and forgotten when they die */
uint32_t extra_dicts, extra_dicts_needed;

/* Watching another dict than the one whose event it is takes effect at once, on every version. */
bool extra_dicts_watch(PyObject *dict)
{
    for (uint32_t i = 0; i < extra_dicts; i++)
        if (dicts[i] == dict)
            return true;
    if (extra_dicts == MAX_DICTS || misses_events(dict) || PyDict_Watch(dict_slot, dict) < 0)
        return false;
    dicts[extra_dicts++] = dict;
    return true;
}

void extra_dicts_forget(const PyObject *dict)
{
    for (uint32_t i = extra_dicts; i-- > 0;)
        if (dicts[i] == dict)
            dicts[i] = dicts[--extra_dicts];
}

bool extra_dicts_keeps(PyObject *dict)
{
    if (extra_dicts_needed == 0)
        return false;
    if (extra_dicts < MAX_DICTS)
        dicts[extra_dicts++] = dict;
    return true; /* beyond the limit for good: what it costs is an idle event */
}

PyObject *extra_dicts_take(void) { return extra_dicts == 0 ? NULL : dicts[--extra_dicts]; }
