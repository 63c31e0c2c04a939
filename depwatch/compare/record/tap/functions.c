/* Functions: exact counts of calls, by a callback of sys.monitoring that mostly only counts. */
#include "value.h"

#include "index/address_map.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LINES 65536u /* of a code object */
#define FIRST_THRESHOLD 10u
#define MAX_NAMESPACES 16u /* that are told apart, of one code object: some code gets another one at each call */
#define LINES_FROM 2u /* most code is called once: nobody depends on which of its lines run */

/* By code object, the first function of each. CPython has a place in code objects for such data, and calls a program's free
 * functions for the data of others, with NULL. */
static AddressMap functions = {.slots = address_map_nothing};
static int watcher = -1; /* of code objects: tells when one dies */
static PyObject *on_first, *on_threshold, *disable; /* owned */
static uint64_t hot_after;
static List written; /* functions that are in the trace */
static uint64_t other_namespaces; /* calls in one more than are told apart, which count as calls in the first */
static Function ignored; /* code of ours: not a part of the program */
static Function gone;    /* what a capsule names whose function died */
static const char capsule_name[] = "depwatch.compare.record.function";

static void write_calls(Function *function, uint64_t time)
{
    if (function->written == function->calls)
        return;
    function->written = function->calls;
    Row *row = journal_row(ROW_CALLS, time);
    row->function = function->number;
    row->calls = function->calls;
    row->flags = FLAG_CALLS;
    journal_add();
}

static void die(Function *function)
{
    if (function->number != NONE) {
        list_remove(&written, function);
        function_forget(function);
        if (tap.on) {
            uint64_t time = journal_time();
            write_calls(function, time);
            Row *row = journal_row(ROW_GONE, time);
            row->function = function->number;
            journal_add();
        }
    }
    if (function->python != NULL)
        list_add(&tap.garbage, function->python);
    if (function->self != NULL) {
        PyCapsule_SetPointer(function->self, &gone);
        list_add(&tap.garbage, function->self);
    }
    free(function);
}

/* The code object is freed: at any time, also inside callbacks. */
static void code_dies(PyCodeObject *code)
{
    Function *function = address_map_find(&functions, code);
    if (function == NULL)
        return;
    address_map_remove(&functions, code);
    if (function == &ignored)
        return;
    free(function->lines->ran);
    free(function->lines);
    while (function != NULL) {
        Function *other = function->other;
        die(function);
        function = other;
    }
}

static int on_code_event(PyCodeEvent event, PyCodeObject *code)
{
    if (event == PY_CODE_EVENT_DESTROY)
        code_dies(code);
    return 0;
}

Function *function_of(PyObject *code)
{
    Function *function = address_map_find(&functions, code);
    return function == &ignored ? NULL : function;
}

Function *function_named(PyObject *self)
{
    Function *function = PyCapsule_GetPointer(self, capsule_name);
    return function == &gone ? NULL : function;
}

void function_watch_next(Function *function)
{
    function->next = function->look || function->struck         ? 0
                     : function->again < function->threshold ? function->again
                                                             : function->threshold;
}

/* Something that it depends on has changed, so that some policy may have dropped its code, and makes it anew after so many calls,
 * with what it depends on then; or a line of it has run for the first time, and its caches are warm then. What changes all the
 * time does not have Python look all the time. */
void function_disturbed(Function *function)
{
    if (function->number == NONE || function->again != NEVER ||
        (function->calls < function->rested && function->n_ran == function->lines->n_ran))
        return;
    function->again = function->calls + hot_after;
    function_watch_next(function);
}

static uint64_t next_threshold(uint64_t calls)
{
    if (calls < LINES_FROM && hot_after > LINES_FROM)
        return LINES_FROM;
    uint64_t next = calls < FIRST_THRESHOLD ? FIRST_THRESHOLD : 50;
    while (next <= calls)
        next *= 10;
    return calls < hot_after && hot_after < next ? hot_after : next;
}

/* A new function, or NULL with MemoryError set. first: of this code, or NULL. */
static Function *function_new(PyObject *code, PyObject *globals, uint32_t file, Function *first)
{
    Function *function = calloc(1, sizeof *function);
    Lines *lines = first != NULL ? first->lines : calloc(1, sizeof *lines);
    if (function == NULL || lines == NULL || (first == NULL && !address_map_insert(&functions, code, function))) {
        free(function);
        if (first == NULL)
            free(lines);
        return (Function *)PyErr_NoMemory();
    }
    lines->first = ((PyCodeObject *)code)->co_firstlineno;
    function->lines = lines;
    function->file = file;
    function->again = NEVER;
    function->number = NONE;
    function->code = (PyCodeObject *)code;
    function->globals = globals;
    function->threshold = next_threshold(0);
    function_watch_next(function);
    if (first != NULL) {
        function->other = first->other;
        first->other = function;
    }
    return function;
}

/* The function that is called: of code that has not been called yet, or not in this namespace. &ignored; or NULL with an
 * exception set. */
