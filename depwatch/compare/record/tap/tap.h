/* The tap: what is known of the program's functions, objects and facets while it is recorded.
 *
 * Everything is guarded by the GIL. on_event() runs inside CPython's watcher callbacks: stores, and memory from malloc at
 * most (depwatch.h has the contract). Everything else runs at safe points.
 */
#ifndef DW_TAP_H
#define DW_TAP_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "journal.h"

typedef struct Function Function;
typedef struct Object Object;
typedef struct Facet Facet;

/* A growing list of pointers, none of them owned. */
typedef struct List {
    void **items; /* owned */
    uint32_t n, capacity;
} List;

bool list_add(List *list, void *item); /* false: out of memory */
void list_remove(List *list, const void *item);

/* --- functions: functions.c ----------------------------------------------------------------------------------------- */

enum { REASON_CALLS = 1, REASON_LOOK = 2, REASON_COLD = 4 };

/* Which lines of a code object have run. */
typedef struct Lines {
    uint32_t n_ran, n; /* bits of ran */
    uint8_t *ran;      /* owned; a bit for each line from the first */
    int first;
} Lines;

/* A code object that has been called in a namespace; every closure made from it there is the same function. */
struct Function {
    uint64_t calls;        /* exact, of all threads */
    uint64_t next;         /* Python hears of the call with this number */
    uint64_t threshold;    /* the next one of 10, 50, 500, ...; next is less when there is another reason */
    uint64_t written;      /* calls, as the last row says */
    const uint8_t *broken; /* borrowed: the byte of its handle; never NULL */
    uint32_t cold;         /* calls in a row that the handle was broken */
    uint32_t number;       /* NONE: it is not in the trace yet */
    uint32_t file;         /* number of a string */
    bool look;             /* what it depends on may be found elsewhere now */
    Lines *lines;          /* shared by all of this code: CPython tells of each line once; owned by the first */
    PyCodeObject *code;    /* borrowed */
    PyObject *globals;     /* borrowed, compared */
    Function *other;       /* owned or NULL: of the same code, in another namespace */
    PyObject *self;        /* owned or NULL: a capsule, by which Python names it; it outlives the function */
    PyObject *python;      /* owned or NULL: what Python knows of it */
    List objects, facets;  /* that it depends on */
};

extern const uint8_t byte_valid, byte_broken; /* of functions without a handle: before the first one, and after */

PyObject *functions_start(PyObject *on_first_call, PyObject *on_threshold, uint64_t hot_after); /* (on_call, on_line) */
Function *function_of(PyObject *code); /* the first of this code; NULL: it has not been called */
Function *function_named(PyObject *self); /* NULL: it died */
bool function_written(Function *function, uint32_t number, PyObject *python); /* it is in the trace from now on */
void function_watch_next(Function *function);         /* after anything that decides when Python hears of it */
void functions_write_calls(void);                     /* of all that have been called since the last time */
uint64_t functions_cold_calls(void);                  /* so far: those before a function is hot too */
uint64_t functions_other_namespaces(void);            /* calls in namespaces that are not told apart any more */
PyObject *functions_dead(void);                       /* the Python side of those that died since */

/* --- objects and facets: facets.c, event.c --------------------------------------------------------------------------- */

typedef enum ObjectKind { OBJECT_DICT, OBJECT_TYPE, OBJECT_FUNCTION } ObjectKind;

/* What is counted together where it changes all the time: the changes of a name in an object, of all names that nobody
 * depends on, or of the object as a whole. */
typedef struct Place {
    PyObject *name;      /* owned, interned; NULL: see above */
    List facets;         /* that are about this name, in this object */
    uint64_t first;      /* time of the first change ever */
    uint64_t ends;       /* the window */
    uint32_t changes;    /* ever, as long as they are written one by one */
    uint32_t count;      /* not yet written */
    uint32_t file, line; /* of one of these */
    uint8_t change;
} Place;

/* The data of a listener: which part of which function. */
typedef struct Part {
    Object *object;
    PyObject *name; /* owned, interned */
} Part;

struct Object {
    uint32_t number;
    uint8_t kind;       /* ObjectKind */
    bool dead;
    PyObject *address;  /* borrowed; a dict, a function, or the dict of a type */
    PyTypeObject *type; /* borrowed; of a type */
    Place **places;     /* owned, a hash table of n_slots; NULL: an empty slot */
    uint32_t n_slots, n_places;
    Place others;       /* names that nobody depends on */
    Place whole;        /* changes that name nothing */
    List functions;     /* that depend on it */
    List busy;          /* places with a window that is not written yet */
    bool is_mixed;      /* these windows are more than one moment */
    uint64_t calls_then; /* of the functions that depend on it, at its last change in a window */
    Part parts[3];      /* of a function */
    Object *next;       /* of all: a list in both directions */
    Object **link;
};

