/* A native optimizer in small: what depwatch.h offers, and nothing else of depwatch. For test_c_api.py. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>
#include <sys/mman.h>

#include "depwatch.h"

static PyObject *import_again(PyObject *self, PyObject *unused)
{
    if (depwatch_import() < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *sizes(PyObject *self, PyObject *unused)
{
    return Py_BuildValue("nIs", (Py_ssize_t)sizeof(depwatch_api), DEPWATCH_API_VERSION, DEPWATCH_RELEASE);
}

static PyObject *id_of(PyObject *self, PyObject *object)
{
    uint32_t id = depwatch_id_of(object);
    return id == DEPWATCH_NO_ID ? NULL : PyLong_FromUnsignedLong(id);
}

/* --- facets --- */

static PyObject *facet_of_key(PyObject *self, PyObject *args)
{
    PyObject *owner, *name;
    return PyArg_ParseTuple(args, "OO", &owner, &name) ? depwatch_facet_of_key(owner, name) : NULL;
}

static PyObject *facet_of_global(PyObject *self, PyObject *args)
{
    PyObject *owner, *name;
    return PyArg_ParseTuple(args, "OO", &owner, &name) ? depwatch_facet_of_global(owner, name) : NULL;
}

static PyObject *facet_of_attribute(PyObject *self, PyObject *args)
{
    PyObject *owner, *name;
    return PyArg_ParseTuple(args, "OO", &owner, &name) ? depwatch_facet_of_attribute(owner, name) : NULL;
}

static PyObject *facet_of_function(PyObject *self, PyObject *args)
{
    PyObject *owner;
    int part;
    return PyArg_ParseTuple(args, "Oi", &owner, &part) ? depwatch_facet_of_function(owner, part) : NULL;
}

static PyObject *facet_of_object(PyObject *self, PyObject *object) { return depwatch_facet_of_object(object); }

static PyObject *facet_id(PyObject *self, PyObject *facet)
{
    uint32_t id = depwatch_facet_id(facet);
    return id == DEPWATCH_NO_ID ? NULL : PyLong_FromUnsignedLong(id);
}

/* --- recording and committing --- */

static PyObject *recorder_new(PyObject *self, PyObject *args)
{
    const char *name;
    unsigned unstable_after = 0;
    return PyArg_ParseTuple(args, "s|I", &name, &unstable_after) ? depwatch_recorder_new(name, unstable_after) : NULL;
}

/* (value,), or () if it is missing */
static PyObject *read_facet(PyObject *self, PyObject *args)
{
    PyObject *recorder, *facet, *value;
    if (!PyArg_ParseTuple(args, "OO", &recorder, &facet))
        return NULL;
    int found = depwatch_read(recorder, facet, &value);
    return found < 0 ? NULL : found == 0 ? PyTuple_New(0) : Py_BuildValue("(N)", value);
}

static PyObject *reads(PyObject *self, PyObject *recorder)
{
    Py_ssize_t n = depwatch_reads(recorder);
    return n < 0 ? NULL : PyLong_FromSsize_t(n);
}

static PyObject *commit(PyObject *self, PyObject *recorder)
{
    uint32_t handle = depwatch_commit(recorder);
    return handle == DEPWATCH_NO_ID ? NULL : PyLong_FromUnsignedLong(handle);
}

/* commit_many(recorder, offsets, reads): bytes of uint64 and of uint32; a list of handles */
static PyObject *commit_many(PyObject *self, PyObject *args)
{
    PyObject *recorder, *result;
    Py_buffer offsets, numbers;
    if (!PyArg_ParseTuple(args, "Oy*y*", &recorder, &offsets, &numbers))
        return NULL;
    uint32_t n = (uint32_t)(offsets.len / 8) - 1, *handles = PyMem_Malloc(n * 4 + 4);
    int made = depwatch_commit_many(recorder, n, offsets.buf, numbers.buf, handles);
    result = made < 0 ? NULL : PyList_New(n);
    for (uint32_t i = 0; result != NULL && i < n; i++)
        PyList_SET_ITEM(result, i, PyLong_FromUnsignedLong(handles[i]));
    PyMem_Free(handles);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&numbers);
    return result;
}

/* --- handles --- */

static PyObject *broken(PyObject *self, PyObject *handle)
{
    const uint8_t *byte = depwatch_handle_byte((uint32_t)PyLong_AsUnsignedLong(handle));
    return byte == NULL ? NULL : PyLong_FromLong(*byte);
}

