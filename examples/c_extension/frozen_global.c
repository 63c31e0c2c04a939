/* Frozen(function, name): a global of a function without a look-up. Calling it returns the value, which it keeps, while
 * one byte in memory is 0. It looks the global up again only after somebody has changed it. */
#include <Python.h>

#include "depwatch.h"

typedef struct {
    PyObject_HEAD
    PyObject *function, *name; /* owned */
    PyObject *value;           /* owned: what the global was when the handle was committed; NULL: there is no handle */
    uint32_t handle;           /* ours until depwatch_handle_release */
    const uint8_t *broken;     /* of the handle: 0 while the value is right */
    Py_ssize_t looked_up;
} Frozen;

/* Puts the value that was read, and its handle, in the place of what there was. Takes the reference. */
static void keep(Frozen *self, PyObject *value, uint32_t handle)
{
    PyObject *old_value = self->value;
    uint32_t old_handle = self->handle;
    self->value = value;
    self->handle = handle;
    self->broken = value == NULL ? NULL : depwatch_handle_byte(handle);
    if (old_value != NULL) {
        depwatch_handle_release(old_handle);
        Py_DECREF(old_value); /* last, because this may run Python, which may call us */
    }
}

/* Reads the global and relies on it from now on. A new reference, or NULL with an exception. */
static PyObject *look_up(Frozen *self)
{
    PyObject *value = NULL, *recorder = NULL;
    PyObject *facet = depwatch_facet_of_global(self->function, self->name);
    if (facet != NULL)
        recorder = depwatch_recorder_new("frozen global", UINT32_MAX); /* changes are no reason to give up */
    int found = recorder == NULL ? -1 : depwatch_read(recorder, facet, &value);
    if (found == 0)
        PyErr_Format(PyExc_NameError, "name %R is not defined", self->name);
    if (found == 1) {
        uint32_t handle = depwatch_commit(recorder); /* can refuse, if the value changed meanwhile: depwatch.Stale */
        if (handle == DEPWATCH_NO_ID)
            Py_CLEAR(value);
        else
            keep(self, Py_NewRef(value), handle);
    }
    self->looked_up++;
    Py_XDECREF(recorder);
    Py_XDECREF(facet);
    return value;
}

static PyObject *frozen_call(PyObject *object, PyObject *args, PyObject *kwargs)
{
    Frozen *self = (Frozen *)object;
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Frozen", names))
        return NULL;
    if (self->value != NULL && *self->broken == 0)
        return Py_NewRef(self->value);
    return look_up(self);
}

static PyObject *frozen_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"function", "name", NULL};
    PyObject *function, *name;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:Frozen", names, &function, &name))
        return NULL;
    Frozen *self = (Frozen *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->function = Py_NewRef(function);
    self->name = Py_NewRef(name);
    PyObject *value = look_up(self);
    if (value == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    Py_DECREF(value);
    return (PyObject *)self;
}

static int frozen_traverse(PyObject *object, visitproc visit, void *arg)
{
    Frozen *self = (Frozen *)object;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->function);
    Py_VISIT(self->name);
    Py_VISIT(self->value);
    return 0;
}

static int frozen_clear(PyObject *object)
{
    Frozen *self = (Frozen *)object;
    keep(self, NULL, DEPWATCH_NO_ID);
    Py_CLEAR(self->function);
    Py_CLEAR(self->name);
    return 0;
}

static void frozen_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    frozen_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMemberDef frozen_members[] = {
    {"looked_up", Py_T_PYSSIZET, offsetof(Frozen, looked_up), Py_READONLY, "how often the global was looked up"},
    {NULL},
};

static PyType_Slot frozen_slots[] = {
    {Py_tp_new, frozen_new},         {Py_tp_call, frozen_call},       {Py_tp_traverse, frozen_traverse},
    {Py_tp_clear, frozen_clear},     {Py_tp_dealloc, frozen_dealloc}, {Py_tp_members, frozen_members},
    {Py_tp_doc, "A global of a function, as it is now, without a look-up."},
    {0, NULL},
};

static PyType_Spec frozen_spec = {
    .name = "frozen_global.Frozen",
    .basicsize = sizeof(Frozen),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = frozen_slots,
};

static int module_exec(PyObject *module)
{
    if (depwatch_import() < 0) /* once in each C file, before anything else of depwatch */
        return -1;
    PyObject *type = PyType_FromSpec(&frozen_spec);
    int result = type == NULL ? -1 : PyModule_AddObjectRef(module, "Frozen", type);
    Py_XDECREF(type);
    return result;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "frozen_global",
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit_frozen_global(void) { return PyModuleDef_Init(&module); }
