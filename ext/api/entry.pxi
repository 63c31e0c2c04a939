"""Part of _core: optimized code in the place of a function's own. See entry.h, and depwatch/entry.py."""


@cython.final
@cython.auto_pickle(False)
cdef class Entry(Discardable):
    """Optimized code that is installed for a function. Made by install(); lasts without anybody keeping this object."""

    cdef CEntry entry
    cdef readonly str function_name
    cdef readonly object optimized      # what calls run; None once it is removed
    cdef FacetReference existence       # of the function: its death is told as long as this lives
    cdef Handle of_code                 # whose byte says whether the optimized code may run
    cdef Handle of_function             # that relies on the function's code, defaults and kwdefaults; the entry's own
    cdef bint in_map

    def __repr__(self):
        state = "active" if self.active else "inactive" if self.installed else "removed"
        return f"<Entry of {self.function_name}, {state}>"

    @property
    def handle(self):
        """Of the optimized code."""
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
        """Whether calls of the function still look at the handle."""
        return self.entry.function != NULL

    @property
    def active(self):
        """Whether the next call runs the optimized code: the handle is valid and the function as it was."""
        return self.entry.function != NULL and (self.entry.handle_byte[0] | self.entry.guard_byte[0]) == 0

    def original(self, *args, **kwargs):
        """Run the function's own code: the slow path for optimized code that gives up in the middle of a call.

        Raises ReferenceError if the function is dead.
        """
        function = self.existence.owner
        if function is None:
            raise ReferenceError(f"the function {self.function_name} is dead")
        return entry_call_original(function, args, kwargs)

    def remove(self):
        """Let the interpreter run the function again; True the first time. Calls that run the optimized code end in it.

        The handle stays as it is. On CPython 3.13+ calls of the function are never as fast again as before install().
        """
        first = self.in_map
        self.take_out()
        drop_discarded()
        return first

    cdef int take_out(self) noexcept:
        """In one step, without a destructor of the program: what it keeps is left to drop_discarded()."""
        if not self.in_map:
            return 0
        self.in_map = False
        entry_remove(&self.entry)
        forget_entry(self.of_code, self)
        forget_entry(self.of_function, self)
        self.of_function.give_up()
        discard(self)
        Py_DECREF(self)  # of the map
        return 0

    cdef int let_go(self) noexcept:
        self.optimized = None
        return 0


cdef int forget_entry(Handle handle, Entry entry) noexcept:
    if handle.entries is not None:
        handle.entries.pop(entry, None)
    return 0


def install_entry(function, optimized, Handle handle not None, Handle guard not None, FacetReference existence not None):
    """The Entry, installed in one step; both handles remove it when they go. guard: of the function, and the entry's own.

    Or nothing is done, and why: "released", "retired" (one of the handles), "ours", "other's" (there is an entry), "ending" (the
    interpreter is).
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
    Py_INCREF(entry)  # of the map
    return entry


def entry_not_installed(function, Handle handle not None, FacetReference existence not None):
    """The Entry of a function that goes on running its own code, as depwatch is switched off."""
    cdef Entry entry = <Entry>Entry.__new__(Entry)
    entry.function_name = exact(<object>(<PyFunctionObject*>function).func_qualname)
    entry.existence, entry.of_code, entry.of_function = existence, handle, handle
    return entry


cdef dict entries_with(Handle handle, Entry entry):
    """A copy of its entries with one more."""
    cdef dict entries = {} if handle.entries is None else handle.entries.copy()
    entries[entry] = None
    return entries


def learn_entry(new_function):
    """Take the entry of this function, which nobody has touched, for the interpreter's."""
    entry_learn(<PyObject*>new_function)


def entry_state(function):
    """"free", "ours" or "other's": who is called first when the function is."""
    if entry_of(<PyObject*>function) != NULL:
        return "ours"
    return "free" if entry_is_free(<PyObject*>function) else "other's"


def remove_retired_entry(function):
    """Remove the entry of this function if it can never be active again, as the next drain would."""
    cdef CEntry* entry = entry_of(<PyObject*>function)
    if entry != NULL and (entry.handle_byte[0] == BYTE_RETIRED or entry.guard_byte[0] == BYTE_RETIRED):
        (<Entry>entry.owner).take_out()
        drop_discarded()


def entry_bypass(function):
    """What leads CPython past any entry of the function now, once it is hot: "init", "getter", or None.

    Cost: a look at each class of the process.
    """
    bypass = bypass_of(function)
    return None if bypass == BYPASS_NONE else "init" if bypass == BYPASS_INIT else "getter"


cdef int end_entries() noexcept:
    """The interpreter ends: what is installed must not keep anything of the program alive."""
    cdef CEntry* entry
    cdef uint32_t i = 0
    while i <= entries_by_function.mask:
        if entries_by_function.slots[i].address == NULL:
            i += 1
        else:
            entry = <CEntry*>entries_by_function.slots[i].item
            (<Entry>entry.owner).take_out()  # another one may be in its slot now
    drop_discarded()
    return 0
