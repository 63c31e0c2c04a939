/* Windows: changes that are counted together. No Python here. */
#include "windows.h"
#include "value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "depwatch.h"

#define MANY_FUNCTIONS 64u /* to look at the calls of, at each change */

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

/* The calls so far; a row that is yet to be finished, or NULL: they are told. */
static Row *begin_calls(Function *function, uint64_t calls, uint64_t time, bool anyway)
{
    if (calls <= function->written && !anyway)
        return NULL;
    function->written = calls > function->written ? calls : function->written;
    n_rows_of_windows++;
    Row *row = journal_row(ROW_CALLS, time);
    row->function = function->number;
    row->calls = function->written;
    row->flags = FLAG_CALLS;
    return row;
}

/* The calls up to now of all that depend on the object. */
void write_calls(const Object *object, uint64_t time)
{
    for (uint32_t i = 0; i < object->functions.n; i++) {
        Function *function = object->functions.items[i];
        if (begin_calls(function, function->calls, time, false) != NULL)
            journal_add();
    }
}

/* NULL: not known. */
static Called *called_in_window(const Object *object, uint32_t i)
{
    bool is_known = object->then != NULL && i < object->n_then && object->then[i].function == object->functions.items[i];
    return is_known ? &object->then[i] : NULL;
}

/* Those up to the last change: what comes later is not between changes. count: changes over which those since the last row
 * spread. */
static void write_spread_calls(const Object *object, uint64_t time, uint32_t count)
{
    for (uint32_t i = 0; i < object->functions.n; i++) {
        Function *function = object->functions.items[i];
        Called *called = called_in_window(object, i);
        bool is_between = called != NULL && called->moments != 0;
        Row *row = begin_calls(function, called != NULL ? called->calls : function->calls, time, is_between);
        if (row == NULL)
            continue;
        row->object = object->number;
        row->count = count;
        row->moments = called != NULL ? called->moments : NONE;
        row->flags |= FLAG_COUNT;
        journal_add();
        if (called != NULL)
            called->moments = 0;
    }
}

void write_change(const Object *object, uint64_t time, unsigned change, const Place *window, uint32_t file, uint32_t line)
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

void write_value(Facet *facet, const Object *object, uint64_t time, const Count *window, bool same)
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
        events_schedule();
}

void windows_open(Object *object, Place *place)
{
    if (!list_add(&object->busy, place) || object->busy_link != NULL)
        return;
    object->next_busy = tap.busy;
    object->busy_link = &tap.busy;
    if (tap.busy != NULL)
        tap.busy->busy_link = &object->next_busy;
    tap.busy = object;
}

void windows_forget(Object *object)
{
    tap.n_mixed -= object->is_mixed;
    object->was_mixed = object->is_mixed;
    object->is_mixed = object->has_waited = false;
    if (object->busy_link == NULL)
        return;
    *object->busy_link = object->next_busy;
    if (object->next_busy != NULL)
        object->next_busy->busy_link = object->busy_link;
    object->busy_link = NULL;
}

static void write_changes(Object *object, uint64_t time)
{
    while (object->busy.n != 0) {
        Place *place = object->busy.items[--object->busy.n];
        write_window(object, place, time);
    }
    windows_forget(object);
}

/* Objects whose windows are written as one, at one time: a function that depends on several is called between the changes of
 * all of them, and its calls are told once. */
static List together;

static void put_together(Object *object)
{
    if (object->busy.n != 0 && object->is_mixed && !object->is_together)
        object->is_together = list_add(&together, object);
}

static void gather(Object *object)
{
    put_together(object);
    for (uint32_t i = 0; i < together.n; i++) {
        const List *functions = &((Object *)together.items[i])->functions;
        for (uint32_t j = 0; j < functions->n; j++) {
            const List *objects = &((Function *)functions->items[j])->objects;
            for (uint32_t k = 0; k < objects->n; k++)
                put_together(objects->items[k]);
        }
    }
}

static uint32_t changes_in_window(const Object *object)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < object->busy.n; i++)
        count += ((const Place *)object->busy.items[i])->count;
    return count;
}

