#define _GNU_SOURCE
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define FIRST_SEGMENT ((size_t)512 << 10) /* most processes are short; each one after it is twice as large as the one before */
#define LARGEST_SEGMENT ((size_t)4 << 20)
#define HEADER 64u
#define LONGEST 1000u /* bytes of a string */
#define MOST_STRINGS 262144u /* a program may make up names for ever */

typedef struct Header {
    char magic[8];
    uint64_t used, closed;
    char rest[40];
} Header;

_Static_assert(sizeof(Header) == HEADER, "rows begin after the header");

static struct {
    char directory[PATH_MAX];
    Header *segment, *spare; /* mapped; segment is NULL when nothing can be written */
    uint64_t used;           /* of segment */
    uint32_t next;           /* number of the next segment */
    uint32_t epoch;          /* journals of this process so far: a forked child has another one than its parent */
    uint64_t start;
} journal;

static size_t size_of(uint32_t number)
{
    return number > 3 || FIRST_SEGMENT << number > LARGEST_SEGMENT ? LARGEST_SEGMENT : FIRST_SEGMENT << number;
}

static Row nowhere; /* is written when nothing can be */

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

uint64_t journal_time(void) { return now() - journal.start; }
bool journal_works(void) { return journal.segment != NULL; }

/* All of its space is reserved: a full disk is an error here, and not a signal at some later store. */
static Header *make_segment(uint32_t number)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%08u.journal", journal.directory, number);
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return NULL;
    void *memory = MAP_FAILED;
    size_t size = size_of(number);
    errno = posix_fallocate(file, 0, (off_t)size);
    if (errno == 0)
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    int error = errno;
    close(file);
    if (memory == MAP_FAILED) {
        unlink(path);
        errno = error;
        return NULL;
    }
    memcpy(((Header *)memory)->magic, "DWJRNL1\n", 8);
    return memory;
}

bool journal_open(const char *directory)
{
    if (strlen(directory) >= sizeof journal.directory) {
        errno = ENAMETOOLONG;
        return false;
    }
    strcpy(journal.directory, directory);
    journal.start = now();
    journal.segment = make_segment(0);
    journal.used = 0;
    journal.next = 1;
    journal.epoch++;
    return journal.segment != NULL;
}

void journal_prepare(void)
{
    if (journal.spare == NULL && journal.segment != NULL && journal.used > size_of(journal.next - 1) / 2)
        journal.spare = make_segment(journal.next);
}

void journal_leave(void)
{
    if (journal.segment != NULL)
        munmap(journal.segment, size_of(journal.next - 1));
    if (journal.spare != NULL)
        munmap(journal.spare, size_of(journal.next));
    journal.segment = journal.spare = NULL;
}

/* bytes after the row count too: they lie in its segment. */
static Row *room(size_t bytes)
{
    if (journal.segment == NULL)
        return &nowhere;
    if (HEADER + journal.used + sizeof(Row) + bytes > size_of(journal.next - 1)) {
        Header *next = journal.spare != NULL ? journal.spare : make_segment(journal.next);
        journal.spare = NULL;
        if (next != NULL)
            __atomic_store_n(&journal.segment->closed, 1, __ATOMIC_RELEASE); /* the next one exists */
        munmap(journal.segment, size_of(journal.next - 1));
        journal.segment = next;
        journal.next += next != NULL;
        journal.used = 0;
        if (next == NULL)
            return &nowhere;
    }
    return (Row *)((char *)journal.segment + HEADER + journal.used);
}

static void start_row(Row *row, Kind kind, uint64_t time)
{
    memset(row, 0xff, sizeof *row);
    row->time = time;
    row->calls = 0;
    row->count = row->line = 0;
    row->value = 0;
    row->kind = (uint8_t)kind;
    memset(&row->flags, 0, 1 + sizeof row->pad);
}

Row *journal_row(Kind kind, uint64_t time)
{
    Row *row = room(0);
    start_row(row, kind, time);
    return row;
}

static void add(size_t bytes)
{
    if (journal.segment == NULL)
        return;
    journal.used += bytes;
    __atomic_store_n(&journal.segment->used, journal.used, __ATOMIC_RELEASE);
}

