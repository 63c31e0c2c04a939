#define PY_SSIZE_T_CLEAN
#include "notice/handle_notices.h"

#include <stdlib.h>
#include <string.h>

#include "action/retire.h"
#include "facet/facets.h"
#include "facet/service.h"
#include "index/handles.h"
#include "notice/garbage.h"
#include "notice/settle.h"

int tell_handles(uint32_t id, PyObject *notices)
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

int purge_retired(PyObject *notices)
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
