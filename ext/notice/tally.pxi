"""Part of _core: counts of what happened to handles, by the name of their recorder and in all, for stats(). Drains count, and
calls that make or retire handles; CPython's callbacks do not."""

cdef enum:
    MOST_NAMES = 1000  # that are counted apart, or a program that makes up names would fill the memory

cdef str OTHER_NAMES = "(other names)"
cdef dict CAUSES_BY_NAME = {name: cause for name, cause in CAUSES.items()}
CAUSES_BY_NAME["called"] = CAUSE_SATURATED + 1  # retire(), invalidate() and the like


@cython.final
@cython.auto_pickle(False)
cdef class Tally(Ours):
    cdef uint64_t committed, recompiled, invalidated, resumed
    cdef uint64_t refused[3]                    # Unwatchable, Unstable, Stale
    cdef uint64_t retired[CAUSE_SATURATED + 2]  # by cause; the last is "called"
    cdef uint64_t lapsed  # handles that broke or retired, and for which none was committed since

    cdef dict told(self):
        """As a dict for the program."""
        counts = {
            "handles_committed": self.committed, "handles_recompiled": self.recompiled,
            "handles_invalidated": self.invalidated, "handles_resumed": self.resumed,
        }
        for name, cause in CAUSES_BY_NAME.items():
            counts[f"handles_retired_{name}"] = self.retired[<int>cause]
        for name, i in REFUSALS.items():
            counts[f"refused_{name}"] = self.refused[<int>i]
        return counts


cdef dict REFUSALS = {"unwatchable": 0, "unstable": 1, "stale": 2}
cdef dict tallies = {}  # name -> Tally
cdef Tally in_all = <Tally>Tally.__new__(Tally)
cdef uint64_t drains = 0, drain_ns = 0


cdef Tally tally_of(str name):
    """What is counted under that name."""
    cdef object found = tallies.get(name)
    if found is None:
        if len(tallies) >= MOST_NAMES:
            name = OTHER_NAMES
            found = tallies.get(name)
        if found is None:
            found = tallies[name] = Tally.__new__(Tally)
    return <Tally>found


cdef bint count_commits(Tally tally, uint64_t n) noexcept:
    """n handles were committed. Returns whether one stands for another that had broken or retired."""
    cdef uint64_t again = min(n, tally.lapsed)
    tally.committed += n
    tally.recompiled += again
    tally.lapsed -= again
    in_all.committed += n
    in_all.recompiled += again
    return again != 0


cdef int count_state(Tally tally, uint32_t handle, HandleState state, int cause) noexcept:
    """A handle has come to be in that state. tally: None if C code holds it, which is counted in all only."""
    cdef bint first = handle_at(handle).told == HANDLE_VALID
    count_one_state(in_all, first, state, cause)
    if tally is not None:
        count_one_state(tally, first, state, cause)
    return 0


cdef int count_one_state(Tally tally, bint first, HandleState state, int cause) noexcept:
    if state == HANDLE_VALID:
        tally.resumed += 1
        tally.lapsed -= tally.lapsed != 0
        return 0
    if state == HANDLE_INVALID:
        tally.invalidated += 1
    else:
        tally.retired[cause] += 1
    tally.lapsed += first
    return 0


cdef int count_retired_by_call(Tally tally, uint32_t handle) noexcept:
    """A call is about to retire the handle."""
    return count_state(tally, handle, HANDLE_RETIRED, CAUSE_SATURATED + 1)


def count_refusal(str name, str kind):
    """The recorder of that name was refused something. kind: "unwatchable", "unstable" or "stale"."""
    (<Tally>tally_of(name)).refused[<int>REFUSALS[kind]] += 1
    in_all.refused[<int>REFUSALS[kind]] += 1


def counters_by_name():
    """{name of a recorder: its counters}"""
    return {name: (<Tally>tally).told() for name, tally in tallies.items()}
