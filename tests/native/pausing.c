/* For the tests: lets a callable run in a pause of the core, which sleeps a nanosecond there (ext/notice/pauses.c). To be
 * preloaded (LD_PRELOAD), so that the core's call of nanosleep() comes here.
 */
#define _GNU_SOURCE
#include <Python.h>
#include <dlfcn.h>
#include <time.h>

static PyObject *in_next_pause; /* owned; NULL: pauses are as they are */

static void run(void)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *callable = in_next_pause;
    in_next_pause = NULL; /* the callable may pause, too */
    PyObject *result = callable == NULL ? NULL : PyObject_CallNoArgs(callable);
    if (PyErr_Occurred())
        PyErr_WriteUnraisable(callable);
    Py_XDECREF(result);
    Py_XDECREF(callable);
    PyGILState_Release(state);
}

__attribute__((visibility("default"))) int nanosleep(const struct timespec *time, struct timespec *left)
{
    static int (*real)(const struct timespec *, struct timespec *);
    if (time->tv_sec == 0 && time->tv_nsec == 1 && in_next_pause != NULL) {
        run();
        return 0;
    }
    if (real == NULL)
        real = (int (*)(const struct timespec *, struct timespec *))dlsym(RTLD_NEXT, "nanosleep");
    return real(time, left);
}

/* run_in_next_pause(callable) */
static PyObject *run_in_next_pause(PyObject *self, PyObject *callable)
{
    Py_XSETREF(in_next_pause, Py_NewRef(callable));
    Py_RETURN_NONE;
}

/* Whether that is still to come. */
static PyObject *is_armed(PyObject *self, PyObject *unused) { return PyBool_FromLong(in_next_pause != NULL); }

static PyMethodDef methods[] = {{"run_in_next_pause", run_in_next_pause, METH_O, NULL},
                                {"is_armed", is_armed, METH_NOARGS, NULL},
                                {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "pausing", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit_pausing(void) { return PyModule_Create(&module); }