static Function *find_called(PyObject *code, PyObject *globals)
{
    Function *first = address_map_find(&functions, code);
    if (first == NULL) {
        PyObject *number = PyObject_CallOneArg(on_first, code);
        if (number == NULL)
            return NULL;
        uint32_t file = number == Py_None ? NONE : (uint32_t)PyLong_AsUnsignedLong(number);
        Py_DECREF(number);
        first = address_map_find(&functions, code); /* another thread came first */
        if (first == NULL && file != NONE)
            return function_new(code, globals, file, NULL);
        if (first == NULL)
            return address_map_insert(&functions, code, &ignored) ? &ignored : (Function *)PyErr_NoMemory();
    }
    uint32_t n = 0;
    for (Function *each = first; each != NULL; each = each->other, n++)
        if (each->globals == globals || each == &ignored)
            return each;
    if (n < MAX_NAMESPACES)
        return function_new(code, globals, first->file, first);
    other_namespaces++;
    return first;
}

/* Of each instruction as it is in running code: how many units of cache follow it; whether the cache has a number of a class or
 * of a function. */
static uint8_t caches[256], has_number[256];

/* Changes when another class or function was seen somewhere, or another line has run: then it may depend on something else. */
static uint64_t what_was_seen(const Function *function)
{
    const uint8_t *units = (const uint8_t *)function->code->co_code_adaptive;
    Py_ssize_t size = 2 * Py_SIZE(function->code);
    uint64_t hash = hash_bytes(&function->lines->n_ran, sizeof function->lines->n_ran, UINT64_C(0xcbf29ce484222325));
    for (Py_ssize_t at = 0; at + 8 <= size; at += 2 * (1 + caches[units[at]]))
        if (has_number[units[at]])
            hash = hash_bytes(units + at + 4, 4, hash ^ (uint64_t)at);
    return hash;
}

void function_look_later(Function *function)
{
    uint64_t later = function->calls + (function->calls > hot_after ? function->calls : hot_after);
    function->seen = 0;
    if (function->again > later)
        function->again = later;
    function_watch_next(function);
}

void function_compiles(Function *function)
{
    if (tap.on && function->number != NONE)
        write_calls(function, journal_time());
}

/* Python looks at what it depends on, unless that is known. */
static int look(Function *function)
{
    uint64_t calls = function->calls;
    if (function->self == NULL && (function->self = PyCapsule_New(function, capsule_name, NULL)) == NULL)
        return -1;
    PyObject *self = Py_NewRef(function->self), *python = function->python == NULL ? Py_None : function->python;
    windows_write_of(function);
    if (calls >= function->again)
        function->again = NEVER;
    if (function->look && function->again == NEVER)
        function->again = calls - 1 + hot_after; /* its caches still have what it called before the change */
    uint64_t seen = what_was_seen(function);
    bool is_known = !function->look && function->number != NONE && seen == function->seen;
    function->seen = seen;
    function->look = false;
    function->rested = calls + (calls / 4 > hot_after ? calls / 4 : hot_after);
    function->n_ran = function->lines->n_ran;
    if (calls >= function->threshold)
        function->threshold = next_threshold(calls);
    function_watch_next(function);
    if (is_known) {
        Py_DECREF(self);
        function_compiles(function);
        return 0;
    }
    Py_INCREF(python);
    PyObject *result = PyObject_CallFunction(on_threshold, "OOOK", function->code, self, python, (unsigned long long)calls);
    Py_DECREF(self);
    Py_DECREF(python);
    if (result != NULL) {
        untrack(self); /* the function has it */
        untrack(function->python);
        if (function->number != NONE)
            untrack_names(function->code);
        Py_DECREF(result);
        function_compiles(function);
        return 0;
    }
    function->look = true; /* the next call is as good */
    function_watch_next(function);
    if (!PyErr_ExceptionMatches(PyExc_RecursionError))
        return -1;
    PyErr_Clear(); /* the program is about to get one, too */
    return 0;
}

/* Whether the program evaluates frames by a function of its own (PEP 523), which would see those of the recorder's Python. */
static bool evaluates_frames(void)
{
    return _PyInterpreterState_GetEvalFrameFunc(PyInterpreterState_Get()) != _PyEval_EvalFrameDefault;
}

static int attend(Function *function)
{
    bool struck = function->struck;
    function->struck = false;
    if (struck && tap_drain() < 0) /* a change counts before this call does */
        return -1;
    if (function->look || function->calls >= function->threshold || function->calls >= function->again)
        return evaluates_frames() ? 0 : look(function); /* at the first call after that */
    function_watch_next(function);
    return 0;
}

/* depwatch.drain() is called by the program, or code of ours that the program does not see. */
static PyObject *call_of_ours(PyObject *code)
{
    if (code != tap.drain_code)
        return Py_NewRef(disable);
    tap_drained();
    Py_RETURN_NONE;
}

