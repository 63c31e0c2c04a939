#define _GNU_SOURCE
#include "index/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>

void *pages_take(bool huge)
{
    /* The system aligns to small pages only. So this maps twice as much, and unmaps what lies outside the aligned piece. */
    char *start = mmap(NULL, 2 * PAGES_PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)start & (PAGES_PIECE - 1);
    if (before != 0)
        munmap(start, before);
    munmap(start + before + PAGES_PIECE, PAGES_PIECE - before);
    if (huge)
        (void)madvise(start + before, PAGES_PIECE, MADV_HUGEPAGE); /* only a hint: failure costs speed, not correctness */
    return start + before;
}

void pages_give(void *piece) { munmap(piece, PAGES_PIECE); }

#else

void *pages_take(bool huge)
{
    (void)huge;
    void *piece = aligned_alloc(PAGES_PIECE, PAGES_PIECE);
    return piece == NULL ? NULL : memset(piece, 0, PAGES_PIECE);
}

void pages_give(void *piece) { free(piece); }

#endif
