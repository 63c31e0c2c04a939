#include "watch/self_check.h"

#include <Python.h>
#include <stdbool.h>
#include <string.h>

#include "watch/errors.h"

/* One event that the test watcher received for the object under test. */
typedef struct Event {
    int event;
    PyObject *key, *value; /* borrowed: compared only */
    PyObject *before;      /* borrowed: the value that the object still had when the event came */
} Event;

static struct {
    void *subject;
    PyObject *key; /* if the subject is a dict: looked up at each event, to see whether the event precedes the change */
    Event events[8];
    int n_events;
} seen;

static void look_at(void *subject, PyObject *key)
{
    seen.subject = subject;
    seen.key = key;
    seen.n_events = 0;
}

static int see(const void *object, int event, PyObject *key, PyObject *value, PyObject *before)
{
    if (object == seen.subject && seen.n_events < (int)Py_ARRAY_LENGTH(seen.events))
        seen.events[seen.n_events++] = (Event){event, key, value, before};
    return 0;
}

static bool only_seen(int event, PyObject *key, PyObject *value, PyObject *before)
{
    const Event *first = &seen.events[0];
    bool right = seen.n_events == 1 && first->event == event && first->key == key && first->value == value &&
                 first->before == before;
    seen.n_events = 0;
    return right;
}

/* Returns 0 if CPython kept the rule. Else -1 with an exception: the one already set (out of memory), or Unwatchable that
 * names the rule. */
static int rule(bool right, const char *kind, const char *words)
{
    if (PyErr_Occurred())
        return -1;
    if (right)
        return 0;
    PyErr_Format(Unwatchable_error,
                 "depwatch watches no %s here: CPython %.20s breaks a rule that depwatch relies on (%s); use another patch "
                 "release of CPython, or a newer depwatch",
                 kind, Py_GetVersion(), words);
    return -1;
}

/* --- dicts -------------------------------------------------------------------------------------------------------- */

static int on_dict(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    PyObject *before = dict == seen.subject && event != PyDict_EVENT_DEALLOCATED && seen.key != NULL
                           ? PyDict_GetItemWithError(dict, seen.key) /* all keys are exact strs: runs no Python */
                           : NULL;
    return see(dict, (int)event, key, value, before);
}

#define DICT_RULE(done, event, key, value, before, words) \
    rule((done) && only_seen(event, key, value, before), "dict", words)

/* a, b: values. */
static int check_stores(PyObject *dict, PyObject *key, PyObject *a, PyObject *b)
{
    look_at(dict, key);
    if (DICT_RULE(PyDict_SetItem(dict, key, a) == 0, PyDict_EVENT_ADDED, key, a, NULL,
                  "a dict reports a new key and its value before it stores them") < 0 ||
        DICT_RULE(PyDict_SetItem(dict, key, b) == 0, PyDict_EVENT_MODIFIED, key, b, a,
                  "a dict reports another value of a key before it stores it") < 0 ||
        DICT_RULE(PyDict_DelItem(dict, key) == 0, PyDict_EVENT_DELETED, key, NULL, b,
                  "a dict reports the deletion of a key before it deletes it") < 0 ||
        DICT_RULE(PyDict_SetDefault(dict, key, a) == a, PyDict_EVENT_ADDED, key, a, NULL,
                  "a dict reports setdefault() of a new key") < 0)
        return -1;
    PyObject *popped = PyObject_CallMethod(dict, "pop", "O", key);
    Py_XDECREF(popped);
    if (DICT_RULE(popped == a, PyDict_EVENT_DELETED, key, NULL, a, "a dict reports pop()") < 0)
        return -1;
    if (PyDict_SetItem(dict, key, a) < 0)
        return -1;
    seen.n_events = 0;
    PyDict_Clear(dict);
    return DICT_RULE(true, PyDict_EVENT_CLEARED, NULL, NULL, a, "a dict reports clear() before it is empty");
}

/* An empty dict that is filled from another one reports either one event for all keys, or one event for each key. */
static int check_filling(PyObject *dict, PyObject *key, PyObject *value)
{
    PyObject *source = PyDict_New();
    bool filled = source != NULL && PyDict_SetItem(source, key, value) == 0 && PyDict_Update(dict, source) == 0;
    const Event *first = &seen.events[0];
    bool cloned = first->event == PyDict_EVENT_CLONED && first->key == source;
    bool added = first->event == PyDict_EVENT_ADDED && first->key == key && first->value == value;
    int result = rule(filled && seen.n_events == 1 && first->before == NULL && (cloned || added), "dict",
                      "an empty dict reports that it is about to be filled from another dict");
    Py_XDECREF(source);
    return result;
}

static int check_death(PyObject *dict)
{
    look_at(dict, NULL);
    Py_DECREF(dict);
    return DICT_RULE(true, PyDict_EVENT_DEALLOCATED, NULL, NULL, NULL, "a dict reports that it dies");
}

/* Assigning an attribute of a class must be reported as a store into the class's dict. */
static int check_class(int slot, PyObject *key, PyObject *value)
{
    PyObject *type = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "depwatch_self_check");
    PyObject *dict = type == NULL ? NULL : PyType_GetDict((PyTypeObject *)type);
    int result = -1;
    if (dict != NULL && PyDict_Watch(slot, dict) == 0) {
        look_at(dict, key);
        result = DICT_RULE(PyObject_SetAttr(type, key, value) == 0, PyDict_EVENT_ADDED, key, value, NULL,
                           "the dict of a class reports the assignment of an attribute before it is made");
        if (result == 0)
            result = DICT_RULE(PyObject_DelAttr(type, key) == 0, PyDict_EVENT_DELETED, key, NULL, value,
                               "the dict of a class reports the deletion of an attribute before it is made");
    }
    look_at(NULL, NULL); /* CPython clears the dict when the class dies */
    Py_XDECREF(dict);
    Py_XDECREF(type);
    return result;
}

