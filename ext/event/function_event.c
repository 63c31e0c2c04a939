#include "action/entry.h"
#include "event/death.h"
#include "event/event.h"
#include "event/telling.h"

/* The part of a function that the event changes. */
static depwatch_part part_of(PyFunction_WatchEvent event)
{
    switch (event) {
    case PyFunction_EVENT_MODIFY_CODE:
        return DEPWATCH_CODE;
    case PyFunction_EVENT_MODIFY_DEFAULTS:
        return DEPWATCH_DEFAULTS;
    case PyFunction_EVENT_MODIFY_KWDEFAULTS:
        return DEPWATCH_KWDEFAULTS;
    default:
        return DEPWATCH_NOT_APPLICABLE;
    }
}

static FacetKind kind_of(depwatch_part part)
{
    return part == DEPWATCH_CODE ? FACET_CODE : part == DEPWATCH_DEFAULTS ? FACET_DEFAULTS : FACET_KWDEFAULTS;
}

/* Whether the function already has the value that is assigned: CPython reports this assignment, too. */
static bool is_there_already(const PyFunctionObject *function, FacetKind part, const PyObject *value)
{
    return value == (part == FACET_CODE       ? function->func_code
                     : part == FACET_DEFAULTS ? function->func_defaults
                                              : function->func_kwdefaults);
}

/* Another dict of keyword defaults is assigned: the drain will register the facet at it, to watch its contents, too. */
static void awaits_kwdefaults(Facet *facet, const PyObject *assigned)
{
    facet_becomes_unknown(facet->id);
    facet->awaits = AWAITS_KWDEFAULTS;
    facet->awaited_value = assigned;
}

static NOT_INLINE int function_modified(uint32_t object, PyFunction_WatchEvent event, PyObject *value)
{
    FacetKind part = kind_of(part_of(event));
    if (part_of(event) == DEPWATCH_NOT_APPLICABLE || is_there_already((PyFunctionObject *)object_at(object)->address, part, value))
        return 0;
    const PyObject *assigned = value;
    value = value == NULL ? Py_None : value; /* deleted defaults read as None */
    for (uint32_t id = object_at(object)->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner) {
        Facet *facet = facet_at(id);
        if (facet->kind != part && facet->kind != FACET_ANY)
            continue;
        if (facet->kind == FACET_ANY) {
            whole_event(id, object, DEPWATCH_MODIFIED, names_of_parts[part], value);
            if (part == FACET_KWDEFAULTS)
                awaits_kwdefaults(facet, assigned);
            continue;
        }
        Happening before = event_begins(facet);
        if (facet->kind == FACET_KWDEFAULTS && (!facet->known || value != facet_recorded(facet)))
            awaits_kwdefaults(facet, assigned);
        else
            facet_becomes(id, value);
        event_ends(facet, before, object, DEPWATCH_MODIFIED, value);
    }
    return 0;
}

static NOT_INLINE int function_created(PyFunctionObject *function)
{
    uint32_t code = object_find(function->func_code);
    if (code == NO_ID)
        return 0;
    for (uint32_t id = object_at(code)->first_facet; id != NO_ID; id = facet_at(id)->next_of_owner)
        if (facet_at(id)->kind == FACET_CREATED)
            tell_created(facet_at(id), code, (PyObject *)function);
    return 0;
}

/* Queues the event for the lifecycle callback, which gets what gh-91053 proposed. Of a dying function the name is kept only if
 * it is an exact str: a new reference to an object of the program's would resurrect one that the collector has finalized. */
static void queue_function_event(Change change, PyFunctionObject *function, depwatch_part part, PyObject *value)
{
    PyObject *name = function->func_qualname;
    if (change == DEPWATCH_DESTROYED)
        queue_life(change, part, (PyObject *)function, PyUnicode_CheckExact(name) ? name : NULL, function->func_code);
    else
        /* Deleted defaults read as None. */
        queue_life(change, part, (PyObject *)function, NULL, value == NULL ? Py_None : value);
    service_schedule();
}

/* Reports the event to the listeners of all functions: those in C, and the lifecycle callback. */
static void tell_of_function(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    depwatch_part part = part_of(event);
    Change change = event == PyFunction_EVENT_CREATE    ? DEPWATCH_CREATED
                    : event == PyFunction_EVENT_DESTROY ? DEPWATCH_DESTROYED
                                                        : DEPWATCH_MODIFIED;
    if (change == DEPWATCH_MODIFIED && part == DEPWATCH_NOT_APPLICABLE)
        return; /* __qualname__ was assigned: only 3.15 reports that, and the proposal does not name it */
    if (function_listeners != NULL)
        call_function_listeners(change, function, part, value);
    if (service.lifecycle_callback != NULL)
        queue_function_event(change, function, part, value);
}

static ALWAYS_INLINE int function_changed_or_died(PyFunction_WatchEvent event, PyFunctionObject *function,
                                                  PyObject *value)
{
    uint32_t id = object_find(function);
    if (id == NO_ID)
        return 0;
    if (event != PyFunction_EVENT_DESTROY)
        return function_modified(id, event, value);
    entry_function_dies(function);
    object_dies(id);
    return 0;
}

/* For when the lifecycle callback, or a listener of all functions or of new ones, is interested in functions on which no
 * handle relies. */
static NOT_INLINE int interesting_event(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    tell_of_function(event, function, value);
    if (event == PyFunction_EVENT_CREATE)
        return function_created(function);
    return function_changed_or_died(event, function, value);
}

/* The value that the function loses by this event (borrowed); NULL: it had none, or the event replaces none. */
static PyObject *attribute_lost(PyFunction_WatchEvent event, const PyFunctionObject *function)
{
    return event == PyFunction_EVENT_MODIFY_CODE         ? function->func_code
           : event == PyFunction_EVENT_MODIFY_DEFAULTS   ? function->func_defaults
           : event == PyFunction_EVENT_MODIFY_KWDEFAULTS ? function->func_kwdefaults
                                                         : NULL;
}

/* The function dies, and drops its code and defaults. */
static NOT_INLINE void function_drops(const PyFunctionObject *function)
{
    kept_dies(function);
    drop_begins(function->func_code, 1);
    drop_begins(function->func_defaults, 1);
    drop_begins(function->func_kwdefaults, 1);
    drop_ends();
}

int on_function_event(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    /* The short path: CPython calls this for every function of the process, and hardly ever is anything interested. */
    if (event == PyFunction_EVENT_CREATE && service.function_interest == 0)
        return 0;
    if (event == PyFunction_EVENT_CREATE)
        return interesting_event(event, function, value);
    if (event == PyFunction_EVENT_DESTROY && kept_values.count != 0)
        function_drops(function);
    drop_begins(attribute_lost(event, function), 1);
    if (service.function_interest != 0)
        interesting_event(event, function, value);
    else
        function_changed_or_died(event, function, value);
    drop_ends();
    return 0;
}

/* --- code objects ----------------------------------------------------------------------------------------------- */

int on_code_event(PyCodeEvent event, PyCodeObject *code)
{
    if (event != PY_CODE_EVENT_DESTROY)
        return 0;
    uint32_t id = object_find(code);
    if (id != NO_ID)
        object_dies(id);
    return 0;
}