static PyObject *on_call(PyObject *Py_UNUSED(self), PyObject *const *arguments, Py_ssize_t Py_UNUSED(n))
{
    PyObject *code = arguments[0];
    if (!tap.on)
        Py_RETURN_NONE;
    Function *function = address_map_find(&functions, code);
    PyObject *globals = PyEval_GetGlobals();
    if (function == NULL && !PyCode_Check(code)) /* what C code fires an event for may look like code */
        Py_RETURN_NONE;
    if ((function == NULL || (function->globals != globals && function != &ignored)) &&
        (function = find_called(code, globals)) == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_RecursionError))
            return NULL;
        PyErr_Clear(); /* the program is about to get one, too: this call is not counted */
        Py_RETURN_NONE;
    }
    if (function == &ignored)
        return call_of_ours(code);
    tap.calls++;
    function->calls++;
    if (function->calls >= function->next && attend(function) < 0)
        return NULL;
    if (tap.calls >= tap.look)
        tap_look();
    Py_RETURN_NONE;
}

static PyObject *on_line(PyObject *Py_UNUSED(self), PyObject *const *arguments, Py_ssize_t Py_UNUSED(n))
{
    Function *function = tap.on ? function_of(arguments[0]) : NULL;
    Lines *lines = function == NULL ? NULL : function->lines;
    long line = PyLong_AsLong(arguments[1]);
    if (lines != NULL && line >= lines->first && line < lines->first + (long)MAX_LINES) {
        uint32_t bit = (uint32_t)(line - lines->first);
        if (bit >= lines->n) {
            uint32_t n = (bit + 64) / 64 * 64;
            uint8_t *ran = realloc(lines->ran, n / 8);
            if (ran == NULL)
                return Py_NewRef(disable);
            memset(ran + lines->n / 8, 0, (n - lines->n) / 8);
            lines->ran = ran;
            lines->n = n;
        }
        lines->n_ran += !(lines->ran[bit / 8] >> bit % 8 & 1);
        lines->ran[bit / 8] |= (uint8_t)(1u << bit % 8);
        for (; function != NULL; function = function->other)
            function_disturbed(function);
    }
    return Py_NewRef(disable);
}

static PyMethodDef methods[] = {
    {"on_call", (PyCFunction)(void (*)(void))on_call, METH_FASTCALL, NULL},
    {"on_line", (PyCFunction)(void (*)(void))on_line, METH_FASTCALL, NULL},
};

PyObject *functions_start(PyObject *first, PyObject *threshold, uint64_t calls, const uint8_t tables[512])
{
    PyObject *monitoring = PySys_GetObject("monitoring"); /* borrowed */
    if (watcher < 0 && (watcher = PyCode_AddWatcher(on_code_event)) < 0)
        return NULL;
    if (monitoring == NULL || (disable = PyObject_GetAttrString(monitoring, "DISABLE")) == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_RuntimeError, "sys.monitoring is gone");
        return NULL;
    }
    on_first = Py_NewRef(first);
    on_threshold = Py_NewRef(threshold);
    hot_after = calls;
    memcpy(caches, tables, 256);
    memcpy(has_number, tables + 256, 256);
    return Py_BuildValue("NN", PyCFunction_New(&methods[0], NULL), PyCFunction_New(&methods[1], NULL));
}

bool function_written(Function *function, uint32_t number, PyObject *python)
{
    if (!list_add(&written, function))
        return false;
    function->number = number;
    function->python = Py_NewRef(python);
    return true;
}

void functions_write_calls(void)
{
    uint64_t time = journal_time();
    for (uint32_t i = 0; i < written.n; i++)
        write_calls(written.items[i], time);
}

uint64_t functions_other_namespaces(void) { return other_namespaces; }

PyObject *functions_hot(void)
{
    PyObject *all = PyList_New(0);
    for (uint32_t i = 0; all != NULL && i < written.n; i++) {
        const Function *function = written.items[i];
        if (function->calls < hot_after || function->python == NULL)
            continue;
        PyObject *one = Py_BuildValue("OOK", function->code, function->python, (unsigned long long)function->calls);
        if (one == NULL || PyList_Append(all, one) < 0)
            Py_CLEAR(all);
        Py_XDECREF(one);
    }
    return all;
}

void functions_forget(void)
{
    for (uint32_t i = 0; i <= functions.mask; i++) {
        if (functions.slots[i].address == NULL)
            continue;
        for (Function *each = functions.slots[i].item; each != NULL && each != &ignored; each = each->other) {
            if (each->number != NONE)
                function_forget(each);
            if (each->python != NULL)
                list_add(&tap.garbage, each->python);
            each->python = NULL;
            each->calls = each->written = each->rested = 0;
            each->again = NEVER;
            each->number = NONE;
            each->look = each->struck = false;
            each->threshold = next_threshold(0);
            function_watch_next(each);
        }
    }
    written.n = 0;
    other_namespaces = 0;
}

PyObject *functions_codes(void)
{
    PyObject *codes = PyList_New(0);
    for (uint32_t i = 0; codes != NULL && i <= functions.mask; i++) {
        const Function *first = functions.slots[i].address == NULL ? NULL : functions.slots[i].item;
        if (first != NULL && first != &ignored && PyList_Append(codes, (PyObject *)first->code) < 0)
            Py_CLEAR(codes);
    }
    return codes;
}
