# The process that is recorded: what the program is not to see of it, and the processes that it starts.

cdef extern from "tap/tap.h":
    object monitoring_functions()
    void monitoring_hide(int tool, object on_wanted)
    object functions_codes()
    int children_let_in(const char* start, const char* given, const char* python, object on_exit) except -1


def was_on():
    """In a forked child: whether the parent was recorded."""
    return bool(tap.was_on)


def forget():
    """In a forked child: nothing has been called yet. Every object must be buried."""
    tap_forget()
    tap_let_go()


def monitoring():
    """sys.monitoring's functions, by name: the program's calls of them do not see the tool that is hidden."""
    return monitoring_functions()


def hide_tool(int tool, on_wanted):
    """on_wanted() is called when the program is about to use this tool, and must hide another one, or -1: none."""
    monitoring_hide(tool, on_wanted)


def codes():
    """Of all functions that have been called."""
    return functions_codes()


def let_children_in(bytes start, bytes given, bytes python, on_exit):
    """Pythons that the program starts are recorded from now on. start: the directory with the sitecustomize that lets the
    recorder in; given: what that is told; python: the interpreter of this process. on_exit(status) is called by os._exit."""
    children_let_in(start, given, python, on_exit)


cdef extern from *:
    """
    /* The slots of dict watchers that are free but for the last one: depwatch is to get that. Code that clears a watcher which is
     * not its own, as CPython's tests do, takes the first numbers. */
    static struct {
        int slots[8], n;
    } held;

    static int watch_nothing(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
    {
        return 0;
    }

    static void hold_dict_watchers(void)
    {
        while (held.n < 8 && (held.slots[held.n] = PyDict_AddWatcher(watch_nothing)) >= 0)
            held.n++;
        PyErr_Clear(); /* there is no other one */
        if (held.n > 0)
            PyDict_ClearWatcher(held.slots[--held.n]);
        PyErr_Clear();
    }

    static void let_go_of_dict_watchers(void)
    {
        while (held.n > 0)
            PyDict_ClearWatcher(held.slots[--held.n]);
        PyErr_Clear();
    }
    """
    void hold_dict_watchers()
    void let_go_of_dict_watchers()


def take_last_watcher(use):
    """use() makes depwatch take its slot of a dict watcher: the last one that is free."""
    hold_dict_watchers()
    try:
        use()
    finally:
        let_go_of_dict_watchers()


cdef extern from *:
    int PyObject_GC_IsTracked(object thing)
    void PyObject_GC_Track(PyObject* thing)
    void PyObject_GC_UnTrack(PyObject* thing)


def freeze_others(list objects, freeze):
    """Call gc.freeze() for all objects that the garbage collector tracks but these."""
    tracked = [thing for thing in objects if PyObject_GC_IsTracked(thing)]
    for thing in tracked:
        PyObject_GC_UnTrack(<PyObject*>thing)
    freeze()
    for thing in tracked:
        if not PyObject_GC_IsTracked(thing):
            PyObject_GC_Track(<PyObject*>thing)
