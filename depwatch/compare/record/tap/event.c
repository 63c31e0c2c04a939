/* Events: what depwatch tells at once, inside CPython's callback, becomes rows. No Python here. */
#include "windows.h"

#include "depwatch.h"
#include "watch/text.h"

#define ONE_BY_ONE 200u             /* changes, before they are counted in windows */
#define SHORTEST UINT64_C(5000000)  /* window, in ns */

/* --- who did it ------------------------------------------------------------------------------------------------------- */

static struct _PyInterpreterFrame *current_frame(void)
{
#if PY_VERSION_HEX >= 0x030d0000
    return PyThreadState_GetUnchecked()->current_frame; /* the GIL is held: there is a thread state */
#else
    return _PyThreadState_UncheckedGet()->cframe->current_frame;
#endif
}

/* A new reference to the frame's code, which the frame has, too. NULL: there is no frame, or it is the one at the bottom of a
 * thread, which runs no Python. */
static PyObject *running_code(struct _PyInterpreterFrame *frame)
{
    PyObject *code = frame == NULL ? NULL : PyUnstable_InterpreterFrame_GetCode(frame);
    if (code != NULL && !PyCode_Check(code))
        Py_CLEAR(code);
    return code;
}

static void find_place(uint32_t *file, uint32_t *line)
{
    struct _PyInterpreterFrame *frame = current_frame();
    *file = NONE;
    *line = 0;
    PyObject *code = running_code(frame);
    if (code == NULL)
        return;
    const Function *function = function_of(code);
    int number = PyCode_Addr2Line((PyCodeObject *)code, PyUnstable_InterpreterFrame_GetLasti(frame));
    if (function != NULL) {
        *file = function->file;
        *line = number > 0 ? (uint32_t)number : 0;
    }
    Py_DECREF(code);
}

/* --- what is to happen at safe points --------------------------------------------------------------------------------- */

static int on_pending(void *Py_UNUSED(unused))
{
    tap.pending = false;
    int result = tap.on && tap.undrained ? tap_drain() : 0;
    PyObject *raised = PyErr_GetRaisedException(); /* letting go may run destructors */
    tap_let_go();
    PyErr_SetRaisedException(raised);
    return result;
}

/* depwatch has scheduled its own drain before it told us: this runs right after that. */
void events_schedule(void)
{
    tap.undrained = true;
    if (!tap.pending && Py_AddPendingCall(on_pending, NULL) == 0)
        tap.pending = true;
}

/* What others were found through has another value: those that depend on it look again at their next call. */
static void look_again(const Facet *facet)
{
    for (uint32_t i = 0; i < facet->functions.n; i++) {
        Function *function = facet->functions.items[i];
        function->look = true;
        function_watch_next(function);
    }
}

/* --- changes ---------------------------------------------------------------------------------------------------------- */

static bool is_structural(const Facet *facet, unsigned change, const PyObject *value)
{
    return change != DEPWATCH_MODIFIED || facet->leads_on || (value != NULL && Py_TYPE(value)->tp_call != NULL);
}

/* Before the facets are as the event makes them: a window that ends here has their values of before. The time of the event. */
static uint64_t begin_event(Object *object, const Place *place)
{
    if (!tap.on || object->functions.n == 0)
        return 0;
    if (place->changes < ONE_BY_ONE && object->busy.n != 0)
        windows_write_now(object);
    uint64_t time = journal_time();
    if (place->changes >= ONE_BY_ONE)
        windows_begin_moment(object, time);
    return time;
}

