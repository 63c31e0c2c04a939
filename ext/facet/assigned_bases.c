#include "facet/assigned_bases.h"

#include "facet/bases.h"
#include "facet/service.h"
#include "watch/errors.h"
#include "watch/frame.h"

#define MAX_DEPTH 20000 /* subclasses of subclasses: an assignment inside another one can leave them in a circle */

static bool any_below(PyTypeObject *type, bool (*test)(PyTypeObject *), unsigned depth)
{
    PyObject *table = (PyObject *)type->tp_subclasses, *key, *weakref;
    Py_ssize_t position = 0;
    if (test(type) || depth > MAX_DEPTH)
        return true;
    while (!is_static(type) && table != NULL && PyDict_CheckExact(table) && PyDict_Next(table, &position, &key, &weakref)) {
        PyObject *subclass = ((PyWeakReference *)weakref)->wr_object;
        if (subclass != Py_None && any_below((PyTypeObject *)subclass, test, depth + 1))
            return true;
    }
    return false;
}

bool any_of_family(PyTypeObject *type, bool (*test)(PyTypeObject *)) { return any_below(type, test, 0); }

bool bases_run_python(PyTypeObject *type) { return any_of_family(type, has_own_mro); }

#define MAX_ASSIGNMENTS 1024 /* assignments that are going on, or are over and not taken out yet */

static Assignment assignments[MAX_ASSIGNMENTS];
static uint32_t n_assignments;
static bool too_many; /* there were more than MAX_ASSIGNMENTS at some time: from then on depwatch watches no class */

static Assignment *find_same(const Assignment *made)
{
    for (uint32_t i = 0; i < n_assignments; i++)
        if (assignments[i].type == made->type && assignments[i].code == made->code &&
            assignments[i].offset == made->offset && assignments[i].thread == made->thread)
            return &assignments[i];
    return NULL;
}

/* Only takes references: dropping one could run a destructor inside CPython's callback. */
void bases_begin(PyTypeObject *type, PyObject *code, int offset, uint64_t thread)
{
    Assignment made = {.type = type, .code = code, .references = 1, .offset = offset, .thread = thread};
    Assignment *same = find_same(&made);
    if (same != NULL) {
        same->references++;
    } else if (n_assignments == MAX_ASSIGNMENTS) {
        too_many = true;
    } else {
        Py_INCREF(type);
        assignments[n_assignments++] = made;
    }
    service.unfinished = true; /* a drain takes the assignment out once it is over */
    service_schedule();
}

static PyThreadState *find_thread(uint64_t id)
{
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    while (thread != NULL && thread->id != id)
        thread = PyThreadState_Next(thread);
    return thread;
}

static bool runs_python(PyThreadState *thread)
{
    struct _PyInterpreterFrame *frame = frame_of(thread);
    PyObject *code = frame == NULL ? NULL : PyUnstable_InterpreterFrame_GetCode(frame);
    bool runs = code != NULL && PyCode_Check(code); /* the frame at the bottom of a thread has no code object here */
    Py_XDECREF(code);
    return runs;
}

/* Whether no frame of the thread is at the instruction that made the assignment. Another frame at the same instruction also
 * counts as going on, and so does a frame that cannot be read for want of memory. */
static bool is_over(const Assignment *made)
{
    PyThreadState *thread = find_thread(made->thread);
    if (thread == NULL || made->code == NULL)
        return thread == NULL;
    PyFrameObject *frame = PyThreadState_GetFrame(thread), *back;
    bool found = frame == NULL && runs_python(thread); /* out of memory; CPython has cleared the MemoryError */
    for (; frame != NULL; frame = back) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        found = found || ((PyObject *)code == made->code && PyFrame_GetLasti(frame) == made->offset);
        Py_DECREF(code);
        back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        if (back == NULL && PyErr_Occurred()) {
            PyErr_Clear();
            found = true;
        }
    }
    return !found;
}

bool take_assigned_bases(Assignment *over)
{
    for (uint32_t i = n_assignments; i-- > 0;)
        if (service.shutting_down || is_over(&assignments[i])) {
            *over = assignments[i];
            assignments[i] = assignments[--n_assignments];
            for (uint32_t n = over->references; over->code != NULL && n > 1; n--)
                Py_DECREF(over->code);
            return true;
        }
    return false;
}

static const PyTypeObject *find_assigned(PyObject *mro)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); i++)
        for (uint32_t j = 0; j < n_assignments; j++)
            if ((PyObject *)assignments[j].type == PyTuple_GET_ITEM(mro, i))
                return assignments[j].type;
    return NULL;
}

/* --- assignments that began before the audit hook was there ---------------------------------------------------------- */

/* Whether the object is what CPython keeps for an exception, while it assigns bases: a list of (class, its new MRO, its old
 * MRO), with the classes whose MRO is already replaced. */
static int is_list_of_mros(PyObject *list, void *found)
{
    for (Py_ssize_t i = 0; PyList_CheckExact(list) && i < PyList_GET_SIZE(list); i++) {
        PyObject *entry = PyList_GET_ITEM(list, i);
        if (entry == NULL || !PyTuple_CheckExact(entry) || PyTuple_GET_SIZE(entry) != 3)
            return 1;
        PyObject *type = PyTuple_GET_ITEM(entry, 0), *new = PyTuple_GET_ITEM(entry, 1), *old = PyTuple_GET_ITEM(entry, 2);
        if (type == NULL || new == NULL || old == NULL || !PyType_Check(type) || !PyTuple_CheckExact(new) ||
            !PyTuple_CheckExact(old))
            return 1;
        *(bool *)found = PyTuple_GET_SIZE(new) > 0 && PyTuple_GET_ITEM(new, 0) == type;
        if (*(bool *)found)
            return 0;
    }
    return 1;
}

/* The audit hook is added when a class is read for the first time, and that may be in the middle of an assignment. Such a one
 * is found by a look at every object of the garbage collector, until none is found. (Before 3.13.3 the collector does not
 * show what gc.freeze() has put aside: gh-131740.) */
static bool one_began_unseen(void)
{
    static bool none;
    bool found = false;
    if (!none)
        PyUnstable_GC_VisitObjects(is_list_of_mros, &found);
    none = !found;
    return found;
}

int refuse_assigned_bases(PyTypeObject *type)
{
    if (one_began_unseen()) {
        PyErr_Format(Unwatchable_error,
                     "%.200s: bases of a class are being assigned, and that began before depwatch looked at the first class of "
                     "this process, so it may be a base of this one; read it after the assignment",
                     type->tp_name);
        return -1;
    }
    if (n_assignments == 0 && !too_many)
        return 0;
    for (Assignment over; take_assigned_bases(&over);) {
        Py_XDECREF(over.code);
        Py_DECREF(over.type);
    }
    const PyTypeObject *found = too_many ? type : type->tp_mro == NULL ? NULL : find_assigned(type->tp_mro);
    if (found == NULL)
        return 0;
    PyErr_Format(Unwatchable_error,
                 "%.200s: the bases of %.200s are being assigned, and until that is done the mro() of a subclass's metaclass "
                 "may assign them again; read it after the assignment",
                 type->tp_name, found->tp_name);
    return -1;
}
