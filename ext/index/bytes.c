#include "index/bytes.h"

#include <string.h>

#include "index/blocks.h"
#include "index/containers.h"
#include "index/pages.h"

#define AHEAD 16 /* how many bytes ahead are prefetched, because the bytes of an array's IDs lie far apart */

static ALWAYS_INLINE void change_lows(uint8_t *chunk, const uint16_t *lows, uint32_t n, ByteChange change)
{
    uint32_t i = 0;
    for (; i + AHEAD < n; i++) {
        __builtin_prefetch(&chunk[lows[i + AHEAD]], 1);
        byte_change(&chunk[lows[i]], change);
    }
    for (; i < n; i++)
        byte_change(&chunk[lows[i]], change);
}

static ALWAYS_INLINE void change_bits(uint8_t *chunk, const uint64_t *words, ByteChange change)
{
    for (uint32_t i = 0; i < CONTAINER_WORDS; i++)
        for (uint64_t word = words[i]; word != 0; word &= word - 1)
            byte_change(&chunk[i * 64 + (uint32_t)__builtin_ctzll(word)], change);
}

static void change_bits_scalar(uint8_t *chunk, const uint64_t *words, ByteChange change)
{
    if (change == BYTE_BREAKS)
        change_bits(chunk, words, BYTE_BREAKS);
    else if (change == BYTE_HOLDS)
        change_bits(chunk, words, BYTE_HOLDS);
    else
        change_bits(chunk, words, BYTE_RETIRES);
}

static void (*change_bitset)(uint8_t *chunk, const uint64_t *words, ByteChange change) = change_bits_scalar;

/* --- with AVX2: 32 bytes at a time --------------------------------------------------------------------------------- */

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* 32 bytes: 0xff for each bit that is set, else 0. */
AVX2 static inline __m256i spread(uint32_t bits)
{
    const __m256i which = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    return _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), which), bit), bit);
}

AVX2 static ALWAYS_INLINE void change_32(uint8_t *bytes, uint32_t bits, ByteChange change)
{
    __m256i *at = (__m256i *)bytes, old = _mm256_loadu_si256(at), chosen = spread(bits);
    if (change == BYTE_RETIRES) {
        _mm256_storeu_si256(at, _mm256_or_si256(old, chosen));
        return;
    }
    /* -1 in each chosen byte, but 0 where the handle is retired. */
    __m256i ones = _mm256_andnot_si256(_mm256_cmpeq_epi8(old, _mm256_set1_epi8(-1)), chosen);
    _mm256_storeu_si256(at, change == BYTE_BREAKS ? _mm256_sub_epi8(old, ones) : _mm256_add_epi8(old, ones));
}

AVX2 static ALWAYS_INLINE void change_64s(uint8_t *chunk, const uint64_t *words, ByteChange change)
{
    for (uint32_t i = 0; i < CONTAINER_WORDS; i++) {
        if (words[i] == 0)
            continue;
        change_32(chunk + i * 64, (uint32_t)words[i], change);
        change_32(chunk + i * 64 + 32, (uint32_t)(words[i] >> 32), change);
    }
}

AVX2 static void change_bits_avx2(uint8_t *chunk, const uint64_t *words, ByteChange change)
{
    if (change == BYTE_BREAKS)
        change_64s(chunk, words, BYTE_BREAKS);
    else if (change == BYTE_HOLDS)
        change_64s(chunk, words, BYTE_HOLDS);
    else
        change_64s(chunk, words, BYTE_RETIRES);
}

static bool has_avx2;

__attribute__((constructor)) static void choose(void)
{
    __builtin_cpu_init();
    has_avx2 = __builtin_cpu_supports("avx2");
    bytes_use_avx2(true);
}
#else
enum { has_avx2 = false };
#define change_bits_avx2 change_bits_scalar
#endif

bool bytes_use_avx2(bool use)
{
    use &= has_avx2;
    change_bitset = use ? change_bits_avx2 : change_bits_scalar;
    return use;
}

/* ------------------------------------------------------------------------------------------------------------------- */

static ALWAYS_INLINE void change_containers(uint8_t *const *chunks, const Containers *containers, ByteChange change)
{
    for (uint32_t i = 0; i < containers->count; i++) {
        const Container *container = &containers->of[i];
        uint8_t *chunk = chunks[container->key];
        if (container_is_array(container))
            change_lows(chunk, container_lows(container), container_count(container), change);
        else
            change_bitset(chunk, container_words(container), change);
    }
}

static ALWAYS_INLINE void change_all(uint8_t *const *chunks, const Dependents *set, ByteChange change)
{
    const Containers *containers = dependents_containers(set);
    if (containers != NULL) {
        change_containers(chunks, containers, change);
        return;
    }
    DependentsWalk walk;
    FOR_EACH_DEPENDENT(id, walk, set)
        byte_change(byte_at(chunks, id), change);
}

void bytes_change_all(uint8_t *const *chunks, const Dependents *set, ByteChange change)
{
    if (change == BYTE_BREAKS)
        change_all(chunks, set, BYTE_BREAKS);
    else if (change == BYTE_HOLDS)
        change_all(chunks, set, BYTE_HOLDS);
    else
        change_all(chunks, set, BYTE_RETIRES);
}

/* --- chunks; safe points only ------------------------------------------------------------------------------------ */

#define CHUNK ((size_t)1 << BYTE_CHUNK_BITS)

static struct {
    uint8_t *fresh, *end; /* the part of the last piece that was never a chunk */
    uint8_t *first_free;  /* free chunks: a list through the first bytes of each */
    bool more;            /* false for the first piece alone: it is in small pages, later ones are huge pages */
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
