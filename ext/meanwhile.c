#include "meanwhile.h"

#include "watch.h"

#define MAX_DICTS 64
static PyObject *dicts[MAX_DICTS]; /* borrowed, and forgotten when they die */
uint32_t meanwhile_dicts, meanwhile_needed;

/* Watching another dict than the one whose event it is takes effect at once, on every version. */
bool meanwhile_watch(PyObject *dict)
{
    for (uint32_t i = 0; i < meanwhile_dicts; i++)
        if (dicts[i] == dict)
            return true;
    if (meanwhile_dicts == MAX_DICTS || misses_events(dict) || PyDict_Watch(dict_slot, dict) < 0)
        return false;
    dicts[meanwhile_dicts++] = dict;
    return true;
}

void meanwhile_forget(const PyObject *dict)
{
    for (uint32_t i = meanwhile_dicts; i-- > 0;)
        if (dicts[i] == dict)
            dicts[i] = dicts[--meanwhile_dicts];
}

bool meanwhile_keeps(PyObject *dict)
{
    if (meanwhile_needed == 0)
        return false;
    if (meanwhile_dicts < MAX_DICTS)
        dicts[meanwhile_dicts++] = dict;
    return true; /* beyond the limit for good: what it costs is an idle event */
}

PyObject *meanwhile_take(void) { return meanwhile_dicts == 0 ? NULL : dicts[--meanwhile_dicts]; }
