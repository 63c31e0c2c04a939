#define _GNU_SOURCE
#include "action/labels.h"

#include <errno.h>
#include <string.h>

#include "action/cells.h"
#include "watch/errors.h"

#if defined(__x86_64__) && defined(__linux__)
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

#define PAGE ((uintptr_t)4096)

static const uint8_t NOP[5] = {0x0f, 0x1f, 0x44, 0x00, 0x00};

typedef struct CodePage {
    uintptr_t page;
    char *alias; /* owned: the second, writable mapping of the same memory */
    ino_t file;  /* inode of the mapping, to find out whether other memory was mapped here since */
    Label *labels;
} CodePage;

static struct {
    CodePage *pages; /* owned */
    size_t n, capacity;
} code;

static CodePage *page_of(uintptr_t address)
{
    for (size_t i = 0; i < code.n; i++)
        if (code.pages[i].page == (address & ~(PAGE - 1)))
            return &code.pages[i];
    return NULL;
}

typedef enum Found { FOUND_NOTHING, FOUND_CODE, FOUND_UNREADABLE } Found;

/* Finds out what is mapped at this page: FOUND_UNREADABLE, with errno set, if /proc/self/maps cannot be read. */
static Found find_mapping(uintptr_t page, char permissions[5], ino_t *file)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    Found found = FOUND_NOTHING;
    if (maps == NULL)
        return FOUND_UNREADABLE;
    while (found == FOUND_NOTHING && fgets(line, sizeof line, maps) != NULL) {
        uintptr_t start, end;
        unsigned long inode;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %lu", &start, &end, permissions, &inode) == 4 &&
            start <= page && page < end) {
            *file = inode;
            found = FOUND_CODE;
        }
    }
    fclose(maps);
    return found;
}

