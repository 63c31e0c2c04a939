/* The journal: rows of 64 bytes in mapped files, which another process reads while this one writes.
 *
 * What was written is there however this process ends. Rows are plain stores: nothing here runs Python, allocates from
 * CPython or lets go of the GIL, which guards all of it; so a watcher's callback may write.
 */
#ifndef DW_JOURNAL_H
#define DW_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NONE UINT32_MAX /* in a row: null */

/* trace/entries.py and schema.py have the same for Python: tests/compare/trace/test_row.py holds them to this. The last two
 * kinds are the journal's own. */
typedef enum Kind {
    ROW_OBJECT, ROW_FACET, ROW_FUNCTION, ROW_DEPENDENCY, ROW_RESOLVED, ROW_CALLS, ROW_CHANGE, ROW_VALUE, ROW_DRAIN,
    ROW_GONE, ROW_TICK, ROW_END, ROW_LOST, ROW_JSON = 254, ROW_STRING = 255
} Kind;

enum {
    FLAG_SAME = 1, FLAG_SAME_GIVEN = 2, FLAG_PATCHABLE = 4, FLAG_PATCHABLE_GIVEN = 8, FLAG_CALLS = 16, FLAG_COUNT = 32,
    FLAG_VALUE = 64
};

typedef struct Row {
    uint64_t time, calls;
    uint32_t function, object, facet, via;
    uint32_t count;
    int32_t value;
    uint32_t line, type, name, file;
    uint8_t kind, flags, pad[2];
    uint32_t moments;
} Row;

_Static_assert(sizeof(Row) == 64, "a row is one cache line");

/* Safe points only: where memory may be asked for and files made. */
bool journal_open(const char *directory); /* false: errno says why */
void journal_prepare(void);               /* a spare segment, so that a callback need not make one */
void journal_leave(void);                 /* in a forked child: it must not write */

uint64_t journal_time(void); /* ns since journal_open() */
bool journal_works(void);    /* false: nothing is written any more, as a segment could not be made */

/* A row with this kind and time and all else null; finish it with journal_add(), before any other. */
Row *journal_row(Kind kind, uint64_t time);
void journal_add(void);

/* The number of a text, which is written the first time. UTF-8, any length: it is cut to 1000 bytes. */
uint32_t journal_string(const char *text, size_t length);
void journal_json(const char *text, size_t length);

#endif
