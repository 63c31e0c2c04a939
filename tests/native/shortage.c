/* Lets memory run out where depwatch's core asks for it, and nowhere else. x86-64 Linux. For tests/process/memory.
 *
 * Each call of the core to a function of CPython or of the C library that may allocate goes through a stub, which counts
 * it and can let it fail; so does each allocation that CPython makes on behalf of the core: the innermost code outside
 * CPython, the C library and this helper is the core's, and no bytecode runs in between. */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unwind.h>

typedef struct Range {
    uintptr_t start, end; /* of the code */
} Range;

static Range core, python, libc, helper;
static uintptr_t core_base;

static bool within(const Range *range, uintptr_t address) { return range->start <= address && address < range->end; }

/* --- what was asked for, and what fails --- */

typedef enum How { PYTHON_NULL, PYTHON_MINUS_ONE, C_NULL, C_MINUS_ONE } How; /* what a function returns when it fails */
enum { CALL, ALLOCATION };

typedef struct Event {
    uint32_t site; /* the return address, from the start of the core's file */
    uint8_t kind;  /* CALL, ALLOCATION */
    bool failed;
} Event;

#define MOST_EVENTS 200000
#define MOST_FUNCTIONS 512

static Event events[MOST_EVENTS];
static long n_events;
static struct {
    long site; /* -1: nothing fails */
    int kind;
    long occurrences; /* of events of that kind there, until it is the one */
    bool all_after;
    bool came;
} chosen;
static _Thread_local bool armed, busy;

void *shortage_real[MOST_FUNCTIONS];
uint64_t shortage_value; /* what the failed function returns */
static How hows[MOST_FUNCTIONS];
static unsigned n_functions;

/* Of the last call: to see whether bytecode runs in it. */
static uintptr_t last_site;
static const void *last_frame;

static const void *current_frame(void)
{
#if PY_VERSION_HEX >= 0x030d0000
    return PyThreadState_GetUnchecked()->current_frame;
#else
    return _PyThreadState_UncheckedGet()->cframe->current_frame;
#endif
}

static bool happens(int kind, uintptr_t site)
{
    uint32_t place = (uint32_t)(site - core_base);
    bool failed = chosen.came && chosen.all_after;
    if (chosen.site == (long)place && chosen.kind == kind && !chosen.came && chosen.occurrences-- == 0)
        chosen.came = failed = true;
    if (n_events == MOST_EVENTS)
        Py_FatalError("too many events");
    events[n_events++] = (Event){place, (uint8_t)kind, failed};
    return failed;
}

/* Where to go on; NULL: nowhere, the function has failed. */
__attribute__((used, visibility("hidden"))) void *shortage_decide(uint64_t function, uintptr_t site)
{
    if (!armed || busy || !within(&core, site))
        return shortage_real[function];
    last_site = site;
    last_frame = current_frame();
    if (!happens(CALL, site))
        return shortage_real[function];
    How how = hows[function];
    if (how == PYTHON_NULL || how == PYTHON_MINUS_ONE) {
        busy = true;
        PyErr_NoMemory();
        busy = false;
    }
    errno = ENOMEM;
    shortage_value = how == PYTHON_NULL || how == C_NULL ? 0 : UINT64_MAX;
    return NULL;
}

#define TEXT(x) #x
#define EXPANDED(x) TEXT(x)
__asm__(".text\n"
        ".balign 16\n"
        "shortage_stubs:\n"
        ".set number, 0\n"
        ".rept " EXPANDED(MOST_FUNCTIONS) "\n"
        "    .balign 16\n"
        "    pushq $number\n"
        "    jmp shortage_common\n"
        "    .set number, number + 1\n"
        ".endr\n"
        "shortage_common:\n"
        "    pushq %rax\n    pushq %rdi\n    pushq %rsi\n    pushq %rdx\n    pushq %rcx\n    pushq %r8\n    pushq %r9\n    pushq %r10\n"
        "    subq $128, %rsp\n"
        "    movups %xmm0, 0(%rsp)\n    movups %xmm1, 16(%rsp)\n    movups %xmm2, 32(%rsp)\n    movups %xmm3, 48(%rsp)\n"
        "    movups %xmm4, 64(%rsp)\n    movups %xmm5, 80(%rsp)\n    movups %xmm6, 96(%rsp)\n    movups %xmm7, 112(%rsp)\n"
        "    movq 192(%rsp), %rdi\n"
        "    movq 200(%rsp), %rsi\n"
        "    call shortage_decide\n"
        "    movq %rax, %r11\n"
        "    movups 0(%rsp), %xmm0\n    movups 16(%rsp), %xmm1\n    movups 32(%rsp), %xmm2\n    movups 48(%rsp), %xmm3\n"
        "    movups 64(%rsp), %xmm4\n    movups 80(%rsp), %xmm5\n    movups 96(%rsp), %xmm6\n    movups 112(%rsp), %xmm7\n"
        "    addq $128, %rsp\n"
        "    popq %r10\n    popq %r9\n    popq %r8\n    popq %rcx\n    popq %rdx\n    popq %rsi\n    popq %rdi\n    popq %rax\n"
        "    leaq 8(%rsp), %rsp\n"
        "    testq %r11, %r11\n"
        "    je 1f\n"
        "    jmp *%r11\n"
        "1:  movq shortage_value@GOTPCREL(%rip), %rax\n"
        "    movq (%rax), %rax\n"
        "    ret\n");
