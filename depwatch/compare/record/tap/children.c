/* Children: a Python that the program starts finds in its environment what lets the recorder in, and the program does not.
 *
 * CPython's functions that start a program are called by way of ours: the function objects stay, and so does all that the
 * program can see of them. Where a program is given the environment of this process, ours is there for the time of the call.
 */
#define _GNU_SOURCE
#include "hook.h"
#include "tap.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE "DEPWATCH_RECORD"
#define PATH_VARIABLE "PYTHONPATH"
#define MOST_ARGUMENTS 64

enum { PATH, ARGUMENTS, ENVIRONMENT };

static struct {
    char *start, *given;   /* owned: the directory of our sitecustomize, and what it is told */
    struct stat python;    /* the interpreter that runs this process */
    PyInterpreterState *interpreter;
    PyObject *on_exit;  /* owned */
    unsigned n_refused; /* Pythons that do not read the environment */
} children;

/* --- which program -------------------------------------------------------------------------------------------------- */

/* Whether these options of Python let it import sitecustomize. *more: whether another word may be an option. */
static bool options_let_us_in(const char *word, bool *more, bool *skip)
{
    *more = *skip = false;
    if (word[0] != '-' || word[1] == '\0')
        return true;
    *more = true;
    if (word[1] == '-') {
        *skip = strcmp(word, "--check-hash-based-pycs") == 0;
        return true;
    }
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        if (*letter == 'c' || *letter == 'm') {
            *more = false;
            return true;
        }
        if (*letter == 'W' || *letter == 'X') {
            *skip = letter[1] == '\0';
            return true;
        }
        if (*letter == 'E' || *letter == 'I' || *letter == 'S')
            return false;
    }
    return true;
}

static const char *text_of(PyObject *object) /* borrowed, or NULL */
{
    const char *text = object == NULL                ? NULL
                       : PyBytes_CheckExact(object)   ? PyBytes_AS_STRING(object)
                       : PyUnicode_CheckExact(object) ? PyUnicode_AsUTF8(object)
                                                      : NULL;
    PyErr_Clear(); /* a text that is no UTF-8 */
    return text;
}

/* The arguments of a Python: whether they let us in. */
static bool arguments_let_us_in(PyObject *arguments)
{
    if (!PyList_CheckExact(arguments) && !PyTuple_CheckExact(arguments))
        return true;
    bool more = true, skip;
    for (Py_ssize_t i = 1; more && i < PySequence_Fast_GET_SIZE(arguments); i++) {
        const char *word = text_of(PySequence_Fast_GET_ITEM(arguments, i));
        if (word == NULL)
            return true;
        if (!options_let_us_in(word, &more, &skip))
            return false;
        i += skip;
    }
    return true;
}

static bool is_this_python(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && status.st_dev == children.python.st_dev && status.st_ino == children.python.st_ino;
}

