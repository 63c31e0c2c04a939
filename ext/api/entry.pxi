"""Part of _core: optimized code in the place of a function's own. See entry.h, and depwatch/entry.py."""

from cpython.ref cimport Py_DECREF


@cython.final
cdef class EntrySlot:
    """What calls of one function find while optimized code is installed for it. Lives as long as that, at least."""

    cdef Entry entry
    cdef readonly object optimized  # None once it is removed
    cdef object kept                # what the two bytes belong to
    cdef readonly object guard      # the handle of the second

    def install(self, function, optimized, handle, guard, kept, entry):
        """Install it, in one step that no other thread comes between, and return "installed"; entry is then among those
        that both handles remove when they go. Or do nothing and return why: "released", "retired" (one of the handles),
        "ours", "other's" (there is an entry), "ending" (the interpreter is).
        """
        cdef str state = entry_state(function)
        if service.shutting_down:
            return "ending"
        if handle._closing or guard._closing:
            return "released"
        self.entry.handle_byte = handle_byte(handle._id)
        self.entry.guard_byte = handle_byte(guard._id)
        if self.entry.handle_byte[0] == BYTE_RETIRED or self.entry.guard_byte[0] == BYTE_RETIRED:
            return "retired"
        if state != "free":
            return state
        self.entry.function = <PyObject*>function
        self.entry.optimized = <PyObject*>optimized
        self.entry.owner = <PyObject*>self
        self.optimized, self.kept, self.guard = optimized, (handle, guard, kept), guard
        for each in (handle, guard):
            if each._entries is None:
                each._entries = {}
            each._entries[entry] = None
        if not entry_install(&self.entry):
            self.entry.function = NULL
            raise MemoryError()
        Py_INCREF(self)  # of the map
        return "installed"

    @property
    def installed(self):
        return self.entry.function != NULL

    @property
    def active(self):
        """Whether the next call runs the optimized code."""
        return self.entry.function != NULL and (self.entry.handle_byte[0] | self.entry.guard_byte[0]) == 0

    def remove(self):
        """Let calls go to the interpreter again, and everything go. True the first time after install()."""
        if self.kept is None:
            return False
        entry_remove(&self.entry)
        self.kept = self.optimized = self.guard = None  # may run destructors
        Py_DECREF(self)
        return True

    def call_original(self, function, tuple args, dict kwargs):
        return entry_call_original(function, args, kwargs)


def learn_entry(new_function):
    """Take the entry of this function, which nobody has touched, for the interpreter's."""
    entry_learn(<PyObject*>new_function)


def entry_state(function):
    """"free", "ours" or "other's": who is called first when the function is."""
    if entry_of(<PyObject*>function) != NULL:
        return "ours"
    return "free" if entry_is_free(<PyObject*>function) else "other's"


def entry_bypass(function):
    """What leads CPython past any entry of the function now, once it is hot: "init", "getter", or None.

    Cost: a look at each class of the process.
    """
    bypass = bypass_of(function)
    return None if bypass == BYPASS_NONE else "init" if bypass == BYPASS_INIT else "getter"


def retired_entry(function):
    """The EntrySlot that is installed for this function, if it can never be active again; or None."""
    cdef Entry* entry = entry_of(<PyObject*>function)
    if entry == NULL or (entry.handle_byte[0] != BYTE_RETIRED and entry.guard_byte[0] != BYTE_RETIRED):
        return None
    return <object>entry.owner


cdef end_entries():
    """The interpreter ends: what is installed must not keep anything of the program alive."""
    cdef Entry* entry
    slots = []
    for i in range(entries_by_function.mask + 1):
        if entries_by_function.slots[i].address != NULL:
            entry = <Entry*>entries_by_function.slots[i].item
            slots.append(<object>entry.owner)
    for slot in slots:
        slot.remove()
