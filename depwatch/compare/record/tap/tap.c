/* The whole: when things are written that nothing in the program asks for. */
#include "tap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_TICK UINT64_C(10000000) /* ns */
#define LOOK_EVERY 1000000            /* ns, about */
#define MOST_CALLS 4096u              /* between two looks at the clock */

Tap tap;

static uint64_t next_tick = FIRST_TICK, looked_at, between_looks = 1;

/* --- lists ----------------------------------------------------------------------------------------------------------- */

bool list_add(List *list, void *item)
{
    if (list->n == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 2 : 2 * list->capacity;
        void **items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL)
            return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = item;
    return true;
}

void list_remove(List *list, const void *item)
{
    for (uint32_t i = list->n; i-- > 0;) {
        if (list->items[i] == item) {
            list->items[i] = list->items[--list->n];
            return;
        }
    }
}

/* --- drains ----------------------------------------------------------------------------------------------------------- */

int (*tap_drain_depwatch)(void);

void tap_drained(void)
{
    if (!tap.on || !tap.undrained)
        return;
    events_end_doubts();
    facets_see_arrived();
    facets_look_for_lost();
    tap.undrained = false;
    journal_row(ROW_DRAIN, journal_time());
    journal_add();
}

int tap_drain(void)
{
    if (!tap.undrained)
        return 0;
    int result = tap_drain_depwatch();
    if (result < 0 && PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear(); /* ours: what is left comes next time */
        result = 0;
    }
    tap_drained();
    return result;
}

/* --- processes -------------------------------------------------------------------------------------------------------- */

static void leave(void)
{
    tap.was_on = tap.on;
    tap.on = false;
    journal_leave();
}

bool tap_open(const char *directory)
{
    static bool registered;
    if (!registered && pthread_atfork(NULL, NULL, leave) == 0)
        registered = true;
    return journal_open(directory);
}

void tap_forget(void)
{
    functions_forget();
    events_forget();
    tap.undrained = tap.pending = false;
    tap.calls = tap.look = 0;
    next_tick = FIRST_TICK;
    looked_at = 0;
    between_looks = 1;
}

void tap_end(bool has_status, int32_t status)
{
    if (!tap.on)
        return;
    tap_tick(journal_time());
    Row *row = journal_row(ROW_END, journal_time());
    row->calls = tap.calls;
    row->value = status;
    row->flags = FLAG_CALLS | (has_status ? FLAG_VALUE : 0);
    journal_add();
    tap.on = false;
}

void tap_replaced(bool replaced)
{
    const char *text = replaced ? "{\"replaced\": true}" : "{\"replaced\": false}";
    tap_tick(journal_time());
    journal_json(text, strlen(text));
}

/* --- ticks ------------------------------------------------------------------------------------------------------------ */

void tap_tick(uint64_t time)
{
    windows_write(true);
    functions_write_calls();
    Row *row = journal_row(ROW_TICK, journal_time());
    row->calls = tap.calls;
    row->flags = FLAG_CALLS;
    journal_add();
    while (next_tick <= time)
        next_tick += next_tick / 28; /* 20 of these double it */
}

void tap_look(void)
{
    uint64_t time = journal_time(), passed = time - looked_at;
    looked_at = time;
    if (time >= next_tick)
        tap_tick(time);
    else
        windows_write(false);
    journal_prepare();
    if (!journal_works())
        tap.on = false;
    if (passed < LOOK_EVERY && between_looks < MOST_CALLS)
        between_looks *= 2;
    else if (passed > 2 * LOOK_EVERY)
        between_looks = between_looks > 8 ? between_looks / 8 : 1;
    tap.look = tap.calls + between_looks;
    tap_let_go();
}

void tap_let_go(void)
{
    while (tap.garbage.n != 0)
        Py_DECREF((PyObject *)tap.garbage.items[--tap.garbage.n]);
}