extern char shortage_stubs[];

/* --- allocations inside CPython --- */

typedef struct Found {
    uintptr_t site; /* 0: not the core's */
} Found;

static _Unwind_Reason_Code look_at_frame(struct _Unwind_Context *context, void *argument)
{
    Found *found = argument;
    uintptr_t address = _Unwind_GetIP(context);
    if (within(&helper, address))
        return _URC_NO_REASON;
    if (within(&core, address)) {
        found->site = address;
        return _URC_END_OF_STACK;
    }
    if (!within(&python, address) && !within(&libc, address))
        return _URC_END_OF_STACK;
    return _Unwind_GetRegionStart(context) == (uintptr_t)_PyEval_EvalFrameDefault ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static bool allocation_fails(void)
{
    Found found = {0};
    if (!armed || busy)
        return false;
    busy = true;
    _Unwind_Backtrace(look_at_frame, &found);
    bool ours = found.site != 0 && !(found.site == last_site && current_frame() != last_frame);
    busy = false;
    return ours && happens(ALLOCATION, found.site);
}

static PyMemAllocatorEx inner[3];

static void *hooked_malloc(void *context, size_t size)
{
    PyMemAllocatorEx *allocator = context;
    return allocation_fails() ? NULL : allocator->malloc(allocator->ctx, size);
}

static void *hooked_calloc(void *context, size_t n, size_t size)
{
    PyMemAllocatorEx *allocator = context;
    return allocation_fails() ? NULL : allocator->calloc(allocator->ctx, n, size);
}

static void *hooked_realloc(void *context, void *old, size_t size)
{
    PyMemAllocatorEx *allocator = context;
    return allocation_fails() ? NULL : allocator->realloc(allocator->ctx, old, size);
}

static void hooked_free(void *context, void *old)
{
    PyMemAllocatorEx *allocator = context;
    allocator->free(allocator->ctx, old);
}

static void hook_allocators(void)
{
    for (int domain = 0; domain < 3; domain++) {
        PyMem_GetAllocator((PyMemAllocatorDomain)domain, &inner[domain]);
        PyMemAllocatorEx hooked = {&inner[domain], hooked_malloc, hooked_calloc, hooked_realloc, hooked_free};
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &hooked);
    }
}

/* --- finding the core, and putting stubs between it and what it calls --- */

typedef struct Wanted {
    const void *address;
    Range *range;
    uintptr_t base;
    const ElfW(Dyn) *dynamic;
} Wanted;

static int find_object(struct dl_phdr_info *info, size_t size, void *argument)
{
    Wanted *wanted = argument;
    const ElfW(Dyn) *dynamic = NULL;
    Range code = {0};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X))
            code = (Range){start, start + header->p_memsz};
        if (header->p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)start;
    }
    if (!within(&code, (uintptr_t)wanted->address))
        return 0;
    *wanted->range = code;
    wanted->base = info->dlpi_addr;
    wanted->dynamic = dynamic;
    return 1;
}

static Wanted range_of(const void *address, Range *range)
{
    Wanted wanted = {address, range};
    dl_iterate_phdr(find_object, &wanted);
    return wanted;
}

