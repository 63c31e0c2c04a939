"""Part of _core: the names under which counts.h counts what happened to handles, for stats()."""

cdef str OTHER_NAMES = "(other names)"
cdef dict CAUSES_BY_NAME = {name: cause for name, cause in CAUSES.items()}
CAUSES_BY_NAME["called"] = CALLED
cdef dict REFUSALS = {"unwatchable": 0, "unstable": 1, "stale": 2}
cdef dict tallies = {}  # name -> its number in counts.h
cdef uint64_t drains = 0, drain_ns = 0


cdef dict counted(uint16_t tally):
    """The counts of a name, as a dict for the program."""
    cdef Counts* of = &counts[tally]
    told = {
        "handles_committed": of.committed, "handles_recompiled": of.recompiled,
        "handles_invalidated": of.invalidated, "handles_resumed": of.resumed,
    }
    for name, cause in CAUSES_BY_NAME.items():
        told[f"handles_retired_{name}"] = of.retired[<int>cause]
    for name, i in REFUSALS.items():
        told[f"refused_{name}"] = of.refused[<int>i]
    return told


cdef uint16_t tally_of(str name) except 0:
    """The number of that name."""
    found = tallies.get(name)
    if found is None and len(tallies) >= MOST_NAMES:
        name = OTHER_NAMES
        found = tallies.get(name)
    if found is None:
        found = tallies[name] = len(tallies) + 1
    return found


cdef bint count_commits(uint16_t tally, uint64_t n) noexcept:
    """n handles were committed. Returns whether one stands for another that had broken or retired."""
    cdef uint64_t again = min(n, counts[tally].lapsed)
    counts[tally].committed += n
    counts[tally].recompiled += again
    counts[tally].lapsed -= again
    counts[0].committed += n
    counts[0].recompiled += again
    return again != 0


def count_refusal(str name, str kind):
    """The recorder of that name was refused something. kind: "unwatchable", "unstable" or "stale"."""
    cdef uint16_t tally = tally_of(name)
    cdef int i = REFUSALS[kind]
    counts[tally].refused[i] += 1
    counts[0].refused[i] += 1


def counters_by_name():
    """{name of a recorder: its counters}"""
    return {name: counted(<uint16_t>tally) for name, tally in tallies.items()}
