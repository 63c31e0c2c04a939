/* Times what CPython 3.15's JIT does in a release build: making an executor, and dropping it.
 *
 * The first bytes of its function that makes them are a jump to the one here, which puts the original bytes back, calls
 * the function, and lays the jump again; all with the GIL held. What drops them is inlined wherever CPython calls it, so
 * that part is called from here, at the program's end. */
#define Py_BUILD_CORE 1
#define _Py_TIER2 3 /* as this CPython was built; without, what drops executors is nothing in the headers */
#include <Python.h>

#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "internal/pycore_dict.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_optimizer.h"

#if PY_VERSION_HEX < 0x030F0000 || PY_VERSION_HEX >= 0x03100000 || !defined(__x86_64__)
#error "the JIT of CPython 3.15 on x86-64 is what this knows"
#endif

enum { JUMP = 12, MOST = 1 << 18 };

typedef struct Hook {
    unsigned char *at;
    unsigned char before[JUMP];
    unsigned char jump[JUMP];
} Hook;

typedef struct Made {
    uint32_t ns;
    uint32_t bytes; /* of machine code */
    uint32_t bits;  /* that are set in its bloom filter */
    uint32_t uops;
    uint64_t code; /* address of the code object that it begins in */
} Made;

typedef struct Dropped {
    uint32_t ns;
    uint32_t executors; /* whose filters were looked at */
    uint32_t dropped;
} Dropped;

Made made[MOST];
Dropped dropped[MOST];
uint32_t n_made, n_dropped;
static Hook optimize;

/* Of the CPU where it takes long, so that other processes do not count; by the wall where that clock takes longer. */
static uint32_t now(clockid_t clock, uint64_t *begun)
{
    struct timespec time;
    clock_gettime(clock, &time);
    uint64_t ns = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
    uint64_t passed = ns - *begun;
    *begun = ns;
    return passed > UINT32_MAX ? UINT32_MAX : (uint32_t)passed;
}

static uint32_t bits_of(const _PyBloomFilter *filter)
{
    uint64_t words[sizeof *filter / sizeof(uint64_t)];
    memcpy(words, filter, sizeof words);
    uint32_t bits = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        bits += (uint32_t)__builtin_popcountll(words[i]);
    return bits;
}

static int my_optimize(_PyInterpreterFrame *frame, PyThreadState *tstate)
{
    PyInterpreterState *interp = tstate->interp;
    size_t before = interp->executor_count;
    uint64_t time = 0;
    memcpy(optimize.at, optimize.before, JUMP);
    now(CLOCK_THREAD_CPUTIME_ID, &time);
    int result = ((int (*)(_PyInterpreterFrame *, PyThreadState *))optimize.at)(frame, tstate);
    uint32_t ns = now(CLOCK_THREAD_CPUTIME_ID, &time);
    memcpy(optimize.at, optimize.jump, JUMP);
    if (interp->executor_count > before && n_made < MOST) {
        const _PyExecutorObject *executor = interp->executor_ptrs[interp->executor_count - 1];
        made[n_made++] = (Made){ns, (uint32_t)executor->jit_size,
                                bits_of(&interp->executor_blooms[interp->executor_count - 1]),
                                (uint32_t)executor->code_size, (uint64_t)(uintptr_t)executor->vm_data.code};
    }
    return result;
}

static int lay(Hook *hook, const char *name, void *stand_in)
{
    hook->at = dlsym(RTLD_DEFAULT, name);
    if (hook->at == NULL)
        return -1;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)hook->at & ~(page - 1);
    if (mprotect((void *)first, (uintptr_t)hook->at + JUMP - first, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        return -1;
    memcpy(hook->before, hook->at, JUMP);
    memcpy(hook->jump, "\x48\xb8", 2); /* mov rax, stand_in; jmp rax */
    memcpy(hook->jump + 2, &stand_in, 8);
    memcpy(hook->jump + 10, "\xff\xe0", 2);
    memcpy(hook->at, hook->jump, JUMP);
    return 0;
}

/* 0, or -1: the function is not to be found or not to be changed. */
int begin(void)
{
    return lay(&optimize, "_PyOptimizer_Optimize", (void *)my_optimize);
}

static uint32_t valid(const PyInterpreterState *interp)
{
    uint32_t count = 0;
    for (size_t i = 0; i < interp->executor_count; i++)
        count += interp->executor_ptrs[i]->vm_data.valid;
    return count;
}

/* Drops the executors that there are, one after the other, as a change of an object on which that one alone depends. */
void drop_all(void)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    for (size_t at = interp->executor_count; at-- > 0 && n_dropped < MOST;) {
        size_t count = interp->executor_count;
        if (at >= count || !interp->executor_ptrs[at]->vm_data.valid)
            continue;
        uint32_t before = valid(interp);
        _PyExecutorObject *executor = interp->executor_ptrs[at];
        _Py_Executor_DependsOn(executor, executor); /* an address that nothing else depends on */
        uint64_t time = 0;
        now(CLOCK_MONOTONIC, &time);
        _Py_Executors_InvalidateDependency(interp, executor, 0);
        uint32_t ns = now(CLOCK_MONOTONIC, &time);
        dropped[n_dropped++] = (Dropped){ns, (uint32_t)count, before - valid(interp)};
    }
}

/* Drops what depends on the dict, as a change of it does; given_up: as after so many that CPython watches it no more, so
 * that what is compiled from now on loads and compares. */
void change(PyObject *dict, int given_up)
{
    if (given_up)
        ((PyDictObject *)dict)->_ma_watcher_tag |= ((1u << DICT_WATCHED_MUTATION_BITS) - 1) << DICT_MAX_WATCHERS;
    _Py_Executors_InvalidateDependency(PyInterpreterState_Get(), dict, 0);
}
