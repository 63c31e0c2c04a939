/* For the tests of tests/host only: watchers of dicts, types, functions and code objects whose callbacks write into an
 * array of fixed size and return 0, and what those tests need from the C API. Nothing of depwatch.
 */
#include "watching.h"

#include <stdlib.h>

#define CAPACITY 16384 /* entries; more are counted as dropped */
#define MAX_KEPT 16    /* types whose MRO is compared at each event */

typedef struct Entry {
    char kind;        /* D, T, F or C */
    int event;        /* number in CPython's enumeration of that kind; 0 for types */
    void *object;     /* borrowed address: never dereferenced after the callback */
    PyObject *key;    /* owned or NULL; the name of a type, function or code object */
    PyObject *value;  /* owned or NULL; the event's new value */
    PyObject *before; /* owned or NULL; what is there while the callback runs */
    Py_ssize_t used;  /* dicts: number of keys while the callback runs */
    unsigned moved;   /* bit i: the MRO of the i-th kept type is another one */
    Py_ssize_t references; /* to what is there while the callback runs: the log's own come after; 0: nothing is there */
    PyObject *code;   /* owned or NULL: of the running frame */
    int offset;       /* bytes into that code, -1 without one */
} Entry;

static Entry entries[CAPACITY];
static int n_entries;
static long dropped, late[128]; /* late: events by kind since finalization began */
static bool recording, told_at_exit;
static PyObject *probe;         /* owned or NULL: name that the type callback looks up in the type's own dict */
static PyTypeObject *kept[MAX_KEPT]; /* owned */
static PyObject *kept_mro[MAX_KEPT]; /* owned */
static int n_kept;

static struct _PyInterpreterFrame *current_frame(void)
{
#if PY_VERSION_HEX >= 0x030d0000
    return PyThreadState_GetUnchecked()->current_frame;
#else
    return _PyThreadState_UncheckedGet()->cframe->current_frame;
#endif
}

/* --- the callbacks ---------------------------------------------------------------------------------------------- */

static void log_references(char kind, int event, void *object, PyObject *key, PyObject *value, PyObject *before,
                           Py_ssize_t references)
{
    if (is_finalizing())
        late[(int)kind]++;
    if (!recording || is_finalizing())
        return;
    if (n_entries == CAPACITY) {
        dropped++;
        return;
    }
    Entry *entry = &entries[n_entries++];
    *entry = (Entry){kind, event, object, Py_XNewRef(key), Py_XNewRef(value), Py_XNewRef(before),
                     .references = references, .offset = -1};
    if (kind == 'D')
        entry->used = ((PyDictObject *)object)->ma_used;
    for (int i = 0; i < n_kept; i++)
        entry->moved |= (unsigned)(kept[i]->tp_mro != kept_mro[i]) << i;
    struct _PyInterpreterFrame *frame = current_frame();
    if (frame != NULL) {
        entry->code = PyUnstable_InterpreterFrame_GetCode(frame);
        if (PyCode_Check(entry->code))
            entry->offset = PyUnstable_InterpreterFrame_GetLasti(frame);
    }
}

static void log_event(char kind, int event, void *object, PyObject *key, PyObject *value, PyObject *before)
{
    log_references(kind, event, object, key, value, before, before == NULL ? 0 : Py_REFCNT(before));
}

/* Of keys whose comparison runs no Python: str, its plain subclasses, int. */
static PyObject *peek(PyObject *dict, PyObject *key)
{
    PyObject *raised = PyErr_GetRaisedException();
    PyObject *value = key == NULL ? NULL : PyDict_GetItemWithError(dict, key);
    PyErr_Clear();
    PyErr_SetRaisedException(raised);
    return value;
}

static int on_dict(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    bool has_key = event == PyDict_EVENT_ADDED || event == PyDict_EVENT_MODIFIED || event == PyDict_EVENT_DELETED;
    PyObject *before = has_key && recording ? peek(dict, key) : NULL;
    PyObject *counted = has_key || !recording ? before : peek(dict, probe); /* not kept: the dict may be dying */
    log_references('D', event, dict, key, value, before, counted == NULL ? 0 : Py_REFCNT(counted));
    return 0;
}

static int on_type(PyTypeObject *type)
{
    if (!recording) {
        log_event('T', 0, type, NULL, NULL, NULL);
        return 0;
    }
    PyObject *dict = PyType_GetDict(type);
    PyObject *name = PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) ? ((PyHeapTypeObject *)type)->ht_name : NULL;
    log_event('T', 0, type, name, NULL, dict == NULL ? NULL : peek(dict, probe));
    Py_XDECREF(dict);
    return 0;
}

