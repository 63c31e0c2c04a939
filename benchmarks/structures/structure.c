/* The structures by their names, and what needs no clock, for callers that cannot follow a function pointer. */
#include <string.h>

#include "structure.h"

static bool has_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

const Structure *find_structure(const char *name)
{
    static const Structure *const all[] = {&nothing, &sorted_vectors, &bloom, &bloom_avx2, &ours};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i] == &bloom_avx2 && !has_avx2() ? NULL : all[i];
    return NULL;
}

void destroy_structure(const Structure *structure, void *self) { structure->destroy(self); }

void structure_memory(const Structure *structure, const void *self, size_t *reverse, size_t *forward)
{
    structure->memory(self, reverse, forward);
}

void structure_bytes(const Structure *structure, const void *self, uint8_t *bytes, uint32_t n_handles)
{
    for (uint32_t handle = 0; handle < n_handles; handle++)
        bytes[handle] = structure->byte(self, handle);
}