/* The file that is run for a name, as the shell looks for it. False: there is none. */
static bool find_on_path(const char *name, char *found, size_t size)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/') != NULL)
        return (size_t)snprintf(found, size, "%s", name) < size;
    while (path != NULL && *path != '\0') {
        size_t length = strcspn(path, ":");
        if ((size_t)snprintf(found, size, "%.*s/%s", (int)length, path, name) < size && access(found, X_OK) == 0)
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

/* Whether the file is a script for this Python: #!/usr/bin/env python3, #!/venv/bin/python -u. */
static bool is_our_script(const char *path, bool *lets_us_in)
{
    char line[256], found[PATH_MAX], *rest = line + 2;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? 0 : read(file, line, sizeof line - 1);
    if (file >= 0)
        close(file);
    if (n < 3 || line[0] != '#' || line[1] != '!')
        return false;
    line[n] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    const char *program = strtok_r(rest, " \t", &rest), *word = strtok_r(NULL, " \t", &rest);
    const char *name = program == NULL ? NULL : strrchr(program, '/');
    if (name != NULL && strcmp(name, "/env") == 0) {
        if (word == NULL || !find_on_path(word, found, sizeof found))
            return false;
        program = found;
        word = strtok_r(NULL, " \t", &rest);
    }
    bool more, skip;
    *lets_us_in = word == NULL || options_let_us_in(word, &more, &skip);
    return program != NULL && is_this_python(program);
}

static void tell_refused(void)
{
    char text[64];
    int n = snprintf(text, sizeof text, "{\"children that were not recorded\": %u}", ++children.n_refused);
    journal_json(text, (size_t)n);
}

/* Whether the program that is started is this Python, and reads its environment. */
static bool is_recorded(const char *path, PyObject *arguments)
{
    bool lets_us_in = true;
    if (is_this_python(path))
        lets_us_in = arguments == NULL || arguments_let_us_in(arguments);
    else if (!is_our_script(path, &lets_us_in))
        return false;
    if (!lets_us_in)
        tell_refused();
    return lets_us_in;
}

/* --- its environment -------------------------------------------------------------------------------------------------- */

/* PYTHONPATH with our directory first; owned (malloc). before: what it would be, or NULL. */
static char *path_with_ours(const char *before)
{
    size_t size = strlen(children.start) + (before == NULL ? 0 : strlen(before) + 1) + 1;
    char *path = malloc(size);
    if (path != NULL)
        snprintf(path, size, "%s%s%s", children.start, before == NULL ? "" : *before == '\0' ? "/" : ":",
                 before == NULL ? "" : before);
    return path;
}

/* For the time of a call, this process has an environment with ours in it. False: out of memory, and it has not. */
typedef struct Lent {
    char *before; /* owned: PYTHONPATH, or NULL */
    bool had_it;
} Lent;

static bool lend(Lent *lent)
{
    const char *path = getenv(PATH_VARIABLE);
    lent->had_it = path != NULL;
    lent->before = path == NULL ? NULL : strdup(path);
    char *ours = path_with_ours(path);
    bool done = ours != NULL && (path == NULL || lent->before != NULL) && setenv(PATH_VARIABLE, ours, 1) == 0 &&
                setenv(VARIABLE, children.given, 1) == 0;
    free(ours);
    return done;
}

static void take_back(Lent *lent)
{
    if (!lent->had_it)
        unsetenv(PATH_VARIABLE);
    else if (lent->before != NULL)
        setenv(PATH_VARIABLE, lent->before, 1);
    unsetenv(VARIABLE);
    free(lent->before);
}

/* A new dict with ours in it, or NULL with an exception set. */
static PyObject *mapping_with_ours(PyObject *environment)
{
    PyObject *copy = PyDict_CheckExact(environment) ? PyDict_Copy(environment) : PyDict_New();
    PyObject *name = PyUnicode_FromString(PATH_VARIABLE), *bytes = PyBytes_FromString(PATH_VARIABLE);
    PyObject *added = NULL;
    if (copy == NULL || name == NULL || bytes == NULL ||
        (!PyDict_CheckExact(environment) && PyDict_Update(copy, environment) < 0))
        goto failed;
    PyObject *key = PyDict_GetItemWithError(copy, bytes) != NULL ? bytes : name;
    PyObject *before = PyDict_GetItemWithError(copy, key);
    const char *path = before == NULL ? NULL : text_of(before);
    if (PyErr_Occurred() || (before != NULL && path == NULL))
        goto failed;
    char *ours = path_with_ours(path);
    added = ours == NULL ? PyErr_NoMemory() : PyBytes_FromString(ours);
    free(ours);
    if (added == NULL || PyDict_SetItem(copy, key, added) < 0)
        goto failed;
    Py_SETREF(added, PyBytes_FromString(children.given));
    if (added == NULL || PyDict_SetItemString(copy, VARIABLE, added) < 0)
        goto failed;
    Py_DECREF(added);
    Py_DECREF(name);
    Py_DECREF(bytes);
    return copy;
failed:
    Py_XDECREF(copy);
    Py_XDECREF(name);
    Py_XDECREF(bytes);
    Py_XDECREF(added);
    return NULL;
}

/* A new list of b"NAME=value" with ours in it, or NULL; an exception may be set. */
static PyObject *list_with_ours(PyObject *environment)
{
    const size_t length = strlen(PATH_VARIABLE "=");
    Py_ssize_t at = -1;
    char *ours = NULL;
    PyObject *copy = PyList_CheckExact(environment) ? PySequence_List(environment) : NULL;
    for (Py_ssize_t i = 0; copy != NULL && at < 0 && i < PyList_GET_SIZE(copy); i++) {
        const char *text = text_of(PyList_GET_ITEM(copy, i));
        if (text == NULL)
            Py_CLEAR(copy);
        else if (strncmp(text, PATH_VARIABLE "=", length) == 0)
            at = i, ours = path_with_ours(text + length);
    }
    if (copy == NULL)
        return NULL;
    if (at < 0)
        ours = path_with_ours(NULL);
    PyObject *path = ours == NULL ? NULL : PyBytes_FromFormat("%s=%s", PATH_VARIABLE, ours);
    PyObject *given = PyBytes_FromFormat("%s=%s", VARIABLE, children.given);
    free(ours);
    if (path == NULL || given == NULL || PyList_Append(copy, given) < 0 ||
        (at < 0 ? PyList_Append(copy, path) : PyList_SetItem(copy, at, Py_NewRef(path))) < 0)
        Py_CLEAR(copy);
    Py_XDECREF(path);
    Py_XDECREF(given);
    return copy;
}

/* --- the calls -------------------------------------------------------------------------------------------------------- */

/* The file that the call runs. False: it cannot be told, or there is none. */
static bool file_of(const Call *call, char *found, size_t size)
{
    PyObject *path = hook_argument_of(call, call->hook->at[PATH], "path");
    if (path != NULL && PyTuple_CheckExact(path)) { /* of several, the first that is there */
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(path); i++) {
            const char *text = text_of(PyTuple_GET_ITEM(path, i));
            if (text != NULL && access(text, X_OK) == 0)
                return (size_t)snprintf(found, size, "%s", text) < size;
        }
        return false;
    }
    if (path != NULL && PyList_CheckExact(path))
        path = PyList_GET_SIZE(path) == 0 ? NULL : PyList_GET_ITEM(path, 0);
    const char *text = text_of(path);
    if (text == NULL)
        return false;
    if (strcmp(call->hook->name, "posix_spawnp") == 0)
        return find_on_path(text, found, size);
    return (size_t)snprintf(found, size, "%s", text) < size;
}