/* All functions of the process come here: only those compiled from "<host>" are logged. */
static bool is_ours(PyCodeObject *code)
{
    return PyUnicode_Check(code->co_filename) && PyUnicode_CompareWithASCIIString(code->co_filename, "<host>") == 0;
}

static int on_function(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    if (is_finalizing() || (recording && is_ours((PyCodeObject *)function->func_code))) {
        PyObject *before = event == PyFunction_EVENT_MODIFY_CODE         ? function->func_code
                           : event == PyFunction_EVENT_MODIFY_DEFAULTS   ? function->func_defaults
                           : event == PyFunction_EVENT_MODIFY_KWDEFAULTS ? function->func_kwdefaults
                           : event == PyFunction_EVENT_CREATE            ? function->func_defaults
                           : event == PyFunction_EVENT_DESTROY           ? NULL
                                                                         : function->func_qualname;
        log_event('F', event, function, function->func_qualname, value, before);
    }
    return 0;
}

static int on_code(PyCodeEvent event, PyCodeObject *code)
{
    if (is_finalizing() || (recording && is_ours(code)))
        log_event('C', event, code, code->co_qualname, NULL, NULL);
    return 0;
}

/* --- slots ------------------------------------------------------------------------------------------------------ */

#if PY_VERSION_HEX >= 0x030e0000
static int on_context(PyContextEvent event, PyObject *context) { return 0; }
#endif

static const Callbacks callbacks = {
    on_dict, on_type, on_function, on_code,
#if PY_VERSION_HEX >= 0x030e0000
    on_context,
#endif
};

static PyObject *add(PyObject *self, PyObject *args)
{
    int kind;
    return PyArg_ParseTuple(args, "C", &kind) ? slot_or_null(add_watcher(kind, &callbacks)) : NULL;
}

static PyObject *clear(PyObject *self, PyObject *args)
{
    int kind, slot;
    return PyArg_ParseTuple(args, "Ci", &kind, &slot) ? done(clear_watcher(kind, slot)) : NULL;
}

static PyObject *watch(PyObject *self, PyObject *args)
{
    int slot;
    PyObject *object;
    if (!PyArg_ParseTuple(args, "iO", &slot, &object))
        return NULL;
    return done(PyType_Check(object) ? PyType_Watch(slot, object) : PyDict_Watch(slot, object));
}

static PyObject *unwatch(PyObject *self, PyObject *args)
{
    int slot;
    PyObject *object;
    if (!PyArg_ParseTuple(args, "iO", &slot, &object))
        return NULL;
    return done(PyType_Check(object) ? PyType_Unwatch(slot, object) : PyDict_Unwatch(slot, object));
}

/* --- a dict watcher that does what a callback must not ----------------------------------------------------------- */

static const char *const deeds[] = {"watch", "unwatch", "set the same key", "fail without an exception",
                                    "succeed with an exception", "fail", NULL};
static int deed = -1, deed_slot;
static bool doing;

static int on_dict_badly(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    if (doing || deed < 0 || event == PyDict_EVENT_DEALLOCATED)
        return 0;
    doing = true;
    int result = 0;
    switch (deed) {
    case 0:
        result = PyDict_Watch(deed_slot, dict);
        break;
    case 1:
        result = PyDict_Unwatch(deed_slot, dict);
        break;
    case 2:
        result = PyDict_SetItem(dict, key, Py_None);
        break;
    case 3:
        result = -1;
        break;
    case 4:
        PyErr_SetString(PyExc_ValueError, "from the callback");
        break;
    case 5:
        PyErr_SetString(PyExc_ValueError, "from the callback");
        result = -1;
    }
    doing = false;
    return result;
}

/* Returns its slot. watch and unwatch act for the second argument. */
static PyObject *add_bad(PyObject *self, PyObject *args)
{
    const char *name;
    if (!PyArg_ParseTuple(args, "s|i", &name, &deed_slot))
        return NULL;
    for (deed = 0; deeds[deed] != NULL && strcmp(deeds[deed], name) != 0; deed++)
        ;
    return slot_or_null(PyDict_AddWatcher(on_dict_badly));
}

/* --- the log ---------------------------------------------------------------------------------------------------- */

static const char *event_name(const Entry *entry)
{
    return entry->kind == 'D'   ? dict_events[entry->event]
           : entry->kind == 'F' ? function_events[entry->event]
           : entry->kind == 'C' ? code_events[entry->event]
                                : "TYPE";
}

