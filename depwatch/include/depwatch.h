/* depwatch.h: depwatch for native optimizers. Include <Python.h> first; call depwatch_import() once in each C file.
 *
 *     if (depwatch_import() < 0) return -1;                   // an ImportError is set
 *     PyObject *facet = depwatch_facet_of_global(function, name);
 *     PyObject *recorder = depwatch_recorder_new("price", 0), *value;
 *     int found = depwatch_read(recorder, facet, &value);     // reading is recording
 *     ... generate code that tests the byte ...
 *     uint32_t handle = depwatch_commit(recorder);            // committing can refuse
 *     const uint8_t *broken = depwatch_handle_byte(handle);   // 0 = may run
 *
 * Unless an entry says otherwise:
 * - The GIL is needed. Not callable from a listener, nor from any other callback inside an update of CPython: entries
 *   may run Python (a look-up compares keys, a drain calls listeners).
 * - Arguments are borrowed, and none is NULL but a listener's data. A PyObject * that is returned is a new reference,
 *   which the caller releases with Py_DECREF.
 * - An error is NULL, -1 or DEPWATCH_NO_ID with an exception set: depwatch.Unwatchable, Unstable, Stale, Released, or
 *   TypeError, ValueError, MemoryError.
 * Facets, recorders, cells, labels and listeners are Python objects, opaque to C: what has another type is refused (TypeError).
 * Handles are plain numbers, so that many of them cost no object each. A number has one owner, who got it from commit or
 * commit_many, and means that handle until the owner's handle_release, and no longer, whatever another thread, a signal
 * handler or a destructor does meanwhile: no drain, retirement or death gives it away. Whoever else acts on it (in
 * another thread, in a callback) does so in the owner's name and only before that. With the GIL held, a test of what the
 * owner keeps and a call by the number are one step as long as no Python runs between them: any entry that may run
 * Python can let the owner release it. After the release the number is refused (Released) only until the next drain,
 * which any thread can run; from then on it may be another handle of anybody's, and no entry can tell. Numbers that
 * depwatch tells (in listeners, in dependents() of Python) are not the receiver's to act on.
 */
#ifndef DEPWATCH_H
#define DEPWATCH_H

#include <Python.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DEPWATCH_RELEASE "0.1.0"    /* the depwatch that this header came with; setup.py reads it here */
#define DEPWATCH_API_VERSION 1u     /* another one is another interface; within one, entries are only appended */
#define DEPWATCH_NO_ID 0x7fffffffu  /* object, facet and handle IDs are below */

/* What of a function. */
typedef enum depwatch_part {
    DEPWATCH_CODE,
    DEPWATCH_DEFAULTS,
    DEPWATCH_KWDEFAULTS,
    DEPWATCH_EXISTENCE,     /* a facet only: reads as the function itself */
    DEPWATCH_NOT_APPLICABLE /* of function events that are about no part */
} depwatch_part;

typedef enum depwatch_cell_kind { DEPWATCH_OBJECT, DEPWATCH_F64, DEPWATCH_I64, DEPWATCH_BOOL } depwatch_cell_kind;

typedef enum depwatch_change {
    DEPWATCH_ADDED,
    DEPWATCH_MODIFIED,
    DEPWATCH_DELETED,
    DEPWATCH_CLONED,    /* an empty dict is filled from another one: names no key */
    DEPWATCH_CLEARED,   /* names no key */
    DEPWATCH_DESTROYED, /* the object dies */
    DEPWATCH_CREATED,   /* a function was made */
    DEPWATCH_MRO,       /* the method resolution order of the type */
    DEPWATCH_CLASS      /* the module gets another class */
} depwatch_change;

/* --- listeners ---------------------------------------------------------------------------------------------------- */

