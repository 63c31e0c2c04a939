/* A program for callgrind: events with one dependent, the same ones again and again.
 *
 * Its user runs it with two counts of events and takes the difference, in which making the structure cancels out. */
#include <stdio.h>
#include <stdlib.h>

#include "structure.h"

enum { HANDLES = 1000, DEPENDENCIES = 16, SHARED = 64 };

int main(int argc, char **argv)
{
    const Structure *structure = argc == 3 ? find_structure(argv[1]) : NULL;
    if (structure == NULL) {
        fprintf(stderr, "usage: %s STRUCTURE ROUNDS\n", argv[0]);
        return 2;
    }
    long rounds = atol(argv[2]);
    /* Handle h depends on facet h alone, and with others on the shared ones. */
    static uint32_t handles[HANDLES], facets[HANDLES * DEPENDENCIES];
    static uint64_t offsets[HANDLES + 1];
    for (uint32_t handle = 0; handle < HANDLES; handle++) {
        handles[handle] = handle;
        offsets[handle + 1] = (uint64_t)(handle + 1) * DEPENDENCIES;
        facets[handle * DEPENDENCIES] = handle;
        for (uint32_t i = 1; i < DEPENDENCIES; i++)
            facets[handle * DEPENDENCIES + i] = HANDLES + (handle + i) % SHARED;
    }
    void *self = structure->create(HANDLES + SHARED, HANDLES);
    if (self == NULL || !structure->add(self, handles, HANDLES, offsets, facets))
        return 1;
    for (long round = 0; round < rounds; round++)
        for (uint32_t facet = 0; facet < HANDLES; facet++)
            (round % 2 == 0 ? structure->break_facet : structure->mend_facet)(self, facet);
    structure->destroy(self);
    return 0;
}