static PyObject *call_with_ours(const Call *call)
{
    Py_ssize_t n = call->n + (call->names == NULL ? 0 : PyTuple_GET_SIZE(call->names));
    Py_ssize_t at = hook_place_of(call, call->hook->at[ENVIRONMENT], "env");
    PyObject *copy[MOST_ARGUMENTS];
    if (n > MOST_ARGUMENTS)
        return hook_pass_on(call, call->arguments);
    if (at < 0 || call->arguments[at] == Py_None) {
        Lent lent;
        PyObject *result = NULL;
        if (lend(&lent))
            result = hook_pass_on(call, call->arguments);
        else
            PyErr_NoMemory();
        take_back(&lent);
        return result;
    }
    bool is_mapping = call->hook->at[ENVIRONMENT] != 5;
    PyObject *ours = is_mapping ? mapping_with_ours(call->arguments[at]) : list_with_ours(call->arguments[at]);
    if (ours == NULL) { /* CPython will say what is wrong with it */
        PyErr_Clear();
        return hook_pass_on(call, call->arguments);
    }
    memcpy(copy, call->arguments, (size_t)n * sizeof *copy);
    copy[at] = ours;
    PyObject *result = hook_pass_on(call, copy);
    Py_DECREF(ours);
    return result;
}

static PyObject *start_program(const Call *call)
{
    char path[PATH_MAX];
    bool ours = file_of(call, path, sizeof path) && is_recorded(path, hook_argument_of(call, call->hook->at[ARGUMENTS], "argv"));
    bool replaces = strncmp(call->hook->name, "execv", 5) == 0;
    if (replaces)
        tap_replaced(true);
    PyObject *result = ours ? call_with_ours(call) : hook_pass_on(call, call->arguments);
    if (replaces)
        tap_replaced(false); /* it has failed */
    return result;
}

static PyObject *end_process(const Call *call)
{
    PyObject *status = hook_argument_of(call, 0, "status");
    long number = status != NULL && PyLong_CheckExact(status) ? PyLong_AsLong(status) : 0;
    PyErr_Clear(); /* then CPython refuses the status, and what it has ended is no matter */
    PyObject *result = PyObject_CallFunction(children.on_exit, "l", number & 0xff); /* as the system tells it */
    Py_XDECREF(result);
    PyErr_Clear();
    return hook_pass_on(call, call->arguments);
}

static PyObject *called(const Call *call)
{
    if (!tap.on || PyInterpreterState_Get() != children.interpreter)
        return hook_pass_on(call, call->arguments);
    return call->hook->at[PATH] < 0 ? end_process(call) : start_program(call);
}

enum { FORK_EXEC, SPAWN, SPAWN_ON_PATH, EXEC, EXEC_WITH, EXIT, N_HOOKS };

static Hook hooks[N_HOOKS];

HOOK_WAYS(0)
HOOK_WAYS(1)
HOOK_WAYS(2)
HOOK_WAYS(3)
HOOK_WAYS(4)
HOOK_WAYS(5)

/* Where the path, the arguments and the environment are among the arguments of each; -1: it has none. */
static Hook hooks[N_HOOKS] = {
    [FORK_EXEC] = {"_posixsubprocess", "fork_exec", {1, 0, 5}, HOOK_HOW(0)},
    [SPAWN] = {"posix", "posix_spawn", {0, 1, 2}, HOOK_HOW(1)},
    [SPAWN_ON_PATH] = {"posix", "posix_spawnp", {0, 1, 2}, HOOK_HOW(2)},
    [EXEC] = {"posix", "execv", {0, 1, -1}, HOOK_HOW(3)},
    [EXEC_WITH] = {"posix", "execve", {0, 1, 2}, HOOK_HOW(4)},
    [EXIT] = {"posix", "_exit", {-1, -1, -1}, HOOK_HOW(5)},
};

int children_let_in(const char *start, const char *given, const char *python, PyObject *on_exit)
{
    children.on_exit = Py_NewRef(on_exit);
    children.interpreter = PyInterpreterState_Get();
    children.start = strdup(start);
    children.given = strdup(given);
    if (children.start == NULL || children.given == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (stat(python, &children.python) != 0) /* an embedded one, whose children are other programs */
        return 0;
    return hooks_set(hooks, N_HOOKS, NULL);
}