/* Replaces the page by a copy that is mapped twice: here, and once more, writable. False with errno set. */
static bool map_twice(CodePage *page, const char permissions[5])
{
    /* Where the page was writable it stays so: the owner of the code may go on writing to it. */
    int protection = PROT_READ | PROT_EXEC | (permissions[1] == 'w' ? PROT_WRITE : 0);
    struct stat status;
    int file = memfd_create("depwatch labels", MFD_CLOEXEC | MFD_EXEC);
    if (file < 0 && errno == EINVAL)
        file = memfd_create("depwatch labels", MFD_CLOEXEC); /* Linux before 6.3 does not know MFD_EXEC */
    if (file < 0)
        return false;
    char *alias = MAP_FAILED;
    if (ftruncate(file, PAGE) == 0 && fstat(file, &status) == 0)
        alias = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (alias != MAP_FAILED) {
        memcpy(alias, (const void *)page->page, PAGE);
        if (mmap((void *)page->page, PAGE, protection, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED) {
            int why = errno;
            munmap(alias, PAGE);
            errno = why;
            alias = MAP_FAILED;
        }
    }
    int why = errno;
    close(file);
    errno = why;
    if (alias == MAP_FAILED)
        return false;
    page->alias = alias;
    page->file = status.st_ino;
    return true;
}

static bool reserve_page(void)
{
    if (code.n < code.capacity)
        return true;
    size_t capacity = code.capacity ? 2 * code.capacity : 16;
    CodePage *pages = PyMem_RawRealloc(code.pages, capacity * sizeof *pages);
    if (pages == NULL)
        return false;
    code.pages = pages;
    code.capacity = capacity;
    return true;
}

/* Raises MemoryError or Unwatchable, by errno. */
static void refused_by_system(const char *format, uintptr_t page)
{
    if (errno == ENOMEM)
        PyErr_NoMemory();
    else
        PyErr_Format(Unwatchable_error, format, (void *)page, strerror(errno));
}

/* Checks the page of the code at address, and changes nothing. Sets *page to the page if it is mapped twice already, else to
 * NULL, and permissions to those that it has. False with an exception set. */
static bool check_page(uintptr_t address, CodePage **page, char permissions[5])
{
    uintptr_t start = address & ~(PAGE - 1);
    ino_t file;
    Found found = find_mapping(start, permissions, &file);
    if (found == FOUND_UNREADABLE) {
        refused_by_system("depwatch cannot check the code at %p: /proc/self/maps cannot be read (%s); use a guard cell", start);
        return false;
    }
    if (found == FOUND_NOTHING || permissions[0] != 'r' || permissions[2] != 'x') {
        PyErr_Format(PyExc_ValueError, "there is no executable code at %p: pass the address of a label in code that is loaded",
                     (void *)address);
        return false;
    }
    *page = page_of(address);
    if (*page != NULL && (*page)->file == file)
        return true;
    if (*page != NULL && (*page)->labels != NULL) {
        PyErr_Format(PyExc_ValueError, "the page at %p has labels of code that was freed: release their handles and drain "
                     "before you free code", (void *)start);
        return false;
    }
    if (file != 0) {
        PyErr_Format(Unwatchable_error,
                     "the code at %p is mapped from a file, which other processes may share: depwatch patches only code in "
                     "anonymous memory; use a guard cell",
                     (void *)address);
        return false;
    }
    *page = NULL;
    return true;
}

/* Maps the page of the code at address twice. NULL with an exception set; the page is then as it was. */
static CodePage *make_page(uintptr_t address, const char permissions[5])
{
    CodePage page = {.page = address & ~(PAGE - 1)}, *known = page_of(address);
    if (known == NULL && !reserve_page())
        return (CodePage *)PyErr_NoMemory();
    if (!map_twice(&page, permissions)) {
        refused_by_system("the code page at %p cannot be mapped a second time (%s): this system forbids it; use a guard cell",
                          page.page);
        return NULL;
    }
    if (known == NULL)
        known = &code.pages[code.n++];
    else
        munmap(known->alias, PAGE); /* known is the page of earlier code at this address, which was freed */
    *known = page;
    return known;
}

static bool check_place(uintptr_t address, uintptr_t target)
{
    int64_t distance = (int64_t)(target - (address + sizeof NOP));
    if ((address & 7) > 8 - sizeof NOP) {
        PyErr_Format(PyExc_ValueError,
                     "the label at %p crosses a multiple of 8: its 5 bytes must lie in one aligned 8-byte word, because "
                     "depwatch patches them by one store; align it (.balign 8)",
                     (void *)address);
        return false;
    }
    if (distance != (int32_t)distance) {
        PyErr_Format(PyExc_ValueError,
                     "the target %p is %lld bytes from the label at %p; a jump reaches 2^31 bytes: place them closer together",
                     (void *)target, (long long)distance, (void *)address);
        return false;
    }
    return true;
}

static bool check_bytes(uintptr_t address)
{
    const uint8_t *found = (const uint8_t *)address;
    if (memcmp(found, NOP, sizeof NOP) == 0)
        return true;
    PyErr_Format(PyExc_ValueError,
                 "at %p are the bytes %02x %02x %02x %02x %02x, not the 5-byte nop 0f 1f 44 00 00: pass the address of a nop",
                 (void *)address, found[0], found[1], found[2], found[3], found[4]);
    return false;
}

static bool check_free(const CodePage *page, uintptr_t address)
{
    for (const Label *label = page == NULL ? NULL : page->labels; label != NULL; label = label->next_of_page)
        if (label->address == address) {
            PyErr_Format(PyExc_ValueError, "there is a label at %p already; release its handle first", (void *)address);
            return false;
        }
    return true;
}

/* All checks come first: where one of them refuses, the page is as it was. */
Label *label_new(Cell *cell, uintptr_t address, uintptr_t target)
{
    CodePage *page;
    char permissions[5];
    if (!check_place(address, target) || !check_page(address, &page, permissions) || !check_free(page, address) ||
        !check_bytes(address))
        return NULL;
    Label *label = PyMem_RawMalloc(sizeof *label);
    if (label == NULL)
        return (Label *)PyErr_NoMemory();
    if (page == NULL && (page = make_page(address, permissions)) == NULL) {
        PyMem_RawFree(label);
        return NULL;
    }
    uint64_t word = *(const uint64_t *)(address & ~(uintptr_t)7);
    uint8_t bytes[8];
    int32_t distance = (int32_t)(target - (address + sizeof NOP));
    memcpy(bytes, &word, sizeof bytes);
    bytes[address & 7] = 0xe9; /* jmp rel32 */
    memcpy(&bytes[(address & 7) + 1], &distance, sizeof distance);
    *label = (Label){.alias = (uint64_t *)(page->alias + (address - page->page - (address & 7))),
                     .holds_word = word,
                     .address = address,
                     .cell = cell,
                     .next = cell->labels,
                     .next_of_page = page->labels};
    memcpy(&label->breaks_word, bytes, sizeof bytes);
    cell->labels = page->labels = label;
    label_patch(label, cell->guard);
    return label;
}

void label_free(Label *label)
{
    Label **link = &label->cell->labels;
    while (*link != label)
        link = &(*link)->next;
    *link = label->next;
    link = &page_of(label->address)->labels;
    while (*link != label)
        link = &(*link)->next_of_page;
    *link = label->next_of_page;
    PyMem_RawFree(label);
}

void labels_after_fork(void)
{
    for (size_t i = 0; i < code.n; i++) {
        CodePage *page = &code.pages[i];
        char *before = page->alias, permissions[5];
        ino_t file;
        Found found = find_mapping(page->page, permissions, &file);
        if (found == FOUND_NOTHING || (found == FOUND_CODE && file != page->file))
            continue; /* the code was freed, so nothing is to be patched there */
        if (found == FOUND_UNREADABLE || !map_twice(page, permissions))
            Py_FatalError("depwatch: a code page with jump labels could not be copied in the child of a fork");
        for (Label *label = page->labels; label != NULL; label = label->next_of_page) {
            label->alias = (uint64_t *)(page->alias + ((char *)label->alias - before));
            label_patch(label, label->cell->guard); /* the parent may have patched the page between the fork and the copy */
        }
        munmap(before, PAGE);
    }
}

#else

Label *label_new(struct Cell *cell, uintptr_t address, uintptr_t target)
{
    (void)cell, (void)address, (void)target;
    PyErr_SetString(Unwatchable_error, "jump labels work on x86-64 Linux only: use a guard cell");
    return NULL;
}

void label_free(Label *label) { (void)label; }
void labels_after_fork(void) {}

#endif