/* A listener is called inside CPython's own watcher callback, in the thread that makes the change, at once: before the
 * change takes effect, and after depwatch has changed bytes, cells and guards for it. Therefore a listener
 * - calls no Python, directly or not: no Py_DECREF (a destructor may run), no look-up, no entry of depwatch;
 * - allocates nothing by CPython's allocators, and nothing that could wait for the GIL;
 * - sets no exception, and leaves one that is set alone: a destructor may run while one is;
 * - keeps the GIL;
 * - stores no pointer that it is given without a reference (Py_INCREF is allowed; never of an object that is dying: old
 *   and new values and the function of a DESTROYED event are not to be kept).
 * Changing the dict whose event it is corrupts that dict on every CPython. No listener is called any more once the
 * interpreter has begun to end (after depwatch's atexit handler).
 */

/* A change of one facet. All pointers are borrowed, and valid only during the call. */
typedef struct depwatch_event {
    uint32_t facet;            /* ID: see facet_id */
    uint32_t object;           /* ID of the object that changes */
    depwatch_change change;
    PyObject *key;             /* of a whole object: the key, or the part of a function, that the event is about; else NULL */
    PyObject *old_value;       /* NULL: missing or not told */
    PyObject *new_value;       /* NULL: missing or not told */
} depwatch_event;

typedef void (*depwatch_listener)(void *data, const depwatch_event *event);

/* What gh-91053 proposed: the life of every function of the process.
 *
 * change               attribute                    new_value
 * DEPWATCH_CREATED     DEPWATCH_NOT_APPLICABLE      NULL; of a `def`, defaults, kwdefaults and closure are yet to come:
 *                                                   CPython sets those right after, without an event
 * DEPWATCH_MODIFIED    CODE, DEFAULTS, KWDEFAULTS   what is assigned (NULL: None or `del`); the old one is still there
 * DEPWATCH_DESTROYED   DEPWATCH_NOT_APPLICABLE      NULL; the function still has all but what garbage collection took
 *
 * function is a PyFunctionObject *, borrowed like new_value.
 */
typedef void (*depwatch_function_listener)(void *data, depwatch_change change, PyObject *function,
                                           depwatch_part attribute, PyObject *new_value);

/* What a handle is. Its byte: 0, 1 to 254, 255. */
typedef enum depwatch_state {
    DEPWATCH_VALID,
    DEPWATCH_INVALID, /* some assumption does not hold now */
    DEPWATCH_RETIRED  /* for good */
} depwatch_state;

/* A handle is now in another state than before: invalidated, resumed or retired. Called wherever that happens, at once,
 * by the same contract, after the bytes of all handles that rely on that facet have changed, and its cells and guards:
 *
 * - inside CPython's callback, before the change takes effect;
 * - in a drain, which looks again at what a callback had to take for broken, gives up what broke too often, and retires
 *   what waits for a value that nobody has any more. It runs by itself in the main thread, and at the start of entries;
 * - in a read, of any recorder, that finds another value than the one that the handle waits for: retired;
 * - in handle_retire and handle_release, and in depwatch.invalidate() of Python: retired, in whoever's thread calls.
 *
 * facet: the ID of the one that did it (of several that break at one event, the first); DEPWATCH_NO_ID in the last case.
 * Retired comes once, and nothing after it. */
typedef void (*depwatch_handle_listener)(void *data, uint32_t handle, depwatch_state state, uint32_t facet);

/* --- the entries -------------------------------------------------------------------------------------------------- */