/* What tells a value from others: see value.h. */
typedef struct Identity {
    uint64_t bits;
    PyTypeObject *type; /* borrowed, compared; NULL: there is no value */
    bool by_address;    /* bits is an address, which may come to mean another object when this one is gone */
} Identity;

typedef struct Known {
    Identity identity;
    PyObject *weakref; /* owned or NULL */
    int32_t number;
    bool relied_on;    /* a handle waits for it, which keeps its address from meaning another object */
} Known;

enum { MISSING = -1, UNKNOWN = -2, UNNUMBERED = -3 };

typedef struct Count {
    uint32_t changes; /* not yet written */
    bool same;        /* all of these left the value as it was */
} Count;

struct Facet {
    uint32_t number;
    uint8_t kind;        /* FacetKind */
    bool leads_on;       /* others are reached through its value */
    bool same;           /* of the present event */
    PyObject *name;      /* owned, interned */
    Object *owner, *fallback; /* fallback: the builtins, or NULL */
    PyObject *provider;  /* the dict that has it; NULL: missing or unknown; compared */
    Identity now;
    int32_t number_now;  /* of its value; UNNUMBERED: not needed so far */
    int32_t next_number;
    Known *known;        /* owned */
    uint32_t n_known, known_capacity;
    List functions;      /* that depend on it */
    List objects;        /* in which it lies */
    Facet *next_touched; /* by the present event */
    Count counts[2];     /* in windows of its place, and of the whole object */
};

typedef enum FacetKind { FACET_GLOBAL, FACET_MODULE, FACET_TYPE, FACET_FUNCTION } FacetKind;

Object *object_new(ObjectKind kind, PyObject *thing);
void object_bury(Object *object); /* it is dead: frees it and its facets */
Place *object_find(const Object *object, PyObject *name); /* an exact str; runs no Python */
Facet *facet_new(FacetKind kind, Object *owner, Object *fallback, PyObject *name);
bool facet_lies_in(Facet *facet, Object *object); /* events of that object concern it; false: out of memory */
void function_depends(Function *function, Facet **facets, uint32_t n_facets, Object **objects, uint32_t n_objects);
void function_forget(Function *function);         /* it depends on nothing */

/* What the facet is about to be: true if that is what it was. Runs no Python. */
extern const Object *facets_dropped_by; /* whose event it is that takes values away; NULL: it takes none */
bool facet_becomes(Facet *facet, PyObject *provider, PyObject *value);
bool facet_becomes_nothing(Facet *facet, int32_t number); /* MISSING or UNKNOWN */
int32_t facet_number(Facet *facet);                       /* of its value now */
/* The facet's value is this one now: seen at a safe point. NULL: there is none. The number of it. */
int32_t facet_sees(Facet *facet, PyObject *value, bool relied_on);
void facet_distrust(Facet *facet);       /* nobody waits for earlier values any more */

void on_object_event(void *object, const void *event);   /* a depwatch_listener, of a dict */
void on_type_event(void *object, const void *event);     /* of a type as a whole: its MRO */
void on_function_event(void *part, const void *event);   /* of a part of a function */
void events_end_doubts(void); /* at a safe point, when depwatch has drained: writes what it could not tell */
void windows_write(bool all);                            /* those that are over */
void windows_write_of(const Function *function);         /* whose changes its calls were between */

/* chain.c: the dicts in which a facet is looked up, the first that has it counts. */
bool facet_is_shadowed(const Facet *facet, const Object *object); /* another one comes first */
/* Where it is, leaving out one dict (or NULL), as that is about to lose it. 1 found, 0 missing, -1 not known. With
 * may_run_python an ordinary look-up; without, one that compares nothing but strings. All borrowed. */
int facet_find(const Facet *facet, const PyObject *without, bool may_run_python, PyObject **provider, PyObject **value);

/* --- the whole -------------------------------------------------------------------------------------------------------- */

typedef struct Tap {
    bool on;             /* false: nothing is recorded: not yet, not any more, or in a forked child */
    bool undrained;      /* a change has been written since the last drain row */
    bool pending;        /* our pending call is outstanding */
    PyObject *drain_code; /* owned: of depwatch.drain */
    uint64_t calls;      /* of the whole program, so far */
    uint64_t look;       /* the clock is looked at when there have been so many */
    Object *objects;     /* list */
    List dead;           /* objects */
    List garbage;        /* owned references, to let go of at a safe point */
} Tap;

extern Tap tap;

void tap_look(void);          /* at a safe point, now and then: ticks, windows, segments */
void tap_tick(uint64_t time);
extern int (*tap_drain_depwatch)(void);
int tap_drain(void);          /* drains depwatch, if anything was written since it drained. -1: what the program's signal
                                 handler raised meanwhile */
void tap_drained(void);       /* depwatch drains: a row, if anything was written since the last one */
void tap_drains_now(void);    /* something dies: depwatch may just have let go of it, and has then drained */
bool tap_open(const char *directory);
void tap_let_go(void);        /* of garbage; runs Python */

#endif
