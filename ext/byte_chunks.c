#include <string.h>

#include "bytes.h"
#include "pages.h"

#define CHUNK ((size_t)1 << BYTE_CHUNK_BITS)

static struct {
    uint8_t *fresh, *end; /* of the last piece, what was never a chunk */
    uint8_t *first_free;  /* list through the first bytes of each */
    bool more;            /* the second piece and the next are huge pages */
} chunks;

uint8_t *bytes_take(void)
{
    uint8_t *chunk = chunks.first_free;
    if (chunk != NULL) {
        memcpy(&chunks.first_free, chunk, sizeof chunk);
        return memset(chunk, 0, CHUNK);
    }
    if (chunks.fresh == chunks.end) {
        uint8_t *piece = pages_take(chunks.more);
        if (piece == NULL)
            return NULL;
        chunks.fresh = piece;
        chunks.end = piece + PAGES_PIECE;
        chunks.more = true;
    }
    chunk = chunks.fresh;
    chunks.fresh += CHUNK;
    return chunk;
}

void bytes_give(uint8_t *chunk)
{
    memcpy(chunk, &chunks.first_free, sizeof chunk);
    chunks.first_free = chunk;
}