/* The place changes, and with it the values of the facets in the list. */
static void write_event(
    Object *object, Place *place, uint64_t time, unsigned change, PyObject *value, Facet *touched)
{
    if (!tap.on || object->functions.n == 0)
        return;
    int whole = place == &object->whole;
    bool one_by_one = place->changes < ONE_BY_ONE;
    if (one_by_one) {
        uint32_t file, line;
        place->first = place->changes++ == 0 ? time : place->first;
        find_place(&file, &line);
        write_calls(object, time);
        write_change(object, time, change, NULL, file, line);
        for (Facet *facet = touched; facet != NULL; facet = facet->next_touched)
            write_value(facet, object, time, NULL, facet->same);
        if (touched != NULL)
            events_schedule();
    } else {
        if (place->count++ == 0) {
            uint64_t length = (time - place->first) / 100;
            place->ends = time + (length > SHORTEST ? length : SHORTEST);
            place->change = (uint8_t)change;
            find_place(&place->file, &place->line);
            windows_open(object, place);
        }
        place->moments += !object->is_begun;
        object->is_begun = true;
        for (Facet *facet = touched; facet != NULL; facet = facet->next_touched) {
            Count *changes = &facet->counts[whole];
            changes->same = facet->same && (changes->changes == 0 || changes->same);
            changes->moments += changes->changes == 0 || changes->moment != object->moment;
            changes->moment = object->moment;
            changes->changes++;
        }
        if (!object->is_mixed || time < place->ends)
            return;
        windows_end(object, time, false);
    }
    for (Facet *facet = touched; facet != NULL; facet = facet->next_touched)
        if (is_structural(facet, change, value))
            look_again(facet);
}

static bool takes_away(unsigned change) { return change == DEPWATCH_DELETED || change == DEPWATCH_CLEARED; }

static bool concerns(const Facet *facet, const Object *object, unsigned change)
{
    return facet->kind == FACET_FUNCTION ||
           (!facet_is_shadowed(facet, object) && !(takes_away(change) && facet->provider != object->address));
}

/* Those that the event concerns, before the ones in the list. */
static Facet *touch(const List *facets, const Object *object, unsigned change, Facet *touched)
{
    for (uint32_t i = 0; i < facets->n; i++) {
        Facet *facet = facets->items[i];
        if (!concerns(facet, object, change))
            continue;
        facet->next_touched = touched;
        touched = facet;
    }
    return touched;
}

static Facet *touch_all(const Object *object, unsigned change)
{
    Facet *touched = NULL;
    for (uint32_t i = 0; i < object->n_slots; i++)
        if (object->places[i] != NULL)
            touched = touch(&object->places[i]->facets, object, change, touched);
    return touched;
}

/* A facet that the event concerns is then as it will be. */
static void change_facet(Facet *facet, const Object *object, unsigned change, PyObject *value)
{
    PyObject *provider = facet->kind == FACET_FUNCTION ? NULL : object->address;
    if (facet->kind != FACET_FUNCTION && takes_away(change)) {
        int found = facet_find(facet, object->address, false, &provider, &value);
        facet->same = found > 0 ? facet_becomes(facet, provider, value)
                                : facet_becomes_nothing(facet, found == 0 ? MISSING : UNKNOWN);
    } else {
        facet->same = value != NULL ? facet_becomes(facet, provider, value) : facet_becomes_nothing(facet, UNKNOWN);
    }
}

/* change: what it is for the facets that are touched. value: of these; NULL: it is gone, or not known. */
static void change_place(
    Object *object, Place *place, const depwatch_event *event, unsigned change, PyObject *value, Facet *touched)
{
    uint64_t time = begin_event(object, place);
    for (Facet *facet = touched; facet != NULL; facet = facet->next_touched)
        change_facet(facet, object, change, value);
    write_event(object, place, time, event->change, value, touched);
}

/* No str, but what compares with names as it likes. */
static bool may_equal_a_name(PyObject *key)
{
    return PyType_HasFeature(Py_TYPE(key), Py_TPFLAGS_HEAPTYPE);
}

/* Types whose MRO was replaced since depwatch has drained. Until then it may not hear when that happens again, as CPython
 * has made new tables of subclasses. */
static List doubtful;

static void die(Object *object)
{
    if (object->dead)
        return;
    object->dead = true;
    list_remove(&doubtful, object);
    if (tap.on) {
        Row *row = journal_row(ROW_GONE, journal_time());
        row->object = object->number;
        journal_add();
    }
    list_add(&tap.dead, object);
    if (object->functions.n != 0)
        events_schedule(); /* their handles are retired */
    for (uint32_t i = 0; i < object->functions.n; i++) {
        Function *function = object->functions.items[i];
        function->look = true;
        function_watch_next(function);
    }
}

