/* Jump labels: places in native code that are a 5-byte nop while an assumption holds, and a jump while it does not. Their
 * guard cell patches them, inside CPython's callback: one aligned store each.
 *
 * Code pages are not writable. So each page that has a label is mapped twice: as it was, and once more for us to write
 * to. x86-64 Linux only; elsewhere labels are refused.
 */
#ifndef DW_LABELS_H
#define DW_LABELS_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

struct Cell;

typedef struct Label {
    uint64_t *alias;      /* the aligned 8 bytes around the label, where they can be written */
    uint64_t holds_word;  /* those bytes with the nop */
    uint64_t breaks_word; /* and with the jump */
    uintptr_t address;
    struct Cell *cell;    /* a guard cell: whoever has the label keeps it */
    struct Label *next;   /* of the same cell */
    struct Label *next_of_page;
} Label;

/* A running frame sees the bytes of before or those of after, as they lie in one aligned word. */
static inline void label_patch(const Label *label, bool holds)
{
    __atomic_store_n(label->alias, holds ? label->holds_word : label->breaks_word, __ATOMIC_RELEASE);
}

/* Safe points only. A label of a guard cell, which the caller keeps as long as the label; patched at once if the guard is down. NULL with ValueError, or
 * Unwatchable, set. */
Label *label_new(struct Cell *cell, uintptr_t address, uintptr_t target);
void label_free(Label *label);
/* In the child of a fork: the pages become its own, as patches would be seen by the parent. Ends the process if it
 * cannot be done. */
void labels_after_fork(void);

#endif