static PyObject *retire(PyObject *self, PyObject *handle)
{
    return depwatch_handle_retire((uint32_t)PyLong_AsUnsignedLong(handle)) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *release(PyObject *self, PyObject *handle)
{
    return depwatch_handle_release((uint32_t)PyLong_AsUnsignedLong(handle)) < 0 ? NULL : Py_NewRef(Py_None);
}

/* --- cells --- */

static PyObject *value_cell(PyObject *self, PyObject *args)
{
    PyObject *facet;
    int kind;
    return PyArg_ParseTuple(args, "Oi", &facet, &kind) ? depwatch_value_cell(facet, kind) : NULL;
}

static PyObject *guard_cell(PyObject *self, PyObject *args)
{
    PyObject *recorder, *facet, *value;
    if (!PyArg_ParseTuple(args, "OO", &recorder, &facet))
        return NULL;
    PyObject *cell = depwatch_guard_cell(recorder, facet, &value);
    return cell == NULL ? NULL : Py_BuildValue("NN", cell, value);
}

/* load(cell, kind): as native code would; None while the guard is down */
static PyObject *load(PyObject *self, PyObject *args)
{
    PyObject *cell;
    int kind;
    if (!PyArg_ParseTuple(args, "Oi", &cell, &kind))
        return NULL;
    const void *word = depwatch_cell_word(cell);
    const uint8_t *guard = word == NULL ? NULL : depwatch_cell_guard(cell);
    if (guard == NULL)
        return NULL;
    if (!*guard)
        Py_RETURN_NONE;
    return kind == DEPWATCH_F64    ? PyFloat_FromDouble(*(const double *)word)
           : kind == DEPWATCH_I64  ? PyLong_FromLongLong(*(const int64_t *)word)
           : kind == DEPWATCH_BOOL ? PyBool_FromLong(*(const int64_t *)word == 1)
                                   : Py_NewRef(*(PyObject *const *)word);
}

static PyObject *guard(PyObject *self, PyObject *cell)
{
    const uint8_t *byte = depwatch_cell_guard(cell);
    return byte == NULL ? NULL : PyLong_FromLong(*byte);
}

static PyObject *cell_release(PyObject *self, PyObject *cell)
{
    return depwatch_cell_release(cell) < 0 ? NULL : Py_NewRef(Py_None);
}

/* --- listeners: they write into memory that is there already --- */

#define CAPACITY 1000

typedef struct Heard {
    depwatch_event event;
    const void *function;   /* of a function event */
    depwatch_part attribute;
    const void *there;      /* what the part of the function still was */
    int byte;               /* of the handle that was named, at that moment; -1: none */
} Heard;

static Heard heard[CAPACITY];
static int n_heard;
static const uint8_t *byte_to_note;
static PyObject *own_file; /* owned: functions of other files are not noted */

static void on_event(void *data, const depwatch_event *event)
{
    if (n_heard < CAPACITY)
        heard[n_heard++] = (Heard){*event, .byte = byte_to_note == NULL ? -1 : *byte_to_note};
    ++*(int *)data;
}

static void on_function(void *data, depwatch_change change, PyObject *object, depwatch_part attribute, PyObject *value)
{
    PyFunctionObject *function = (PyFunctionObject *)object;
    if (n_heard == CAPACITY || ((PyCodeObject *)function->func_code)->co_filename != own_file)
        return;
    heard[n_heard++] = (Heard){{.change = change, .new_value = value},
                               function,
                               attribute,
                               attribute == DEPWATCH_CODE         ? function->func_code
                               : attribute == DEPWATCH_DEFAULTS   ? function->func_defaults
                               : attribute == DEPWATCH_KWDEFAULTS ? function->func_kwdefaults
                               : change == DEPWATCH_CREATED       ? function->func_defaults
                                                                  : NULL};
}

static int calls; /* data of all listeners of facets */

static PyObject *listen(PyObject *self, PyObject *facet) { return depwatch_listen(facet, on_event, &calls); }

static PyObject *listen_functions(PyObject *self, PyObject *file)
{
    Py_XSETREF(own_file, Py_NewRef(file));
    return depwatch_listen_functions(on_function, NULL);
}

static PyObject *unlisten(PyObject *self, PyObject *listening)
{
    return depwatch_unlisten(listening) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *note_byte(PyObject *self, PyObject *handle)
{
    byte_to_note = handle == Py_None ? NULL : depwatch_handle_byte((uint32_t)PyLong_AsUnsignedLong(handle));
    return byte_to_note == NULL && handle != Py_None ? NULL : Py_NewRef(Py_None);
}

/* What was heard since the last call: (change, facet, object, key, old, new, byte) each; pointers as id() has them, 0:
 * NULL. Of functions: (change, function, attribute, new value, what was still there). */
static PyObject *told(PyObject *self, PyObject *unused)
{
    PyObject *all = PyList_New(0);
    for (int i = 0; all != NULL && i < n_heard; i++) {
        const Heard *each = &heard[i];
        const depwatch_event *event = &each->event;
        PyObject *item = each->function != NULL
                             ? Py_BuildValue("iNiNN", event->change, PyLong_FromVoidPtr((void *)each->function),
                                             each->attribute, PyLong_FromVoidPtr(event->new_value),
                                             PyLong_FromVoidPtr((void *)each->there))
                             : Py_BuildValue("iIINNNi", event->change, event->facet, event->object,
                                             PyLong_FromVoidPtr(event->key), PyLong_FromVoidPtr(event->old_value),
                                             PyLong_FromVoidPtr(event->new_value), each->byte);
        if (item == NULL || PyList_Append(all, item) < 0)
            Py_CLEAR(all);
        Py_XDECREF(item);
    }
    n_heard = 0;
    return all;
}

static PyObject *listen_created(PyObject *self, PyObject *code) { return depwatch_listen_created(code, on_event, &calls); }

/* --- listeners of handles --- */

typedef struct Became {
    int listener;
    uint32_t handle;
    depwatch_state state;
    uint32_t facet;
    int byte; /* at that moment */
} Became;

static Became became[CAPACITY];
static int n_became;

typedef struct Ear { /* data of a listener of a handle */
    int listener;
    const uint8_t *byte;
} Ear;

static Ear ears[CAPACITY]; /* used in turn */
static int n_ears;

static void on_handle(void *data, uint32_t handle, depwatch_state state, uint32_t facet)
{
    const Ear *ear = data;
    if (n_became < CAPACITY)
        became[n_became++] = (Became){ear->listener, handle, state, facet, *ear->byte};
}

/* listen_handle(handle, number of the listener) */
static PyObject *listen_handle(PyObject *self, PyObject *args)
{
    unsigned handle;
    int listener;
    if (!PyArg_ParseTuple(args, "Ii", &handle, &listener))
        return NULL;
    Ear *ear = &ears[n_ears % CAPACITY];
    PyObject *listening = depwatch_listen_handle(handle, on_handle, ear);
    if (listening != NULL) {
        *ear = (Ear){listener, depwatch_handle_byte(handle)};
        n_ears++;
    }
    return listening;
}

/* What was heard since the last call: (listener, handle, state, facet or None, byte) each. */
static PyObject *told_of_handles(PyObject *self, PyObject *unused)
{
    PyObject *all = PyList_New(0);
    for (int i = 0; all != NULL && i < n_became; i++) {
        const Became *each = &became[i];
        PyObject *facet = each->facet == DEPWATCH_NO_ID ? Py_NewRef(Py_None) : PyLong_FromUnsignedLong(each->facet);
        PyObject *item = Py_BuildValue("iIiNi", each->listener, each->handle, each->state, facet, each->byte);
        if (item == NULL || PyList_Append(all, item) < 0)
            Py_CLEAR(all);
        Py_XDECREF(item);
    }
    n_became = 0;
    return all;
}

/* listen_null(which entry, facet, handle, code): with no function */
static PyObject *listen_null(PyObject *self, PyObject *args)
{
    PyObject *facet, *code;
    unsigned handle;
    int which;
    if (!PyArg_ParseTuple(args, "iOIO", &which, &facet, &handle, &code))
        return NULL;
    return which == 0   ? depwatch_listen(facet, NULL, NULL)
           : which == 1 ? depwatch_listen_functions(NULL, NULL)
           : which == 2 ? depwatch_listen_handle(handle, NULL, NULL)
                        : depwatch_listen_created(code, NULL, NULL);
}

/* --- jump labels --- */

#define PAGE 4096

/* A page of machine code that has two functions at an address that is returned: the first begins with the nop and returns
 * 1, the second, 16 bytes further on, returns 2. emit(writable) */
static PyObject *emit(PyObject *self, PyObject *writable)
{
    static const unsigned char text[] = {0x0f, 0x1f, 0x44, 0, 0, 0xb8, 1, 0, 0, 0, 0xc3, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
                                         0xb8, 2,    0,    0, 0, 0xc3};
    char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return PyErr_SetFromErrno(PyExc_OSError);
    memcpy(page, text, sizeof text);
    if (mprotect(page, PAGE, PROT_READ | PROT_EXEC | (PyObject_IsTrue(writable) ? PROT_WRITE : 0)) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromVoidPtr(page);
}

static PyObject *call(PyObject *self, PyObject *address)
{
    return PyLong_FromLong(((int (*)(void))PyLong_AsVoidPtr(address))());
}

/* poke(address, number): as a JIT that writes on where it has written code */
static PyObject *poke(PyObject *self, PyObject *args)
{
    unsigned long long address;
    int number;
    if (!PyArg_ParseTuple(args, "Ki", &address, &number))
        return NULL;
    *(volatile unsigned char *)(uintptr_t)address = (unsigned char)number;
    Py_RETURN_NONE;
}

static PyObject *free_code(PyObject *self, PyObject *address)
{
    munmap(PyLong_AsVoidPtr(address), PAGE);
    Py_RETURN_NONE;
}

/* jump_label(recorder, facet, address, target): (label, value) */
static PyObject *jump_label(PyObject *self, PyObject *args)
{
    PyObject *recorder, *facet, *value;
    unsigned long long address, target;
    if (!PyArg_ParseTuple(args, "OOKK", &recorder, &facet, &address, &target))
        return NULL;
    PyObject *label = depwatch_jump_label(recorder, facet, (void *)(uintptr_t)address, (void *)(uintptr_t)target, &value);
    return label == NULL ? NULL : Py_BuildValue("NN", label, value);
}

static PyObject *label_guard(PyObject *self, PyObject *label)
{
    const uint8_t *byte = depwatch_label_guard(label);
    return byte == NULL ? NULL : PyLong_FromLong(*byte);
}

static PyObject *label_release(PyObject *self, PyObject *label)
{
    return depwatch_label_release(label) < 0 ? NULL : Py_NewRef(Py_None);
}

/* read_name(recorder, owner, name, absence): (value,), or () if it is missing */
static PyObject *read_name(PyObject *self, PyObject *args)
{
    PyObject *recorder, *owner, *name, *value;
    int absence;
    if (!PyArg_ParseTuple(args, "OOOp", &recorder, &owner, &name, &absence))
        return NULL;
    int found = depwatch_read_name(recorder, owner, name, absence, &value);
    return found < 0 ? NULL : found == 0 ? PyTuple_New(0) : Py_BuildValue("(N)", value);
}

static PyObject *allow_undone(PyObject *self, PyObject *recorder)
{
    return depwatch_allow_undone(recorder) < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *explain(PyObject *self, PyObject *handle) { return depwatch_explain((uint32_t)PyLong_AsUnsignedLong(handle)); }

static PyObject *handle_breaks(PyObject *self, PyObject *handle)
{
    int64_t breaks = depwatch_handle_breaks((uint32_t)PyLong_AsUnsignedLong(handle));
    return breaks == -2 ? NULL : PyLong_FromLongLong(breaks);
}

static PyObject *breaks(PyObject *self, PyObject *unused) { return PyLong_FromUnsignedLongLong(*depwatch_breaks()); }

static PyObject *drain(PyObject *self, PyObject *unused)
{
    Py_ssize_t n = depwatch_drain();
    return n < 0 ? NULL : PyLong_FromSsize_t(n);
}

static PyMethodDef methods[] = {
    {"import_again", import_again, METH_NOARGS},   {"sizes", sizes, METH_NOARGS},
    {"id_of", id_of, METH_O},                      {"facet_of_key", facet_of_key, METH_VARARGS},
    {"facet_of_global", facet_of_global, METH_VARARGS},
    {"facet_of_attribute", facet_of_attribute, METH_VARARGS},
    {"facet_of_function", facet_of_function, METH_VARARGS},
    {"facet_of_object", facet_of_object, METH_O},  {"facet_id", facet_id, METH_O},
    {"recorder_new", recorder_new, METH_VARARGS},  {"read", read_facet, METH_VARARGS},
    {"reads", reads, METH_O},                      {"commit", commit, METH_O},
    {"commit_many", commit_many, METH_VARARGS},    {"broken", broken, METH_O},
    {"retire", retire, METH_O},                    {"release", release, METH_O},
    {"value_cell", value_cell, METH_VARARGS},      {"guard_cell", guard_cell, METH_VARARGS},
    {"load", load, METH_VARARGS},                  {"guard", guard, METH_O},
    {"cell_release", cell_release, METH_O},        {"listen", listen, METH_O},
    {"listen_functions", listen_functions, METH_O}, {"unlisten", unlisten, METH_O},
    {"note_byte", note_byte, METH_O},              {"told", told, METH_NOARGS},
    {"listen_created", listen_created, METH_O},    {"listen_handle", listen_handle, METH_VARARGS},
    {"told_of_handles", told_of_handles, METH_NOARGS},
    {"listen_null", listen_null, METH_VARARGS},    {"emit", emit, METH_O},
    {"call", call, METH_O},                        {"poke", poke, METH_VARARGS},
    {"free_code", free_code, METH_O},              {"jump_label", jump_label, METH_VARARGS},
    {"label_guard", label_guard, METH_O},          {"label_release", label_release, METH_O},
    {"drain", drain, METH_NOARGS},                 {"read_name", read_name, METH_VARARGS},
    {"allow_undone", allow_undone, METH_O},        {"explain", explain, METH_O},
    {"handle_breaks", handle_breaks, METH_O},      {"breaks", breaks, METH_NOARGS},
    {NULL},
};

static int import_depwatch(PyObject *Py_UNUSED(module)) { return depwatch_import(); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, import_depwatch}, {0}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "capi_user", .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_capi_user(void) { return PyModuleDef_Init(&definition); }
