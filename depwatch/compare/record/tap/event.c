/* Events: what depwatch tells at once, inside CPython's callback, becomes rows. No Python here. */
#include "value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* --- rows ------------------------------------------------------------------------------------------------------------- */

static uint64_t n_rows_of_windows; /* calls, changes and values; those that are written one by one, too */
static uint32_t change_names[DEPWATCH_CLASS + 1];

static uint32_t name_of_change(unsigned change)
{
    static const char *const names[] = {"added", "modified", "deleted", "cloned", "cleared", "", "", "mro", "class"};
    if (change_names[change] == 0)
        change_names[change] = journal_string(names[change], strlen(names[change])) + 1;
    return change_names[change] - 1;
}

#define MANY_FUNCTIONS 64u /* to look at the calls of, at each change */

/* Those of the i-th function that depends on it up to its last change in the window: what comes later is not between changes. */
static uint64_t calls_in_window(const Object *object, uint32_t i)
{
    const Function *function = object->functions.items[i];
    return object->then != NULL && i < object->n_then ? object->then[i] : function->calls;
}

static void write_calls_of(Function *function, uint64_t calls, const Object *object, uint64_t time, uint32_t count)
{
    if (calls <= function->written)
        return;
    function->written = calls;
    n_rows_of_windows++;
    Row *row = journal_row(ROW_CALLS, time);
    row->function = function->number;
    row->calls = calls;
    row->flags = FLAG_CALLS;
    if (count > 1) {
        row->object = object->number;
        row->count = count;
        row->flags |= FLAG_COUNT;
    }
    journal_add();
}

/* The calls up to now of all that depend on the object. count: changes over which those since the last row spread. */
static void write_calls(const Object *object, uint64_t time, uint32_t count)
{
    for (uint32_t i = 0; i < object->functions.n; i++) {
        Function *function = object->functions.items[i];
        write_calls_of(function, count > 1 ? calls_in_window(object, i) : function->calls, object, time, count);
    }
}

static void write_change(const Object *object, uint64_t time, unsigned change, const Place *window, uint32_t file, uint32_t line)
{
    for (uint32_t i = 0; i < object->functions.n; i++)
        function_disturbed(object->functions.items[i]);
    uint32_t name = name_of_change(change);
    n_rows_of_windows++;
    Row *row = journal_row(ROW_CHANGE, time);
    row->object = object->number;
    row->count = window == NULL ? 1 : window->count;
    row->moments = window == NULL ? NONE : window->moments;
    row->type = name;
    row->file = file;
    row->line = line;
    row->flags = FLAG_COUNT;
    journal_add();
}

static void write_value(Facet *facet, const Object *object, uint64_t time, const Count *window, bool same)
{
    for (uint32_t i = 0; !same && i < facet->functions.n; i++) {
        Function *function = facet->functions.items[i];
        function->struck = true;
        function_watch_next(function);
    }
    int32_t number = facet_number(facet);
    facet_arrives(facet);
    uint32_t type = NONE;
    if (facet->now.type != NULL)
        type = journal_string(facet->now.type->tp_name, strlen(facet->now.type->tp_name));
    n_rows_of_windows++;
    Row *row = journal_row(ROW_VALUE, time);
    row->facet = facet->number;
    row->object = object->number;
    row->count = window == NULL ? 1 : window->changes;
    row->moments = window == NULL ? NONE : window->moments;
    row->value = number;
    row->type = type;
    row->flags = FLAG_COUNT | FLAG_VALUE | FLAG_SAME_GIVEN | (same ? FLAG_SAME : 0);
    journal_add();
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
static void schedule(void)
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

/* --- windows ---------------------------------------------------------------------------------------------------------- */

/* Changes between which nothing that depends on the object was called are one moment: no policy can tell them apart. A window
 * is one moment, and exact, as long as there is room in the journal for one at each moment. Else it spans several, and which
 * function was called between which of its changes is not known: only how often from the first to the last. */

static bool write_values(const List *facets, const Object *object, uint64_t time, int whole)
{
    bool any = false;
    for (uint32_t i = 0; i < facets->n; i++) {
        Facet *facet = facets->items[i];
        Count *changes = &facet->counts[whole];
        if (changes->changes == 0)
            continue;
        write_value(facet, object, time, changes, changes->same);
        changes->changes = changes->moments = 0;
        any = true;
    }
    return any;
}

static void write_window(Object *object, Place *place, uint64_t time)
{
    int whole = place == &object->whole;
    bool values = false;
    write_change(object, time, place->change, place, place->file, place->line);
    place->count = place->moments = 0;
    if (!whole)
        values = write_values(&place->facets, object, time, whole);
    for (uint32_t i = 0; whole && i < object->n_slots; i++)
        if (object->places[i] != NULL)
            values |= write_values(&object->places[i]->facets, object, time, whole);
    if (values)
        schedule();
}

/* Of all of an object's places: one window. */
static void write_windows(Object *object, uint64_t time)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < object->busy.n; i++)
        count += ((const Place *)object->busy.items[i])->count;
    if (object->is_mixed)
        write_calls(object, time, count);
    while (object->busy.n != 0) {
        Place *place = object->busy.items[--object->busy.n];
        write_window(object, place, time);
    }
    object->is_mixed = false;
}

