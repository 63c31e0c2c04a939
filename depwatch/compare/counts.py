"""What a replay counts of a policy, in the order of its JSON and of every table: titles, and what they mean."""

from typing import Final, NamedTuple


class Counted(NamedTuple):
    title: str  # of a column
    explained: str


COUNTS: Final = {
    "dropped": Counted(
        "dropped", "Optimized code (a handle) that a change invalidated. One function can be dropped many times."
    ),
    "needlessly": Counted("needlessly", "Of these, the ones for which the change left all values that they relied on."),
    "undone": Counted(
        "undone",
        "Of the dropped, the ones whose values all were there (again) when the function would be compiled again, or, "
        "where it never is, in the end.",
    ),
    "resumed": Counted("resumed", "Valid again without being compiled anew, as the change was undone."),
    "recompiled": Counted("recompiled", "Compiled anew after it was dropped."),
    "patches": Counted("patches", "Places rewritten."),
    "deopts": Counted(
        "deopts", "Places that leave for the slow path from then on, as the code was specialised for the value."
    ),
    "deopt_calls": Counted("calls that deopt", "Calls of code with such a place."),
    "revalidations": Counted("revalidations", "Recorded values compared at a call."),
    "guards": Counted(
        "guards run", "Tests executed in code that can be patched: one for each such place at each call."
    ),
    "false_drops": Counted("false drops", "Dropped as a filter took one object for another."),
    "cold_calls": Counted(
        "cold calls",
        "Calls that ran unoptimized, because the code was dropped or not compiled yet. “Calls run cold” is their share "
        "of all calls.",
    ),
}
