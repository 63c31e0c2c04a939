/* Functions: exact counts of calls, by a callback of sys.monitoring that mostly only counts. */
#include "tap.h"

#include "index/address_map.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LINES 65536u /* of a code object */
#define FIRST_THRESHOLD 10u
#define MAX_NAMESPACES 16u /* that are told apart, of one code object: some code gets another one at each call */
#define LINES_FROM 2u /* most code is called once: nobody depends on which of its lines run */

const uint8_t byte_valid = 0, byte_broken = 1;

/* By code object, the first function of each. CPython has a place in code objects for such data, and calls a program's free
 * functions for the data of others, with NULL. */
static AddressMap functions = {.slots = address_map_nothing};
static int watcher = -1; /* of code objects: tells when one dies */
static PyObject *on_first, *on_threshold, *disable; /* owned */
static uint64_t hot_after;
static List written; /* functions that are in the trace */
static List dead;    /* owned references: what Python knew of them */
static uint64_t cold_calls;
static uint64_t other_namespaces; /* calls in one more than are told apart, which count as calls in the first */
static uint64_t dead_hot_calls; /* of dead functions, since they were hot */
static Function ignored;        /* code of ours: not a part of the program */
static Function gone;           /* what a capsule names whose function died */
static const char capsule_name[] = "depwatch.compare.record.function";

static uint64_t calls_since_hot(const Function *function)
{
    return function->calls > hot_after ? function->calls - hot_after : 0;
}

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
    dead_hot_calls += calls_since_hot(function);
    if (function->number != NONE) {
        list_remove(&written, function);
        function_forget(function);
        tap_drains_now();
        if (tap.on) {
            uint64_t time = journal_time();
            write_calls(function, time);
            Row *row = journal_row(ROW_GONE, time);
            row->function = function->number;
            journal_add();
        }
    }
    if (function->python != NULL)
        list_add(&dead, function->python);
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
    function->next = function->look ? 0 : function->threshold;
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
    function->broken = &byte_valid;
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

static int tell(Function *function, int reasons)
{
    uint64_t calls = function->calls;
    if (function->self == NULL && (function->self = PyCapsule_New(function, capsule_name, NULL)) == NULL)
        return -1;
    PyObject *self = Py_NewRef(function->self), *python = function->python == NULL ? Py_None : function->python;
    function->look = false;
    if (calls >= function->threshold)
        function->threshold = next_threshold(calls);
    function_watch_next(function);
    Py_INCREF(python);
    PyObject *result = PyObject_CallFunction(on_threshold, "OOOKi", function->code, self, python, (unsigned long long)calls,
                                             reasons);
    Py_DECREF(self);
    Py_DECREF(python);
    if (result != NULL) {
        Py_DECREF(result);
        if (tap.on && function->number != NONE && function->written != function->calls) {
            windows_write_of(function);
            write_calls(function, journal_time()); /* what is compiled at this call is compiled now, and not later */
        }
        return 0;
    }
    function->look = true; /* the next call is as good */
    function_watch_next(function);
    if (!PyErr_ExceptionMatches(PyExc_RecursionError))
        return -1;
    PyErr_Clear(); /* the program is about to get one, too */
    return 0;
}

static int due(const Function *function)
{
    return (function->look ? REASON_LOOK : 0) | (function->calls >= function->threshold ? REASON_CALLS : 0);
}

static int cold_call(Function *function)
{
    cold_calls++;
    if (++function->cold < hot_after)
        return 0;
    function->cold = 0;
    return tell(function, REASON_COLD);
}

#define LIKELY(condition) __builtin_expect(condition, 1)

static PyObject *on_call(PyObject *Py_UNUSED(self), PyObject *const *arguments, Py_ssize_t Py_UNUSED(n))
{
    PyObject *code = arguments[0];
    if (!tap.on)
        Py_RETURN_NONE;
    Function *function = address_map_find(&functions, code);
    PyObject *globals = PyEval_GetGlobals();
    if ((function == NULL || (function->globals != globals && function != &ignored)) &&
        (function = find_called(code, globals)) == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_RecursionError))
            return NULL;
        PyErr_Clear(); /* the program is about to get one, too: this call is not counted */
        Py_RETURN_NONE;
    }
    if (function == &ignored)
        return Py_NewRef(disable);
    tap.calls++;
    function->calls++;
    if (*function->broken != 0 && tap.undrained && tap_drain() < 0) /* a change counts before this call does */
        return NULL;
    if (function->calls >= function->next && tell(function, due(function)) < 0)
        return NULL;
    if (LIKELY(*function->broken == 0))
        function->cold = 0;
    else if (cold_call(function) < 0)
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
    }
    return Py_NewRef(disable);
}

static PyMethodDef methods[] = {
    {"on_call", (PyCFunction)(void (*)(void))on_call, METH_FASTCALL, NULL},
    {"on_line", (PyCFunction)(void (*)(void))on_line, METH_FASTCALL, NULL},
};

PyObject *functions_start(PyObject *first, PyObject *threshold, uint64_t calls)
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

uint64_t functions_cold_calls(void)
{
    uint64_t hot = dead_hot_calls;
    for (uint32_t i = 0; i < written.n; i++)
        hot += calls_since_hot(written.items[i]);
    return tap.calls - hot + cold_calls;
}

uint64_t functions_other_namespaces(void) { return other_namespaces; }

PyObject *functions_dead(void)
{
    PyObject *all = PyList_New(0);
    while (all != NULL && dead.n != 0) {
        PyObject *one = dead.items[--dead.n];
        if (PyList_Append(all, one) < 0)
            Py_CLEAR(all);
        Py_DECREF(one);
    }
    return all;
}