static PyObject *record(PyObject *self, PyObject *on)
{
    recording = on == Py_True;
    Py_RETURN_NONE;
}

/* The log as tuples, and empties it; what is NULL reads as Ellipsis. */
static PyObject *take(PyObject *self, PyObject *unused)
{
    if (dropped != 0)
        return PyErr_Format(PyExc_OverflowError, "%ld events more than the log holds", dropped);
    PyObject *list = PyList_New(n_entries);
    for (int i = 0; list != NULL && i < n_entries; i++) {
        Entry *entry = &entries[i];
        bool has_code = entry->offset >= 0;
        int line = has_code ? PyCode_Addr2Line((PyCodeObject *)entry->code, entry->offset) : -1;
        PyObject *tuple = Py_BuildValue("CsKOOOnIOiin", entry->kind, event_name(entry), (unsigned long long)entry->object,
                                        OR_NULL(entry->key), OR_NULL(entry->value), OR_NULL(entry->before), entry->used,
                                        entry->moved, OR_NULL(entry->code), entry->offset, line, entry->references);
        if (tuple == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, tuple);
    }
    int n = n_entries;
    n_entries = 0;
    for (int i = 0; i < n; i++) {
        Py_XDECREF(entries[i].key);
        Py_XDECREF(entries[i].value);
        Py_XDECREF(entries[i].before);
        Py_XDECREF(entries[i].code);
    }
    return list;
}

static PyObject *set_probe(PyObject *self, PyObject *name)
{
    Py_XSETREF(probe, name == Py_None ? NULL : Py_NewRef(name));
    Py_RETURN_NONE;
}

/* keep(*types): compare the MROs that these types have now. */
static PyObject *keep(PyObject *self, PyObject *types)
{
    int n = n_kept;
    n_kept = 0;
    for (int i = 0; i < n; i++) {
        Py_CLEAR(kept[i]);
        Py_CLEAR(kept_mro[i]);
    }
    for (; n_kept < PyTuple_GET_SIZE(types) && n_kept < MAX_KEPT; n_kept++) {
        kept[n_kept] = (PyTypeObject *)Py_NewRef(PyTuple_GET_ITEM(types, n_kept));
        kept_mro[n_kept] = Py_NewRef(kept[n_kept]->tp_mro);
    }
    Py_RETURN_NONE;
}

static void tell_at_exit(void) { printf("late D=%ld T=%ld F=%ld C=%ld\n", late['D'], late['T'], late['F'], late['C']); }

/* Prints at the process's end how many events came since finalization had begun. */
static PyObject *tell_late_events(PyObject *self, PyObject *unused)
{
    if (!told_at_exit)
        atexit(tell_at_exit);
    told_at_exit = true;
    Py_RETURN_NONE;
}

/* --- looking into objects ---------------------------------------------------------------------------------------- */

static PyObject *type_dict(PyObject *self, PyObject *type) { return PyType_GetDict((PyTypeObject *)type); }

static PyObject *dict_in_field(PyObject *self, PyObject *type)
{
    return Py_NewRef(OR_NULL(((PyTypeObject *)type)->tp_dict));
}

/* What the field tp_subclasses has: a dict for heap types (by its own reference), else Ellipsis. */
static PyObject *subclasses(PyObject *self, PyObject *type)
{
    PyObject *table = PyType_HasFeature((PyTypeObject *)type, Py_TPFLAGS_HEAPTYPE) ? ((PyTypeObject *)type)->tp_subclasses
                                                                                    : NULL;
    return Py_NewRef(OR_NULL(table));
}

static PyObject *assign_version_tag(PyObject *self, PyObject *type)
{
    return PyBool_FromLong(PyUnstable_Type_AssignVersionTag((PyTypeObject *)type));
}

static PyObject *is_split(PyObject *self, PyObject *dict)
{
    return PyBool_FromLong(((PyDictObject *)dict)->ma_values != NULL);
}

/* Addresses of tp_richcompare and tp_hash. */
static PyObject *comparison(PyObject *self, PyObject *type)
{
    PyTypeObject *cls = (PyTypeObject *)type;
    return Py_BuildValue("KK", (unsigned long long)cls->tp_richcompare, (unsigned long long)cls->tp_hash);
}

