/* Hooks: functions of CPython that are called by way of ours.
 *
 * The function object stays, and so does all that a program can see of it: only the C function behind it is another one.
 */
#ifndef DW_HOOK_H
#define DW_HOOK_H

#include <Python.h>
#include <stdbool.h>

typedef struct Hook {
    const char *module, *name;
    int at[3];           /* for whoever sets it: where some arguments are */
    PyCFunction ways[4]; /* ours, by calling convention */
    PyMethodDef before;  /* the original; ml_meth is NULL until the hook is set */
} Hook;

typedef struct Call {
    const Hook *hook;
    PyObject *self, *names; /* names: of the arguments that come by keyword, or NULL */
    PyObject *const *arguments;
    Py_ssize_t n; /* by position */
} Call;

PyObject *hook_pass_on(const Call *call, PyObject *const *arguments); /* to the original */
Py_ssize_t hook_place_of(const Call *call, int at, const char *name); /* -1: that argument is not given */
PyObject *hook_argument_of(const Call *call, int at, const char *name); /* borrowed, or NULL */

/* Puts ours in the place of CPython's functions. One that is not there, or is called in another way than we know, is left alone.
 * of: the module of all of them; NULL: each has another. -1 with an exception set. */
int hooks_set(Hook *hooks, int n, PyObject *of);
/* A new function object that is the original. */
PyObject *hook_original(Hook *hook, PyObject *module);

/* The C functions of hooks[NUMBER], which all come to called(). */
#define HOOK_WAYS(NUMBER)                                                                                                \
    static PyObject *tuple_##NUMBER(PyObject *self, PyObject *arguments)                                                 \
    {                                                                                                                    \
        Call call = {&hooks[NUMBER], self, NULL, ((PyTupleObject *)arguments)->ob_item, PyTuple_GET_SIZE(arguments)};    \
        return called(&call);                                                                                            \
    }                                                                                                                    \
    static PyObject *fast_##NUMBER(PyObject *self, PyObject *const *arguments, Py_ssize_t n)                             \
    {                                                                                                                    \
        Call call = {&hooks[NUMBER], self, NULL, arguments, n};                                                          \
        return called(&call);                                                                                            \
    }                                                                                                                    \
    static PyObject *keywords_##NUMBER(PyObject *self, PyObject *const *arguments, Py_ssize_t n, PyObject *names)        \
    {                                                                                                                    \
        Call call = {&hooks[NUMBER], self, names, arguments, n};                                                         \
        return called(&call);                                                                                            \
    }                                                                                                                    \
    static PyObject *one_##NUMBER(PyObject *self, PyObject *argument)                                                    \
    {                                                                                                                    \
        Call call = {&hooks[NUMBER], self, NULL, &argument, argument != NULL};                                           \
        return called(&call);                                                                                            \
    }

#define HOOK_HOW(NUMBER)                                                                                                 \
    {tuple_##NUMBER, (PyCFunction)(void (*)(void))fast_##NUMBER, (PyCFunction)(void (*)(void))keywords_##NUMBER,         \
     one_##NUMBER},                                                                                                      \
        {NULL, NULL, 0, NULL}

#endif