/* CPython takes two names out of the main module when the script has ended: no change that the program makes. */
static bool script_has_ended(const depwatch_event *event)
{
    if (event->change != DEPWATCH_DELETED || event->key == NULL ||
        !(IS_TEXT(event->key, "__file__") || IS_TEXT(event->key, "__cached__")))
        return false;
    PyObject *code = running_code(current_frame());
    bool runs = code != NULL;
    Py_XDECREF(code);
    return !runs;
}

void on_object_event(void *data, const void *told)
{
    Object *object = data;
    const depwatch_event *event = told;
    if (script_has_ended(event))
        return;
    facets_dropped_by = event->change == DEPWATCH_ADDED || event->change == DEPWATCH_CLONED ? NULL : object;
    if (event->change == DEPWATCH_DESTROYED) {
        die(object);
    } else if (event->key == NULL) {
        change_place(object, &object->whole, event, event->change, NULL, touch_all(object, event->change));
    } else if (!PyUnicode_CheckExact(event->key) && may_equal_a_name(event->key)) {
        change_place(object, &object->whole, event, DEPWATCH_CLONED, NULL, touch_all(object, DEPWATCH_CLONED));
    } else {
        Place *place = PyUnicode_CheckExact(event->key) ? object_find(object, event->key) : NULL;
        Facet *touched = place == NULL ? NULL : touch(&place->facets, object, event->change, NULL);
        place = touched == NULL ? &object->others : place;
        change_place(object, place, event, event->change, event->new_value, touched);
    }
    facets_dropped_by = NULL;
}

/* The facets of this class, after its MRO was replaced. only_others: leaving out those that are as they were. */
static Facet *look_along_mro(const Object *object, bool only_others)
{
    Facet *touched = NULL;
    for (uint32_t i = 0; i < object->n_slots; i++) {
        for (uint32_t j = 0; object->places[i] != NULL && j < object->places[i]->facets.n; j++) {
            Facet *facet = object->places[i]->facets.items[j];
            PyObject *provider, *value;
            if (facet->owner != object)
                continue; /* of a class that inherits from it: told for that one */
            int found = facet_find(facet, NULL, false, &provider, &value);
            facet->same = found > 0 ? facet_becomes(facet, provider, value)
                                    : facet_becomes_nothing(facet, found == 0 ? MISSING : UNKNOWN);
            if (only_others && facet->same)
                continue;
            facet->next_touched = touched;
            touched = facet;
        }
    }
    return touched;
}

void on_type_event(void *data, const void *told)
{
    Object *object = data;
    const depwatch_event *event = told;
    if (event->change == DEPWATCH_DESTROYED)
        die(object);
    if (event->change != DEPWATCH_MRO)
        return;
    list_remove(&doubtful, object);
    list_add(&doubtful, object);
    uint64_t time = begin_event(object, &object->whole);
    write_event(object, &object->whole, time, DEPWATCH_MRO, NULL, look_along_mro(object, false));
}

void events_forget(void)
{
    doubtful.n = 0;
}

void events_end_doubts(void)
{
    while (doubtful.n != 0) {
        Object *object = doubtful.items[--doubtful.n];
        if (object->dead)
            continue;
        if (object->busy.n != 0)
            windows_write_now(object); /* before it is known whether there is an event */
        Facet *touched = look_along_mro(object, true);
        if (touched == NULL)
            continue;
        uint64_t time = begin_event(object, &object->whole);
        write_event(object, &object->whole, time, DEPWATCH_MRO, NULL, touched);
    }
}

void on_function_event(void *data, const void *told)
{
    const Part *part = data;
    const depwatch_event *event = told;
    if (event->change == DEPWATCH_DESTROYED) {
        die(part->object);
        return;
    }
    Place *place = object_find(part->object, part->name);
    Facet *touched = place == NULL ? NULL : touch(&place->facets, part->object, DEPWATCH_MODIFIED, NULL);
    /* The dict of keyword defaults that changes in place stays the same object, and is not what it was. */
    PyObject *value = event->key == NULL && event->change == DEPWATCH_MODIFIED ? event->new_value : NULL;
    facets_dropped_by = event->key == NULL ? part->object : NULL; /* else the dict of keyword defaults stays */
    place = touched == NULL ? &part->object->others : place;
    change_place(part->object, place, event, DEPWATCH_MODIFIED, value, touched);
    facets_dropped_by = NULL;
}