/* (lv_tag, digits, compact, compact value or None) */
static PyObject *int_layout(PyObject *self, PyObject *number)
{
    PyLongObject *integer = (PyLongObject *)number;
    Py_ssize_t n = (Py_ssize_t)(integer->long_value.lv_tag >> 3);
    bool compact = PyUnstable_Long_IsCompact(integer);
    PyObject *digits = PyList_New(n);
    for (Py_ssize_t i = 0; digits != NULL && i < n; i++)
        PyList_SET_ITEM(digits, i, PyLong_FromUnsignedLong(integer->long_value.ob_digit[i]));
    PyObject *value = compact ? PyLong_FromSsize_t(PyUnstable_Long_CompactValue(integer)) : Py_NewRef(Py_None);
    return Py_BuildValue("KNNN", (unsigned long long)integer->long_value.lv_tag, digits, PyBool_FromLong(compact), value);
}

/* (hash field, interned, length, kind, data) */
static PyObject *str_layout(PyObject *self, PyObject *str)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(str);
    int kind = PyUnicode_KIND(str);
    return Py_BuildValue("nNniy#", ((PyASCIIObject *)str)->hash, PyBool_FromLong(PyUnicode_CHECK_INTERNED(str) != 0),
                         length, kind, (const char *)PyUnicode_DATA(str), length * kind);
}

static PyObject *float_bits(PyObject *self, PyObject *number)
{
    unsigned long long bits;
    memcpy(&bits, &((PyFloatObject *)number)->ob_fval, sizeof bits);
    return PyLong_FromUnsignedLongLong(bits);
}

static PyObject *weakref_field(PyObject *self, PyObject *reference)
{
    return Py_NewRef(((PyWeakReference *)reference)->wr_object);
}

/* --- changing them through the C API ------------------------------------------------------------------------------ */

static PyObject *set_item(PyObject *self, PyObject *args)
{
    PyObject *dict, *key, *value;
    return PyArg_ParseTuple(args, "OOO", &dict, &key, &value) ? done(PyDict_SetItem(dict, key, value)) : NULL;
}

static PyObject *set_default(PyObject *self, PyObject *args)
{
    PyObject *dict, *key, *value;
    return PyArg_ParseTuple(args, "OOO", &dict, &key, &value) ? Py_XNewRef(PyDict_SetDefault(dict, key, value)) : NULL;
}

static PyObject *set_default_ref(PyObject *self, PyObject *args)
{
    PyObject *dict, *key, *value, *result = NULL;
    if (!PyArg_ParseTuple(args, "OOO", &dict, &key, &value))
        return NULL;
#if PY_VERSION_HEX >= 0x030d0000
    PyDict_SetDefaultRef(dict, key, value, &result);
#else
    result = Py_XNewRef(PyDict_SetDefault(dict, key, value));
#endif
    return result;
}

static PyObject *merge(PyObject *self, PyObject *args)
{
    PyObject *dict, *other;
    int override;
    return PyArg_ParseTuple(args, "OOp", &dict, &other, &override) ? done(PyDict_Merge(dict, other, override)) : NULL;
}

static PyObject *module_add(PyObject *self, PyObject *args)
{
    PyObject *module, *value;
    const char *name;
    return PyArg_ParseTuple(args, "OsO", &module, &name, &value) ? done(PyModule_AddObjectRef(module, name, value)) : NULL;
}

static PyObject *generic_set(PyObject *self, PyObject *args)
{
    PyObject *object, *name, *value;
    return PyArg_ParseTuple(args, "OOO", &object, &name, &value) ? done(PyObject_GenericSetAttr(object, name, value)) : NULL;
}

static PyObject *set_function(PyObject *self, PyObject *args)
{
    const char *what;
    PyObject *function, *value;
    if (!PyArg_ParseTuple(args, "sO!O", &what, &PyFunction_Type, &function, &value))
        return NULL;
    int result = strcmp(what, "defaults") == 0     ? PyFunction_SetDefaults(function, value)
                 : strcmp(what, "kwdefaults") == 0 ? PyFunction_SetKwDefaults(function, value)
                 : strcmp(what, "closure") == 0    ? PyFunction_SetClosure(function, value)
                                                   : PyFunction_SetAnnotations(function, value);
    return done(result);
}

static PyObject *set_cell(PyObject *self, PyObject *args)
{
    PyObject *cell, *value;
    return PyArg_ParseTuple(args, "OO", &cell, &value) ? done(PyCell_Set(cell, value)) : NULL;
}

static PyObject *set_vectorcall(PyObject *self, PyObject *function)
{
    PyFunction_SetVectorcall((PyFunctionObject *)function, ((PyFunctionObject *)function)->vectorcall);
    Py_RETURN_NONE;
}

/* --- an insertion that runs out of memory ------------------------------------------------------------------------- */

