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

/* Which lines of a code object have run. */
typedef struct Lines {
    uint32_t n_ran, n; /* bits of ran */
    uint8_t *ran;      /* owned; a bit for each line from the first */
    int first;
} Lines;

/* A code object that has been called in a namespace; every closure made from it there is the same function. */
struct Function {
    uint64_t calls;        /* exact, of all threads */
    uint64_t next;         /* there is something to do at the call with this number: the least of what follows */
    uint64_t threshold;    /* the next one of 10, 50, 500, ...: Python looks at what it depends on */
    uint64_t again;        /* Python looks again: a change may have dropped its code, which is made anew then; or NEVER */
    uint64_t rested;       /* not before this call is another such look due, if no other line has run */
    uint64_t written;      /* calls, as the last row says */
    uint32_t number;       /* NONE: it is not in the trace yet */
    uint32_t file;         /* number of a string */
    uint32_t n_ran;        /* lines that had run when Python looked last */
    uint64_t seen;         /* what its caches had then */
    bool look;             /* what it depends on may be found elsewhere now: Python looks at the next call */
    bool struck;           /* a value that it depends on is another one, and depwatch may not have drained since */
    Lines *lines;          /* shared by all of this code: CPython tells of each line once; owned by the first */
    PyCodeObject *code;    /* borrowed */
    PyObject *globals;     /* borrowed, compared */
    Function *other;       /* owned or NULL: of the same code, in another namespace */
    PyObject *self;        /* owned or NULL: a capsule, by which Python names it; it outlives the function */
    PyObject *python;      /* owned or NULL: what Python knows of it */
    List objects, facets;  /* that it depends on */
};

#define NEVER UINT64_MAX

PyObject *functions_start(PyObject *on_first_call, PyObject *on_threshold, uint64_t hot_after,
                          const uint8_t tables[512]); /* (on_call, on_line); tables: see _tap.begin() */
Function *function_of(PyObject *code); /* the first of this code; NULL: it has not been called */
Function *function_named(PyObject *self); /* NULL: it died */
bool function_written(Function *function, uint32_t number, PyObject *python); /* it is in the trace from now on */
void function_watch_next(Function *function);         /* after anything that decides when there is something to do */
void function_disturbed(Function *function);          /* something changed in an object that it depends on */
void function_compiles(Function *function);           /* it may be compiled at this call, and not later */
void function_look_later(Function *function);         /* Python could not find out all that it depends on */
void functions_write_calls(void);                     /* of all that have been called since the last time */
void functions_forget(void);                          /* in a forked child: none has been called, and none is in the trace */
PyObject *functions_codes(void);                      /* of all that have been called, a new list */
uint64_t functions_other_namespaces(void);            /* calls in namespaces that are not told apart any more */
PyObject *functions_hot(void);                        /* [(code, what Python knows, calls)] of those that are hot now */

/* --- objects and facets: facets.c, event.c, windows.c ---------------------------------------------------------------- */

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
    uint32_t moments;    /* of these, the first of the object in a moment */
    uint32_t file, line; /* of one of these */
    uint8_t change;
} Place;

/* The data of a listener: which part of which function. */
typedef struct Part {
    Object *object;
    PyObject *name; /* owned, interned */
} Part;

/* Of a function that depends on an object, up to that one's last change in a window. */
typedef struct Called {
    const Function *function; /* compared */
    uint64_t calls;
    uint32_t moments; /* of the window, after which it was called */
} Called;

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
    Object *next_busy;  /* of those that have any: a list in both directions */
    Object **busy_link; /* NULL: it is not in that list */
    bool is_mixed;      /* these windows are more than one moment */
    bool was_mixed;     /* the windows before these were */
    bool has_waited;    /* they were over, and wait for those that they are written together with */
    bool is_together;   /* they are being written */
    uint64_t calls_then; /* of the functions that depend on it, at its last change in a window */
    Called *then;        /* owned or NULL: of each of them, if they are not too many */
    uint32_t n_then;     /* how many */
    uint64_t moment;     /* of that change */
    bool is_begun;       /* a change of this moment was counted for its place */
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
    Identity identity; /* type NULL: it is gone, and no row says so yet */
    PyObject *weakref; /* owned or NULL */
    PyObject *kept;    /* owned or NULL: the value itself, which may come back and has no weak references, until it is lonely */
    int32_t number;
} Known;

enum { MISSING = -1, UNKNOWN = -2, UNNUMBERED = -3 };

typedef struct Count {
    uint64_t moment;  /* of the last one */
    uint32_t changes; /* not yet written */
    uint32_t moments; /* that these were in */
    bool same;        /* all of these left the value as it was */
} Count;

struct Facet {
    uint32_t number;
    uint8_t kind;        /* FacetKind */
    bool leads_on;       /* others are reached through its value */
    bool same;           /* of the present event */
    PyObject *name;      /* owned, interned */
    Object *owner;
    PyObject *provider;  /* the dict that has it; NULL: missing or unknown; compared */
    Identity now;
    int32_t number_now;  /* of its value; UNNUMBERED: not needed so far */
    int32_t next_number;
    Known *known;        /* owned */
    uint32_t n_known, known_capacity;
    bool has_left;       /* one of these is elsewhere now, or gone */
    bool has_arrived;    /* an event has brought the value of now, which is known by its address alone */
    List functions;      /* that depend on it */
    List objects;        /* in which it lies */
    Facet *next_touched; /* by the present event */
    Count counts[2];     /* in windows of its place, and of the whole object */
};