static int put_stubs(const ElfW(Rela) *rela, size_t bytes, uintptr_t base, const ElfW(Sym) *symbols, const char *strings,
                     PyObject *how_of)
{
    for (size_t i = 0; i < bytes / sizeof *rela; i++) {
        unsigned type = ELF64_R_TYPE(rela[i].r_info);
        const char *name = strings + symbols[ELF64_R_SYM(rela[i].r_info)].st_name;
        if (type != R_X86_64_GLOB_DAT && type != R_X86_64_JUMP_SLOT)
            continue;
        PyObject *how = PyDict_GetItemString(how_of, name);
        if (how == NULL)
            continue;
        void **slot = (void **)(base + rela[i].r_offset);
        uintptr_t page = (uintptr_t)slot & ~(uintptr_t)4095;
        if (n_functions == MOST_FUNCTIONS || mprotect((void *)page, 4096, PROT_READ | PROT_WRITE) < 0) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        shortage_real[n_functions] = *slot;
        hows[n_functions] = (How)PyLong_AsLong(how);
        *slot = shortage_stubs + 16 * n_functions++;
    }
    return 0;
}

/* attach(name of a function of the core, its address, {function: how it fails}) */
static PyObject *attach(PyObject *self, PyObject *args)
{
    const char *path;
    PyObject *how_of;
    if (!PyArg_ParseTuple(args, "sO!", &path, &PyDict_Type, &how_of))
        return NULL;
    void *loaded = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    void *entry = loaded == NULL ? NULL : dlsym(loaded, "PyInit__core");
    if (entry == NULL)
        return PyErr_Format(PyExc_OSError, "%s is not loaded", path);
    Wanted found = range_of(entry, &core);
    range_of((void *)PyList_New, &python);
    range_of((void *)attach, &helper);
    range_of(dlsym(RTLD_DEFAULT, "malloc"), &libc);
    core_base = found.base;
    const ElfW(Rela) *rela[2] = {0};
    size_t bytes[2] = {0};
    const ElfW(Sym) *symbols = NULL;
    const char *strings = NULL;
    for (const ElfW(Dyn) *each = found.dynamic; each->d_tag != DT_NULL; each++) {
        uintptr_t address = each->d_un.d_ptr; /* glibc has added the base */
        switch (each->d_tag) {
        case DT_RELA: rela[0] = (void *)address; break;
        case DT_RELASZ: bytes[0] = each->d_un.d_val; break;
        case DT_JMPREL: rela[1] = (void *)address; break;
        case DT_PLTRELSZ: bytes[1] = each->d_un.d_val; break;
        case DT_SYMTAB: symbols = (void *)address; break;
        case DT_STRTAB: strings = (void *)address; break;
        }
    }
    for (int i = 0; i < 2; i++)
        if (put_stubs(rela[i], bytes[i], found.base, symbols, strings, how_of) < 0)
            return NULL;
    hook_allocators();
    return PyLong_FromUnsignedLong(n_functions);
}

/* --- what Python calls --- */

/* choose(site or -1, whether its allocations are meant, how many of them do not fail, whether all after that fail too) */
static PyObject *choose(PyObject *self, PyObject *args)
{
    int all_after;
    chosen.came = false;
    if (!PyArg_ParseTuple(args, "lplp", &chosen.site, &chosen.kind, &chosen.occurrences, &all_after))
        return NULL;
    chosen.all_after = all_after;
    n_events = 0;
    Py_RETURN_NONE;
}

/* arm(whether all that comes after a failure may fail, too): in this thread, from now on. */
static PyObject *arm(PyObject *self, PyObject *go_on)
{
    chosen.all_after = chosen.all_after && PyObject_IsTrue(go_on);
    armed = true;
    Py_RETURN_NONE;
}

/* Whether it was armed. */
static PyObject *disarm(PyObject *self, PyObject *unused)
{
    bool was = armed;
    armed = false;
    return PyBool_FromLong(was);
}

/* [(site, is an allocation, failed), ...] since choose(). */
static PyObject *told(PyObject *self, PyObject *unused)
{
    PyObject *list = PyList_New(n_events);
    for (long i = 0; list != NULL && i < n_events; i++)
        PyList_SET_ITEM(list, i, Py_BuildValue("IOO", events[i].site, events[i].kind == ALLOCATION ? Py_True : Py_False,
                                               events[i].failed ? Py_True : Py_False));
    return list;
}

static PyMethodDef methods[] = {
    {"attach", attach, METH_VARARGS},
    {"choose", choose, METH_VARARGS},
    {"arm", arm, METH_O},
    {"disarm", disarm, METH_NOARGS},
    {"told", told, METH_NOARGS},
    {NULL},
};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "shortage", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit_shortage(void) { return PyModule_Create(&definition); }