static int check_dicts(int slot)
{
    PyObject *key = PyUnicode_InternFromString("depwatch_self_check"), *a = PyFloat_FromDouble(1.5);
    PyObject *b = PyFloat_FromDouble(2.5), *dict = PyDict_New();
    int result = -1;
    if (key != NULL && a != NULL && b != NULL && dict != NULL && PyDict_Watch(slot, dict) == 0 &&
        check_stores(dict, key, a, b) == 0 && check_filling(dict, key, a) == 0) {
        PyObject *last = dict;
        dict = NULL;
        result = check_death(last);
        if (result == 0)
            result = check_class(slot, key, a);
    }
    look_at(NULL, NULL);
    Py_XDECREF(dict);
    Py_XDECREF(b);
    Py_XDECREF(a);
    Py_XDECREF(key);
    return result;
}

int self_check_dicts(void)
{
    int slot = PyDict_AddWatcher(on_dict);
    if (slot < 0) {
        PyErr_Clear();
        return 0;
    }
    int result = check_dicts(slot);
    PyObject *raised = PyErr_GetRaisedException();
    PyDict_ClearWatcher(slot);
    PyErr_SetRaisedException(raised);
    return result;
}

/* --- functions ---------------------------------------------------------------------------------------------------- */

static PyObject *part(const PyFunctionObject *function, int event)
{
    return event == PyFunction_EVENT_MODIFY_CODE         ? function->func_code
           : event == PyFunction_EVENT_MODIFY_DEFAULTS   ? function->func_defaults
           : event == PyFunction_EVENT_MODIFY_KWDEFAULTS ? function->func_kwdefaults
                                                         : NULL;
}

static int on_function(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    if (event == PyFunction_EVENT_CREATE && seen.subject == NULL && function->func_code == seen.key)
        seen.subject = function;
    return see(function, (int)event, NULL, value, part(function, (int)event));
}

static int check_part(PyObject *function, const char *name, int event, PyObject *value, const char *words)
{
    PyObject *before = part((PyFunctionObject *)function, event);
    seen.n_events = 0;
    bool set = PyObject_SetAttrString(function, name, value) == 0;
    return rule(set && only_seen(event, NULL, value, before), "function", words);
}

static int check_functions(PyObject *code, PyObject *other, PyObject *globals, PyObject *defaults)
{
    look_at(NULL, code);
    PyObject *function = PyFunction_New(code, globals);
    int result = rule(function != NULL && seen.subject == function && only_seen(PyFunction_EVENT_CREATE, NULL, NULL, NULL),
                      "function", "a function reports that it is made");
    seen.key = NULL;
    if (result == 0 &&
        (check_part(function, "__code__", PyFunction_EVENT_MODIFY_CODE, other,
                    "a function reports an assignment of __code__ before it is made") < 0 ||
         check_part(function, "__defaults__", PyFunction_EVENT_MODIFY_DEFAULTS, defaults,
                    "a function reports an assignment of __defaults__ before it is made") < 0 ||
         check_part(function, "__kwdefaults__", PyFunction_EVENT_MODIFY_KWDEFAULTS, globals,
                    "a function reports an assignment of __kwdefaults__ before it is made") < 0))
        result = -1;
    seen.n_events = 0;
    Py_XDECREF(function);
    if (result == 0)
        result = rule(only_seen(PyFunction_EVENT_DESTROY, NULL, NULL, NULL), "function", "a function reports that it dies");
    return result;
}

int self_check_functions(void)
{
    int slot = PyFunction_AddWatcher(on_function);
    if (slot < 0) {
        PyErr_Clear();
        return 0;
    }
    PyObject *code = (PyObject *)PyCode_NewEmpty("depwatch", "self_check", 1), *globals = PyDict_New();
    PyObject *other = (PyObject *)PyCode_NewEmpty("depwatch", "self_check", 2), *defaults = PyTuple_New(0);
    int result = -1;
    if (code != NULL && other != NULL && globals != NULL && defaults != NULL &&
        PyDict_SetItemString(globals, "__builtins__", globals) == 0)
        result = check_functions(code, other, globals, defaults);
    PyObject *raised = PyErr_GetRaisedException();
    look_at(NULL, NULL);
    PyFunction_ClearWatcher(slot);
    if (globals != NULL)
        PyDict_Clear(globals); /* breaks the reference cycle: the dict contains itself */
    Py_XDECREF(defaults);
    Py_XDECREF(globals);
    Py_XDECREF(other);
    Py_XDECREF(code);
    PyErr_SetRaisedException(raised);
    return result;
}

/* --- code objects ------------------------------------------------------------------------------------------------- */

static int on_code(PyCodeEvent event, PyCodeObject *code) { return see(code, (int)event, NULL, NULL, NULL); }

int self_check_codes(void)
{
    int slot = PyCode_AddWatcher(on_code);
    if (slot < 0) {
        PyErr_Clear();
        return 0;
    }
    PyObject *code = (PyObject *)PyCode_NewEmpty("depwatch", "self_check", 1);
    look_at(code, NULL);
    Py_XDECREF(code);
    int result = rule(code != NULL && only_seen(PY_CODE_EVENT_DESTROY, NULL, NULL, NULL), "code object",
                      "a code object reports that it dies");
    PyObject *raised = PyErr_GetRaisedException();
    look_at(NULL, NULL);
    PyCode_ClearWatcher(slot);
    PyErr_SetRaisedException(raised);
    return result;
}
