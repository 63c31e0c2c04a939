#include "action/guarded.h"

#include <stddef.h>
#include <structmember.h>

#include "index/bytes.h"

typedef struct Guarded {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *fast, *slow; /* owned; NULL once the collector has cleared them */
    PyObject *handle;      /* owned: has the list that guards.of_handle is in */
    Guards guards;
} Guarded;

static const uint8_t given_up = BYTE_RETIRED; /* what `broken` points to once the handle is released */

void guards_look_at(Guards *guards, const uint8_t *broken, Linked **list)
{
    linked_leave(&guards->of_handle);
    guards->broken = broken;
    linked_enter(list, &guards->of_handle);
}

void guards_give_up(Guards *guards)
{
    linked_leave(&guards->of_handle);
    guards->broken = &given_up;
}

void guards_free(Guards *guards)
{
    linked_leave(&guards->of_handle);
    PyMem_Free(guards->cells);
}

PyObject *guarded_hand_on(PyObject *changed, PyObject *result)
{
    PyObject *told = PyObject_CallOneArg(changed, result);
    Py_DECREF(result);
    return told;
}

/* What runs now takes no reference of ours: the caller has one to the Guarded, which keeps both callables as long as it lives. */
static PyObject *call(PyObject *self, PyObject *const *args, size_t flags, PyObject *names)
{
    const Guarded *guarded = (Guarded *)self;
    return PyObject_Vectorcall(guards_hold(&guarded->guards) ? guarded->fast : guarded->slow, args, flags, names);
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    const Guarded *guarded = (Guarded *)self;
    Py_VISIT(guarded->fast);
    Py_VISIT(guarded->slow);
    Py_VISIT(guarded->handle);
    return 0;
}

static void dealloc(PyObject *self)
{
    Guarded *guarded = (Guarded *)self;
    PyObject_GC_UnTrack(self);
    guards_free(&guarded->guards);
    Py_XDECREF(guarded->fast);
    Py_XDECREF(guarded->slow);
    Py_XDECREF(guarded->handle);
    PyObject_GC_Del(self);
}

static PyObject *get(PyObject *self, PyObject *instance, PyObject *class)
{
    return instance == NULL || instance == Py_None ? Py_NewRef(self) : PyMethod_New(self, instance);
}

static PyObject *active(PyObject *self, void *closure) { return PyBool_FromLong(guards_hold(&((Guarded *)self)->guards)); }

static PyObject *repr(PyObject *self)
{
    const Guarded *guarded = (Guarded *)self;
    return PyUnicode_FromFormat("<Guarded of %R, %s>", guarded->handle, guards_hold(&guarded->guards) ? "fast" : "slow");
}

static PyObject *reduce(PyObject *self, PyObject *protocol)
{
    PyErr_SetString(PyExc_TypeError, "a Guarded cannot be copied or pickled: it looks at a byte of this process");
    return NULL;
}

static PyMemberDef members[] = {
    {"fast", T_OBJECT_EX, offsetof(Guarded, fast), READONLY, "What runs while the handle is valid and its guards are up."},
    {"slow", T_OBJECT_EX, offsetof(Guarded, slow), READONLY, "What runs otherwise."},
    {"__wrapped__", T_OBJECT_EX, offsetof(Guarded, slow), READONLY, "`slow`, whose signature the Guarded has."},
    {"handle", T_OBJECT_EX, offsetof(Guarded, handle), READONLY, "The handle."},
    {NULL},
};

static PyGetSetDef properties[] = {{"active", active, NULL, "Whether the next call runs `fast`.", NULL}, {NULL}};

static PyMethodDef methods[] = {{"__reduce_ex__", reduce, METH_O, NULL}, {NULL}};

PyTypeObject guarded_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "depwatch.Guarded",
    .tp_doc = "What guarded() returns: runs one callable while a handle is valid, and another one otherwise.",
    .tp_basicsize = sizeof(Guarded),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR |
                Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_vectorcall_offset = offsetof(Guarded, call),
    .tp_call = PyVectorcall_Call,
    .tp_traverse = traverse,
    .tp_dealloc = dealloc,
    .tp_descr_get = get,
    .tp_repr = repr,
    .tp_members = members,
    .tp_getset = properties,
    .tp_methods = methods,
};

PyObject *guarded_new(PyObject *fast, PyObject *slow, PyObject *handle, const Guards *guards, Linked **list)
{
    Guarded *made = PyObject_GC_New(Guarded, &guarded_type);
    if (made == NULL) {
        PyMem_Free(guards->cells);
        return NULL;
    }
    made->call = call;
    made->fast = Py_NewRef(fast);
    made->slow = Py_NewRef(slow);
    made->handle = Py_NewRef(handle);
    made->guards = (Guards){.cells = guards->cells, .n = guards->n};
    guards_look_at(&made->guards, guards->broken, list);
    PyObject_GC_Track(made);
    return (PyObject *)made;
}

void guarded_end(Linked **list)
{
    while (*list != NULL)
        guards_give_up((Guards *)*list);
}