static void *no_malloc(void *context, size_t size) { return NULL; }
static void *no_calloc(void *context, size_t n, size_t size) { return NULL; }
static void *no_realloc(void *context, void *old, size_t size) { return NULL; }
static void pass_free(void *context, void *memory)
{
    PyMemAllocatorEx *real = context;
    real->free(real->ctx, memory);
}

/* One operation on a dict with no memory to be had; returns the exception's type, or None. */
static PyObject *without_memory(PyObject *self, PyObject *args)
{
    static const PyMemAllocatorDomain domains[2] = {PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    PyMemAllocatorEx real[2];
    const char *operation;
    PyObject *dict, *key, *value = Py_None;
    if (!PyArg_ParseTuple(args, "sOO|O", &operation, &dict, &key, &value))
        return NULL;
    for (int i = 0; i < 2; i++) {
        PyMem_GetAllocator(domains[i], &real[i]);
        PyMemAllocatorEx none = {&real[i], no_malloc, no_calloc, no_realloc, pass_free};
        PyMem_SetAllocator(domains[i], &none);
    }
    if (strcmp(operation, "set_item") == 0)
        PyDict_SetItem(dict, key, value);
    else if (strcmp(operation, "set_default") == 0)
        PyDict_SetDefault(dict, key, value); /* 3.13.0 can return the value although it failed */
    else
        PyDict_Merge(dict, key, 1);
    for (int i = 0; i < 2; i++)
        PyMem_SetAllocator(domains[i], &real[i]);
    PyObject *raised = PyErr_GetRaisedException();
    if (raised == NULL)
        Py_RETURN_NONE;
    PyObject *type = Py_NewRef(Py_TYPE(raised));
    Py_DECREF(raised);
    return type;
}

/* --- what the garbage collector visits -------------------------------------------------------------------------- */

typedef struct Search {
    PyObject *wanted;
    bool found;
} Search;

static int look_at(PyObject *object, void *search)
{
    ((Search *)search)->found |= object == ((Search *)search)->wanted;
    return 1;
}

static PyObject *visited(PyObject *self, PyObject *object)
{
    Search search = {object, false};
    PyUnstable_GC_VisitObjects(look_at, &search);
    return PyBool_FromLong(search.found);
}

static PyMethodDef methods[] = {
    {"add", add, METH_VARARGS},
    {"clear", clear, METH_VARARGS},
    {"watch", watch, METH_VARARGS},
    {"unwatch", unwatch, METH_VARARGS},
    {"add_bad", add_bad, METH_VARARGS},
    {"record", record, METH_O},
    {"take", take, METH_NOARGS},
    {"set_probe", set_probe, METH_O},
    {"keep", keep, METH_VARARGS},
    {"tell_late_events", tell_late_events, METH_NOARGS},
    {"type_dict", type_dict, METH_O},
    {"dict_in_field", dict_in_field, METH_O},
    {"subclasses", subclasses, METH_O},
    {"visited", visited, METH_O},
    {"assign_version_tag", assign_version_tag, METH_O},
    {"is_split", is_split, METH_O},
    {"comparison", comparison, METH_O},
    {"int_layout", int_layout, METH_O},
    {"str_layout", str_layout, METH_O},
    {"float_bits", float_bits, METH_O},
    {"weakref_field", weakref_field, METH_O},
    {"set_item", set_item, METH_VARARGS},
    {"set_default", set_default, METH_VARARGS},
    {"set_default_ref", set_default_ref, METH_VARARGS},
    {"merge", merge, METH_VARARGS},
    {"module_add", module_add, METH_VARARGS},
    {"generic_set", generic_set, METH_VARARGS},
    {"set_function", set_function, METH_VARARGS},
    {"set_cell", set_cell, METH_VARARGS},
    {"set_vectorcall", set_vectorcall, METH_O},
    {"without_memory", without_memory, METH_VARARGS},
    {NULL},
};

static void add_names(PyObject *module, const char *attribute, const char *const *names)
{
    PyObject *list = PyList_New(0);
    for (; *names != NULL; names++) {
        PyObject *name = PyUnicode_FromString(*names);
        PyList_Append(list, name);
        Py_DECREF(name);
    }
    PyModule_AddObjectRef(module, attribute, list);
    Py_DECREF(list);
}

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hostwatch", NULL, -1, methods};

PyMODINIT_FUNC PyInit_hostwatch(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL) {
        add_names(module, "DICT_EVENTS", dict_events);
        add_names(module, "FUNCTION_EVENTS", function_events);
        add_names(module, "CODE_EVENTS", code_events);
        PyModule_AddIntMacro(module, PyLong_SHIFT);
    }
    return module;
}
