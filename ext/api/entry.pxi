"""Part of _core: entries: optimized code in the place of a function's own code. See entry.h and depwatch/entry.py."""


@cython.final
@cython.auto_pickle(False)
cdef class Entry(Discardable):
    """Optimized code that is installed for a function. Made by install(); stays installed even if the program drops this
    object."""

    cdef CEntry entry
    cdef readonly str function_name
    cdef readonly object optimized      # what a call of the function runs; None once the entry is removed
    cdef FacetReference existence       # the function's existence: keeps the function watched, so that its death is reported
    cdef Handle of_code                 # its byte says whether the optimized code may run
    cdef Handle of_function             # relies on the function's code, defaults and kwdefaults; owned by the entry
    cdef bint in_map

    def __repr__(self):
        state = "active" if self.active else "inactive" if self.installed else "removed"
        return f"<Entry of {self.function_name}, {state}>"

    @property
    def handle(self):
        """The handle of the optimized code."""
        return self.of_code

    @property
    def _guard(self):
        """The handle that relies on the function's code, defaults and kwdefaults."""
        return self.of_function

    @property
    def function(self):
        """The function; None once it is dead."""
        return self.existence.owner

    @property
    def installed(self):
        """Whether calls of the function still come to this entry."""
        return self.entry.function != NULL

    @property
    def active(self):
        """Whether the next call runs the optimized code: the handle is valid, and the function's code and defaults are as they
        were at install()."""
        return self.entry.function != NULL and (self.entry.handle_byte[0] | self.entry.guard_byte[0]) == 0

    def original(self, *args, **kwargs):
        """Run the function's own code: for optimized code that finds in the middle of a call that it cannot go on.

        Raises ReferenceError if the function is dead.
        """
        function = self.existence.owner
        if function is None:
            raise ReferenceError(f"the function {self.function_name} is dead; keep a reference to it while its entry is used")
        return entry_call_original(function, args, kwargs)

    def remove(self):
        """Let the interpreter run the function again. Returns True the first time, then False. Calls that are running the
        optimized code finish in it.

        The handle stays as it is. On CPython 3.13+ calls of the function are never as fast again as before install().
        """
        first = self.in_map
        self.take_out()
        drop_discarded()
        return first

    cdef int take_out(self) noexcept:
        """Remove the entry in one step that runs no destructor of the program: its references are left to drop_discarded()."""
        if not self.in_map:
            return 0
        self.in_map = False
        entry_remove(&self.entry)
        forget_entry(self.of_code, self)
        forget_entry(self.of_function, self)
        self.of_function.give_up()
        discard(self)
        Py_DECREF(self)  # the reference of the map
        return 0

    cdef int let_go(self) noexcept:
        self.optimized = None
        return 0


cdef int forget_entry(Handle handle, Entry entry) noexcept:
    if handle.entries is not None:
        handle.entries.pop(entry, None)
    return 0


def install_entry(function, optimized, Handle handle not None, Handle guard not None, FacetReference existence not None):
    """Install an Entry in one step, and return it. It is removed when either handle is retired or released. guard: the handle
    that relies on the function's code and defaults; the entry takes it over.

    If that cannot be done, nothing is done, and the result says why: "released" or "retired" (one of the handles), "ours" (the
    function has an entry), "other's" (another extension has replaced the function's vectorcall), "ending" (the interpreter
    ends).
    """
    cdef Entry entry = <Entry>Entry.__new__(Entry)
    cdef dict of_code, of_function
    state = entry_state(function)
    if service.shutting_down:
        return "ending"
    if handle.was_released or guard.was_released:
        return "released"
    number, other = handle.live(), guard.live()
    entry.entry.handle_byte, entry.entry.guard_byte = handle_byte(number), handle_byte(other)
    if entry.entry.handle_byte[0] == BYTE_RETIRED or entry.entry.guard_byte[0] == BYTE_RETIRED:
        return "retired"
    if state != "free":
        return state
    entry.function_name = exact(<object>(<PyFunctionObject*>function).func_qualname)
    entry.optimized, entry.existence, entry.of_code, entry.of_function = optimized, existence, handle, guard
    of_code, of_function = entries_with(handle, entry), entries_with(guard, entry)
    entry.entry.function, entry.entry.optimized, entry.entry.owner = <PyObject*>function, <PyObject*>optimized, <PyObject*>entry
    if not entry_install(&entry.entry):
        entry.entry.function = NULL
        raise MemoryError()
    handle.entries, guard.entries = of_code, of_function
    entry.in_map = True
    Py_INCREF(entry)  # the reference of the map
    return entry


def entry_not_installed(function, Handle handle not None, FacetReference existence not None):
    """An Entry that is not installed, for a process in which depwatch is switched off: the function runs its own code."""
    cdef Entry entry = <Entry>Entry.__new__(Entry)
    entry.function_name = exact(<object>(<PyFunctionObject*>function).func_qualname)
    entry.existence, entry.of_code, entry.of_function = existence, handle, handle
    return entry


cdef dict entries_with(Handle handle, Entry entry):
    """A copy of the handle's entries, with one added."""
    cdef dict entries = {} if handle.entries is None else handle.entries.copy()
    entries[entry] = None
    return entries


def learn_entry(new_function):
    """Learn the interpreter's own vectorcall pointer from this new, untouched function."""
    entry_learn(<PyObject*>new_function)


def entry_state(function):
    """Whose code a call of the function reaches first: "free" (the interpreter's), "ours", or "other's" (another
    extension's)."""
    if entry_of(<PyObject*>function) != NULL:
        return "ours"
    return "free" if entry_is_free(<PyObject*>function) else "other's"


def remove_retired_entry(function):
    """Remove the function's entry if it can never be active again, without waiting for the next drain."""
    cdef CEntry* entry = entry_of(<PyObject*>function)
    if entry != NULL and (entry.handle_byte[0] == BYTE_RETIRED or entry.guard_byte[0] == BYTE_RETIRED):
        (<Entry>entry.owner).take_out()
        drop_discarded()


def entry_bypass(function):
    """How a call that CPython has specialized can run the function's own code without its entry: "init", "getter", or None if
    no call can.

    Cost: a look at each class of the process.
    """
    bypass = bypass_of(function)
    return None if bypass == BYPASS_NONE else "init" if bypass == BYPASS_INIT else "getter"


cdef int end_entries() noexcept:
    """The interpreter ends: remove all entries, because they must not keep objects of the program alive."""
    cdef CEntry* entry
    cdef uint32_t i = 0
    while i <= entries_by_function.mask:
        if entries_by_function.slots[i].address == NULL:
            i += 1
        else:
            entry = <CEntry*>entries_by_function.slots[i].item
            (<Entry>entry.owner).take_out()  # this slot may have another entry now, so it is looked at again
    drop_discarded()
    return 0