typedef struct depwatch_api {
    size_t size;          /* of this struct, as the depwatch that is installed has it */
    uint32_t version;     /* its DEPWATCH_API_VERSION */
    const char *release;  /* its DEPWATCH_RELEASE */

    /* The object ID of a dict, module (its dict), type, function or code object, watched from now on until it dies.
     * Some microseconds the first time. */
    uint32_t (*id_of)(PyObject *object);

    /* Facets: a new reference each, to the same facet for the same question. The facet stays watched, and its ID its own,
     * as long as it is referenced. A microsecond or two. Unwatchable where CPython reports no change. */
    PyObject *(*facet_of_key)(PyObject *dict, PyObject *name);         /* an exact dict's own item; name: an exact str */
    PyObject *(*facet_of_global)(PyObject *function, PyObject *name);  /* in its globals, then its builtins */
    PyObject *(*facet_of_attribute)(PyObject *type, PyObject *name);   /* as found along the MRO, unbound; Unwatchable
                                                                          too for an immutable type: nothing to watch */
    PyObject *(*facet_of_function)(PyObject *function, depwatch_part part);
    PyObject *(*facet_of_object)(PyObject *object);                    /* any change of it: as Recorder.depend_on */
    uint32_t (*facet_id)(PyObject *facet);                             /* nanoseconds; does not run Python */

    /* Recorders: a depwatch.Recorder each, so that its methods (read_attr of a module, for one) serve as well, and one
     * that was made in Python serves here. name: UTF-8, for messages, copied. unstable_after: breaks, at most 65,534;
     * 0: the default; UINT32_MAX: no limit. */
    PyObject *(*recorder_new)(const char *name, uint32_t unstable_after);
    /* Records the facet as it is now. 1: *value is its value (a new reference; of a whole object: None). 0: it is
     * missing, *value is NULL, and nothing is recorded. -1: Unstable, Unwatchable; Released after a commit or close().
     * Drains first; some microseconds. */
    int (*read)(PyObject *recorder, PyObject *facet, PyObject **value);
    /* How many reads were recorded: the next one gets this number, from 0 on. -1: an error. */
    Py_ssize_t (*reads)(PyObject *recorder);

    /* A valid handle that depends on all that was read; the recorder is finished. DEPWATCH_NO_ID: Stale, naming the first
     * facet that is not as it was read, or was not meanwhile (see allow_undone): compile again with a new recorder; or
     * another error. The handle is the caller's, until handle_release. A few microseconds, and less than one for each read. */
    uint32_t (*commit)(PyObject *recorder);
    /* n handles in one step, or none. The i-th depends on what was read as numbers reads[offsets[i]] to
     * reads[offsets[i + 1] - 1]; offsets: n + 1, from 0, ascending. Fills handles, ascending. The recorder stays open.
     * 0, or -1: Stale; ValueError for offsets that descend and numbers that were not read. About 50 ns for each number. */
    int (*commit_many)(PyObject *recorder, uint32_t n, const uint64_t *offsets, const uint32_t *reads,
                       uint32_t *handles);

    /* The byte that counts the handle's broken assumptions: 0 = may run, 255 = retired, for good. Good until the handle
     * is released; native code may read it in any thread, without the GIL. NULL: Released, or a handle of Python. */
    const uint8_t *(*handle_byte)(uint32_t handle);
    /* Retired for good, at once. 0, or -1: Released. Runs no Python. */
    int (*handle_retire)(uint32_t handle);
    /* Retired, and its ID and byte given up: the ID may come to mean another handle after the next drain, so no native
     * code may read the byte any more. 0, or -1: Released. Runs no Python. */
    int (*handle_release)(uint32_t handle);

    /* A word that depwatch keeps current, of a key, global or attribute facet: no assumption, a change invalidates
     * nothing. An assignment is in the word at once; where a name was deleted or added, the guard is 0 until a drain has
     * looked. TypeError if the value now does not fit, or is missing. Shared by all who ask for the same. Drains first. */
    PyObject *(*value_cell)(PyObject *facet, depwatch_cell_kind kind);
    /* A byte that is 1 while the value that is read now is there. *value: a new reference to it. Of the same facets;
     * KeyError if it is missing. The recorder's unstable_after counts; the facet is no assumption of it. The byte is 0
     * for good once somebody has recorded another value. Drains first. */
    PyObject *(*guard_cell)(PyObject *recorder, PyObject *facet, PyObject **value);
    /* Addresses: fixed until cell_release. NULL: Released. The word of a value cell is a PyObject * (borrowed: INCREF it
     * before anything can run Python), a double or an int64_t, and current while its guard is 1. The word of a guard cell
     * says nothing. */
    const void *(*cell_word)(PyObject *cell);
    const uint8_t *(*cell_guard)(PyObject *cell);
    /* No native code reads the addresses any more. Idempotent; dropping the last reference does the same. */
    int (*cell_release)(PyObject *cell);

    /* Calls listener(data, event) for every change of the facet until unlisten, or until the result's last reference is
     * dropped; data must stay until then. Keeps the facet. See the contract above. Costs each event a call. */
    PyObject *(*listen)(PyObject *facet, depwatch_listener listener, void *data);
    /* The same for every function of the process. Costs each function of the process two calls. */
    PyObject *(*listen_functions)(depwatch_function_listener listener, void *data);
    int (*unlisten)(PyObject *listening); /* idempotent */

    /* Deliver to Python what has happened, as depwatch.drain(): the number of calls made; -1, with what that raises. */
    Py_ssize_t (*drain)(void);

    /* Calls listener(data, handle, state, facet) whenever the handle's state changes, until unlisten, until the result's
     * last reference is dropped, or until it has told of the retirement; data must stay until then. It is told of what
     * comes: look at the byte once more after this. Released, as handle_byte. Costs memory and at most 100 ns for each
     * facet of the handle, then a call at each change of state; and nothing to handles that have no listener. */
    PyObject *(*listen_handle)(uint32_t handle, depwatch_handle_listener listener, void *data);

    /* A jump label: the 5-byte nop (0f 1f 44 00 00) at address becomes a jump to target the moment the value that is read
     * now is not there any more, and the nop again when it is. *value: a new reference to it. Facets, recorder and errors
     * as for guard_cell, but ValueError for a place that cannot be patched, saying why, and Unwatchable where the system
     * or the processor forbids it. What the code must be like is in docs/jump-labels.md. Some 50 us. */
    PyObject *(*jump_label)(PyObject *recorder, PyObject *facet, void *address, void *target, PyObject **value);
    /* A byte that is 1 while the label is the nop. Fixed until label_release. NULL: Released. */
    const uint8_t *(*label_guard)(PyObject *label);
    /* The code is patched no more, left as it is, and may be unmapped. Idempotent; dropping the last reference does the
     * same. */
    int (*label_release)(PyObject *label);

    /* As listen, for each new function of a code object: a DEPWATCH_CREATED whose new_value is the function (of which
     * the same is yet to come as for listen_functions), then one DEPWATCH_DESTROYED, of the code object. Costs each
     * function of the process a call and a test. */
    PyObject *(*listen_created)(PyObject *code, depwatch_listener listener, void *data);

    /* As Recorder.read(owner, name) of Python: a function's global or part ("__code__"), a module's or a class's attribute,
     * a dict's item, a Fact (name: None). 1: found, and *value is a new reference. 0: missing, and *value is NULL; if
     * absence is not 0, the recorder assumes that it stays missing. -1: also Unwatchable for what cannot be seen. */
    int (*read_name)(PyObject *recorder, PyObject *owner, PyObject *name, int absence, PyObject **value);
    /* From now on, commit and commit_many of this recorder accept values that have changed since they were read and
     * changed back; else that is Stale. For code that is made only from what the recorder returned. 0, or -1. */
    int (*allow_undone)(PyObject *recorder);
    /* As depwatch.explain() of Python: a new str. NULL: Released. Drains first. */
    PyObject *(*explain)(uint32_t handle);
    /* How often the facets that the handle relies on have broken, in all: compare two such numbers. From 2^32 on it is no count
     * any more, but still another number after each break. -1: it is retired. -2: an error (Released). Looks at each facet;
     * runs no Python. */
    int64_t (*handle_breaks)(uint32_t handle);
    /* One word for the whole process, which is another one after each break of anything that anybody relies on, undone or
     * not. Native code may read it in any thread, without the GIL. */
    const uint64_t *(*breaks)(void);
} depwatch_api;