typedef enum FacetKind { FACET_KEY, FACET_TYPE, FACET_FUNCTION } FacetKind;

Object *object_new(ObjectKind kind, PyObject *thing);
void object_bury(Object *object); /* it is dead: frees it and its facets */
Place *object_find(const Object *object, PyObject *name); /* an exact str; runs no Python */
Facet *facet_new(FacetKind kind, Object *owner, PyObject *name);
bool facet_lies_in(Facet *facet, Object *object); /* events of that object concern it; false: out of memory */
void function_depends(Function *function, Facet **facets, uint32_t n_facets, Object **objects, uint32_t n_objects);
void function_forget(Function *function);         /* it depends on nothing */

/* What the facet is about to be: true if that is what it was. Runs no Python. */
extern const Object *facets_dropped_by; /* whose event it is that takes values away; NULL: it takes none */
bool facet_becomes(Facet *facet, PyObject *provider, PyObject *value);
bool facet_becomes_nothing(Facet *facet, int32_t number); /* MISSING or UNKNOWN */
int32_t facet_number(Facet *facet);                       /* of its value now */
/* The facet's value is this one now: seen at a safe point. NULL: there is none. The number of it. */
int32_t facet_sees(Facet *facet, PyObject *value);
void facet_arrives(Facet *facet);        /* an event has brought its value */
void facets_see_arrived(void);           /* at a safe point: so that each of these values is known when it comes back */
void facets_look_for_lost(void);         /* at a safe point: a row for each value that is gone since */

void on_object_event(void *object, const void *event);   /* a depwatch_listener, of a dict */
void on_type_event(void *object, const void *event);     /* of a type as a whole: its MRO */
void on_function_event(void *part, const void *event);   /* of a part of a function */
void events_end_doubts(void); /* at a safe point, when depwatch has drained: writes what it could not tell */
void events_forget(void);                                /* in a forked child */
void events_schedule(void);                              /* what is to happen at the next safe point */
void windows_write(bool all);                            /* those that are over */
void windows_forget(Object *object);                     /* it has none any more */
void windows_write_of(const Function *function);         /* whose changes its calls were between */
void windows_have_room(double most, double a_second);    /* rows of windows that are one moment; what is left is spread */

/* chain.c: the dicts in which a facet is looked up, the first that has it counts. */
bool facet_is_shadowed(const Facet *facet, const Object *object); /* another one comes first */
bool facet_is_along(const Facet *facet, const PyObject *value); /* one of these has it; compares strings only */
/* Where it is, leaving out one dict (or NULL), as that is about to lose it. 1 found, 0 missing, -1 not known. With
 * may_run_python an ordinary look-up; without, one that compares nothing but strings. All borrowed. */
int facet_find(const Facet *facet, const PyObject *without, bool may_run_python, PyObject **provider, PyObject **value);

/* --- the whole -------------------------------------------------------------------------------------------------------- */

typedef struct Tap {
    bool on;             /* false: nothing is recorded: not yet, not any more, or in a forked child */
    bool was_on;         /* in a forked child: it was on in the parent */
    bool undrained;      /* a change has been written since the last drain row */
    bool pending;        /* our pending call is outstanding */
    PyObject *drain_code; /* owned: of depwatch.drain, which the program may call */
    uint32_t n_mixed;    /* objects with windows of several moments */
    uint64_t calls;      /* of the whole program, so far */
    uint64_t look;       /* the clock is looked at when there have been so many */
    Object *objects;     /* list */
    Object *busy;        /* list: those with a window that is not written yet */
    List dead;           /* objects */
    List left;           /* facets that have left a value which may come back */
    List arrived;        /* facets whose value is to be seen at the next safe point */
    List garbage;        /* owned references, to let go of at a safe point */
} Tap;

extern Tap tap;

void tap_look(void);          /* at a safe point, now and then: ticks, windows, segments */
void tap_tick(uint64_t time);
extern int (*tap_drain_depwatch)(void);
int tap_drain(void);          /* drains depwatch, if anything was written since it drained. -1: what the program's signal
                                 handler raised meanwhile */
void tap_drained(void);       /* depwatch drains: a row, if anything was written since the last one */
bool tap_open(const char *directory);
void tap_forget(void);        /* in a forked child: there were no calls and no time yet. Of objects nothing may be left */
void tap_end(bool has_status, int32_t status); /* the last rows */
void tap_replaced(bool replaced); /* this process is about to run another program; it has not, after all */
void tap_let_go(void);        /* of garbage; runs Python */

/* untrack.c: the garbage collector forgets this object of ours, and all that it leads to and that is ours. */
void untrack(PyObject *thing);
PyObject *weakref_to(PyObject *thing); /* as PyWeakref_NewRef(thing, NULL); the collector forgets it, too */
void untrack_names(PyCodeObject *code); /* the tuples that CPython keeps when somebody asks for them, as we have */

/* monitoring.c: sys.monitoring's own functions, by name, as a new dict: the program's calls of them do not see the tool that is
 * hidden. NULL with an exception set. */
PyObject *monitoring_functions(void);
/* tool -1: none. on_wanted() is called when the program is about to use that one: it must hide another one, or none. */
void monitoring_hide(int tool, PyObject *on_wanted);

/* children.c: Pythons that the program starts are recorded beside it. start: the directory of our sitecustomize; given: what it
 * is told; python: the interpreter. on_exit(status) is called by os._exit. -1 with an exception set. */
int children_let_in(const char *start, const char *given, const char *python, PyObject *on_exit);

#endif