/* Room for rows of windows that are one moment: so many at first, and then in a second. 100,000 rows a second take 2 % of a
 * processor to write, and up to 36 MB of trace in a minute. */
static double most_room = 200000, room_a_second = 100000;

void windows_have_room(double most, double a_second)
{
    most_room = most;
    room_a_second = a_second;
}

static bool is_room(uint64_t time)
{
    static double room = INFINITY;
    static uint64_t then, rows_then;
    room += (double)(time - then) * room_a_second / 1e9 - (double)(n_rows_of_windows - rows_then);
    room = room > most_room ? most_room : room;
    then = time;
    rows_then = n_rows_of_windows;
    return room > 0;
}

/* Moves when a function is called that depends on the object; of many functions, when any function is. */
static uint64_t calls_of_dependents(const Object *object)
{
    uint64_t calls = 0;
    if (object->functions.n > MANY_FUNCTIONS)
        return tap.calls;
    for (uint32_t i = 0; i < object->functions.n; i++)
        calls += ((const Function *)object->functions.items[i])->calls;
    return calls;
}

static void note_calls(Object *object)
{
    object->n_then = 0;
    if (object->functions.n > MANY_FUNCTIONS)
        return;
    if (object->then == NULL && (object->then = malloc(MANY_FUNCTIONS * sizeof *object->then)) == NULL)
        return;
    object->n_then = object->functions.n;
    for (uint32_t i = 0; i < object->n_then; i++)
        object->then[i] = ((const Function *)object->functions.items[i])->calls;
}

/* Before a change that goes into a window. */
static void begin_moment(Object *object, uint64_t time)
{
    static uint64_t moments;
    uint64_t calls = calls_of_dependents(object);
    bool is_new = calls != object->calls_then;
    if (object->busy.n != 0 && is_new) {
        if (!object->is_mixed && is_room(time))
            write_windows(object, time);
        else
            object->is_mixed = true;
    }
    if (object->busy.n == 0)
        write_calls(object, time, 1);
    if (object->busy.n == 0 || is_new) {
        object->moment = ++moments;
        object->is_begun = false;
    }
    if (is_new)
        note_calls(object);
    object->calls_then = calls;
}

static bool a_window_is_over(const Object *object, uint64_t time)
{
    for (uint32_t i = 0; i < object->busy.n; i++)
        if (time >= ((Place *)object->busy.items[i])->ends)
            return true;
    return false;
}

void windows_write(bool all)
{
    uint64_t time = journal_time();
    for (Object *object = tap.objects; object != NULL; object = object->next)
        if (object->busy.n != 0 && (all || a_window_is_over(object, time)))
            write_windows(object, time);
}

void windows_write_of(const Function *function)
{
    uint64_t time = journal_time();
    for (uint32_t i = 0; i < function->objects.n; i++)
        if (((Object *)function->objects.items[i])->busy.n != 0)
            write_windows(function->objects.items[i], time);
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
    uint64_t time = journal_time();
    if (place->changes >= ONE_BY_ONE)
        begin_moment(object, time);
    else if (object->busy.n != 0)
        write_windows(object, time);
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
        write_calls(object, time, 1);
        write_change(object, time, change, NULL, file, line);
        for (Facet *facet = touched; facet != NULL; facet = facet->next_touched)
            write_value(facet, object, time, NULL, facet->same);
        if (touched != NULL)
            schedule();
    } else {
        if (place->count++ == 0) {
            uint64_t length = (time - place->first) / 100;
            place->ends = time + (length > SHORTEST ? length : SHORTEST);
            place->change = (uint8_t)change;
            find_place(&place->file, &place->line);
            list_add(&object->busy, place);
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
        write_windows(object, time);
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
        schedule(); /* their handles are retired */
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
            write_windows(object, journal_time()); /* before it is known whether there is an event */
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