#ifndef DEPWATCH_CORE

static const depwatch_api *depwatch_capi;

#define depwatch_id_of (depwatch_capi->id_of)
#define depwatch_facet_of_key (depwatch_capi->facet_of_key)
#define depwatch_facet_of_global (depwatch_capi->facet_of_global)
#define depwatch_facet_of_attribute (depwatch_capi->facet_of_attribute)
#define depwatch_facet_of_function (depwatch_capi->facet_of_function)
#define depwatch_facet_of_object (depwatch_capi->facet_of_object)
#define depwatch_facet_id (depwatch_capi->facet_id)
#define depwatch_recorder_new (depwatch_capi->recorder_new)
#define depwatch_read (depwatch_capi->read)
#define depwatch_reads (depwatch_capi->reads)
#define depwatch_commit (depwatch_capi->commit)
#define depwatch_commit_many (depwatch_capi->commit_many)
#define depwatch_handle_byte (depwatch_capi->handle_byte)
#define depwatch_handle_retire (depwatch_capi->handle_retire)
#define depwatch_handle_release (depwatch_capi->handle_release)
#define depwatch_value_cell (depwatch_capi->value_cell)
#define depwatch_guard_cell (depwatch_capi->guard_cell)
#define depwatch_cell_word (depwatch_capi->cell_word)
#define depwatch_cell_guard (depwatch_capi->cell_guard)
#define depwatch_cell_release (depwatch_capi->cell_release)
#define depwatch_listen (depwatch_capi->listen)
#define depwatch_listen_functions (depwatch_capi->listen_functions)
#define depwatch_unlisten (depwatch_capi->unlisten)
#define depwatch_drain (depwatch_capi->drain)
#define depwatch_listen_handle (depwatch_capi->listen_handle)
#define depwatch_jump_label (depwatch_capi->jump_label)
#define depwatch_label_guard (depwatch_capi->label_guard)
#define depwatch_label_release (depwatch_capi->label_release)
#define depwatch_listen_created (depwatch_capi->listen_created)
#define depwatch_read_name (depwatch_capi->read_name)
#define depwatch_allow_undone (depwatch_capi->allow_undone)
#define depwatch_explain (depwatch_capi->explain)
#define depwatch_handle_breaks (depwatch_capi->handle_breaks)
#define depwatch_breaks (depwatch_capi->breaks)

