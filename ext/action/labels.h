/* Jump labels: places in native code that are a 5-byte nop while an assumption holds, and a jump while it is broken. A label
 * belongs to a guard cell, and is patched when that cell's guard changes: inside CPython's callback, by one aligned store.
 *
 * Code pages are not writable. So depwatch maps each page with a label a second time, writable, and patches through the
 * second mapping. Works on x86-64 Linux only; elsewhere label_new() raises Unwatchable.
 */
#ifndef DW_LABELS_H
#define DW_LABELS_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

struct Cell;

typedef struct Label {
    uint64_t *alias;      /* the aligned 8 bytes around the label, in the writable mapping */
    uint64_t holds_word;  /* the 8 bytes around the label, with the nop */
    uint64_t breaks_word; /* the 8 bytes around the label, with the jump */
    uintptr_t address;
    struct Cell *cell;    /* its guard cell; kept alive by the owner of the label */
    struct Label *next;   /* the next label of the same cell */
    struct Label *next_of_page;
} Label;

/* Native code that runs meanwhile sees the old bytes or the new ones, never a mixture: they lie in one aligned word. */
static inline void label_patch(const Label *label, bool holds)
{
    __atomic_store_n(label->alias, holds ? label->holds_word : label->breaks_word, __ATOMIC_RELEASE);
}

/* Safe points only. Makes a label of a guard cell, which the caller keeps alive as long as the label, and patches it at once
 * if the guard is 0. NULL with ValueError or Unwatchable set. */
Label *label_new(struct Cell *cell, uintptr_t address, uintptr_t target);
void label_free(Label *label);
/* In the child of a fork: replaces the pages that the child shares with its parent by copies, because the parent would run
 * the child's patches. Ends the process if a page cannot be copied. */
void labels_after_fork(void);

#endif