static void write_together(void)
{
    uint64_t time = journal_time();
    for (uint32_t i = 0; i < together.n; i++)
        write_spread_calls(together.items[i], time, changes_in_window(together.items[i]));
    while (together.n != 0) {
        Object *object = together.items[--together.n];
        object->is_together = false;
        write_changes(object, time);
    }
}

/* Of all of an object's places; without what belongs together with it, so that few rows are written. */
void windows_write_now(Object *object)
{
    put_together(object);
    if (together.n == 0)
        write_changes(object, journal_time());
    write_together();
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
    uint32_t n = object->functions.n;
    if (n > MANY_FUNCTIONS || (object->then == NULL && (object->then = malloc(MANY_FUNCTIONS * sizeof *object->then)) == NULL))
        n = 0;
    for (uint32_t i = 0; i < n; i++) {
        const Function *function = object->functions.items[i];
        Called *called = called_in_window(object, i);
        uint32_t moments = called == NULL || object->busy.n == 0 ? 0 : called->moments + (called->calls != function->calls);
        object->then[i] = (Called){function, function->calls, moments};
    }
    object->n_then = n;
}

static bool is_in_mixed_window(const Function *function)
{
    for (uint32_t i = 0; i < function->objects.n; i++) {
        const Object *object = function->objects.items[i];
        if (object->busy.n != 0 && object->is_mixed)
            return true;
    }
    return false;
}

/* The calls before a window, but for those in another one, which this one is likely to be written together with. */
static void write_calls_before(const Object *object, uint64_t time)
{
    for (uint32_t i = 0; i < object->functions.n; i++) {
        Function *function = object->functions.items[i];
        bool is_told = tap.n_mixed != 0 && object->was_mixed && is_in_mixed_window(function);
        if (!is_told && begin_calls(function, function->calls, time, false) != NULL)
            journal_add();
    }
}

/* Before a change that goes into a window. */
void windows_begin_moment(Object *object, uint64_t time)
{
    static uint64_t moments;
    uint64_t calls = calls_of_dependents(object);
    bool is_new = calls != object->calls_then;
    if (object->busy.n != 0 && is_new && !object->is_mixed) {
        if (is_room(time))
            write_changes(object, time);
        else
            object->is_mixed = true;
        tap.n_mixed += object->is_mixed;
    }
    if (object->busy.n == 0)
        write_calls_before(object, time);
    if (object->busy.n == 0 || is_new) {
        object->moment = ++moments;
        object->is_begun = false;
    }
    if (is_new)
        note_calls(object);
    object->calls_then = calls;
}

static uint64_t end_of(const Object *object)
{
    uint64_t end = UINT64_MAX;
    for (uint32_t i = 0; i < object->busy.n; i++)
        end = ((Place *)object->busy.items[i])->ends < end ? ((Place *)object->busy.items[i])->ends : end;
    return end;
}

/* What belongs together waits for the longest window, once: so each has as few as it would have alone. */
static bool wait_for_longest(Object *object, uint64_t time)
{
    uint64_t longest = time;
    for (uint32_t i = 0; i < together.n; i++)
        longest = end_of(together.items[i]) > longest ? end_of(together.items[i]) : longest;
    if (object->has_waited || longest == time)
        return false;
    object->has_waited = true;
    for (uint32_t i = 0; i < object->busy.n; i++)
        ((Place *)object->busy.items[i])->ends = longest;
    while (together.n != 0)
        ((Object *)together.items[--together.n])->is_together = false;
    return true;
}

void windows_end(Object *object, uint64_t time, bool all)
{
    if (object->busy.n == 0 || !(all || time >= end_of(object)))
        return;
    gather(object);
    if (together.n == 0)
        write_changes(object, journal_time());
    else if (all || !wait_for_longest(object, time))
        write_together();
}

void windows_write(bool all)
{
    uint64_t time = journal_time();
    for (Object *object = tap.busy, *next; object != NULL; object = next) {
        next = object->next_busy;
        windows_end(object, time, all);
        if (next != NULL && next->busy_link == NULL)
            next = tap.busy; /* it was written together with this one */
    }
}

void windows_write_of(const Function *function)
{
    for (uint32_t i = 0; i < function->objects.n; i++) {
        Object *object = function->objects.items[i];
        if (object->busy.n != 0 && !object->is_mixed)
            write_changes(object, journal_time());
        put_together(object);
    }
    write_together();
}
