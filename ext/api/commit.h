/* Committing: makes the assumptions of a compilation the dependencies of handles. Safe points only. */
#ifndef DW_COMMIT_H
#define DW_COMMIT_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "index/edges.h"

typedef struct Assumption {
    uint32_t facet;
    uint32_t generation; /* Facet.generation when the facet was read: see facet_read() */
    uint32_t falls;      /* Facet.falls likewise */
} Assumption;

/* What a recorder has read, and how it commits. */
typedef struct Recording {
    const Assumption *assumptions;
    uint64_t generations;    /* service.generations before the first read */
    uint64_t breaks;         /* service.breaks before the first read */
    uint16_t unstable_after; /* the limit of the handles */
    bool allow_undone;       /* whether an assumption that broke since it was read, and holds again, will do */
    bool heard;              /* of the handles: see Handle */
    uint16_t tally;
} Recording;

/* Makes a valid handle that depends on the facets of the first n assumptions. NO_ID: either an exception is set, or *witness < n
 * is an assumption that does not hold any more, or broke meanwhile. */
uint32_t handle_commit(const Recording *recording, uint32_t n, uint32_t *witness);
/* Makes n handles at once and writes them to handles, ascending. The i-th depends on the facets of
 * assumptions[reads[offsets[i]]] to assumptions[reads[offsets[i + 1] - 1]], in any order; if reads is NULL, on those of
 * assumptions[offsets[i]] to assumptions[offsets[i + 1] - 1]. False: none was made, and either *witness != NO_ID is such an
 * assumption, or an exception is set. */
bool handles_commit(const Recording *recording, uint32_t n, const uint64_t *offsets, const uint32_t *reads, uint32_t *handles,
                    uint32_t *witness);
/* The facets of n handles: fills offsets (n + 1 of them) and returns the facets, malloc'ed; or NULL. */
uint32_t *handles_facets(const uint32_t *handles, uint32_t n, uint64_t *offsets);
/* Checks the index of facets and handles: describes the first error, or returns NULL. Cost: looks up every dependency. */
const char *index_wrong(void);

#endif