/* Imports depwatch and checks that it has all entries of this header. 0, or -1 with an ImportError set. */
static inline int depwatch_import(void)
{
    const depwatch_api *api = (const depwatch_api *)PyCapsule_Import("depwatch._C_API", 0);
    if (api == NULL) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
            PyErr_Clear();
            PyErr_SetString(PyExc_ImportError,
                            "the depwatch that is installed has no C API, and this module was built for that of depwatch "
                            DEPWATCH_RELEASE ": install depwatch " DEPWATCH_RELEASE " or later");
        }
        return -1;
    }
    if (api->version != DEPWATCH_API_VERSION || api->size < sizeof(depwatch_api)) {
        PyErr_Format(PyExc_ImportError,
                     "this module was built for C API %u (%zu bytes) of depwatch " DEPWATCH_RELEASE
                     ", and depwatch %s, which is installed, has C API %u (%zu bytes): %s",
                     DEPWATCH_API_VERSION, sizeof(depwatch_api), api->release, api->version, api->size,
                     api->version > DEPWATCH_API_VERSION
                         ? "build the module again, with the header of the depwatch that is installed"
                         : "install depwatch " DEPWATCH_RELEASE " or later");
        return -1;
    }
    depwatch_capi = api;
    return 0;
}

#endif

#ifdef __cplusplus
}
#endif

#endif