static void add_text(Kind kind, uint32_t number, const char *text, size_t length)
{
    size_t padded = (length + 63) / 64 * 64;
    Row *row = padded > FIRST_SEGMENT / 2 ? &nowhere : room(padded);
    if (row == &nowhere)
        return;
    start_row(row, kind, journal_time());
    row->name = number;
    row->count = (uint32_t)length;
    row->flags = FLAG_COUNT;
    memcpy(row + 1, text, length);
    memset((char *)(row + 1) + length, 0, padded - length);
    add(sizeof(Row) + padded);
}

void journal_json(const char *text, size_t length) { add_text(ROW_JSON, NONE, text, length); }

/* --- strings ------------------------------------------------------------------------------------------------------- */

typedef struct String {
    uint64_t hash;
    char *text; /* owned; NULL: an empty slot */
    uint32_t length, number;
} String;

/* A text by its number: it keeps that in a forked child, whose journal is another one. */
typedef struct Text {
    const char *text; /* borrowed of its String */
    uint32_t length, epoch; /* of the journal that has it */
} Text;

static struct {
    String *slots; /* owned; mask + 1 of them */
    Text *texts;   /* owned; room for as many as there can be: half of the slots */
    uint32_t mask, n;
} strings;

static bool make_slots(uint32_t n)
{
    Text *texts = realloc(strings.texts, n * sizeof *texts);
    if (texts != NULL)
        strings.texts = texts;
    String *slots = calloc(n, sizeof *slots);
    if (slots == NULL || texts == NULL) {
        free(slots);
        return false;
    }
    for (uint32_t i = 0; strings.slots != NULL && i <= strings.mask; i++) {
        if (strings.slots[i].text == NULL)
            continue;
        uint32_t at = (uint32_t)strings.slots[i].hash & (n - 1);
        while (slots[at].text != NULL)
            at = (at + 1) & (n - 1);
        slots[at] = strings.slots[i];
    }
    free(strings.slots);
    strings.slots = slots;
    strings.mask = n - 1;
    return true;
}

uint32_t journal_string(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    if (length > LONGEST)
        for (length = LONGEST; ((unsigned char)text[length] & 0xc0) == 0x80;)
            length--; /* not in the middle of a character */
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    if ((strings.slots == NULL || 2 * strings.n > strings.mask) &&
        !make_slots(strings.slots == NULL ? 1024 : 2 * (strings.mask + 1)))
        return NONE;
    uint32_t at = (uint32_t)hash & strings.mask;
    for (; strings.slots[at].text != NULL; at = (at + 1) & strings.mask)
        if (strings.slots[at].hash == hash && strings.slots[at].length == length &&
            memcmp(strings.slots[at].text, text, length) == 0)
            return strings.slots[at].number;
    if (strings.n == MOST_STRINGS - 1)
        text = "<one of too many names>", length = 23;
    else if (strings.n == MOST_STRINGS)
        return strings.n - 1;
    char *copy = malloc(length + 1);
    if (copy == NULL)
        return NONE;
    memcpy(copy, text, length);
    strings.slots[at] = (String){hash, copy, (uint32_t)length, strings.n};
    strings.texts[strings.n] = (Text){copy, (uint32_t)length, journal.epoch};
    add_text(ROW_STRING, strings.n, text, length);
    return strings.n++;
}

static bool is_there(uint32_t number) { return number >= strings.n || strings.texts[number].epoch == journal.epoch; }

static void add_again(uint32_t number)
{
    if (is_there(number))
        return;
    strings.texts[number].epoch = journal.epoch;
    add_text(ROW_STRING, number, strings.texts[number].text, strings.texts[number].length);
}

void journal_add(void)
{
    if (journal.epoch > 1 && journal.segment != NULL) {
        const Row row = *room(0);
        if (!is_there(row.type) || !is_there(row.name) || !is_there(row.file)) {
            add_again(row.type);
            add_again(row.name);
            add_again(row.file);
            *room(0) = row;
        }
    }
    add(sizeof(Row));
}
