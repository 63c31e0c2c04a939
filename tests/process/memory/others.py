"""Sites at which no test lets an allocation fail, with the reason, and crashes of others.

A pattern is of a whole site: see sites.Site.
"""

import re

REASONS = {
    r".*: PyErr_(SetString|Format|SetObject|WarnEx|WarnFormat) #\d+": (
        "makes another exception than MemoryError: one that is tested elsewhere, or Cython's of an index or a type, "
        "which our code never gets to"
    ),
    r"(__Pyx_|__pyx__|__pyx_Common|__pyx_pymod_)\w*: \w+ #\d+": "Cython's own helper: a way that our code never takes",
    r".*: PyObject_Format #\d+": "for a value in an f-string that is no exact str and no exact int: ours are",
    r"run_callable: PyObject_Vectorcall #0": "calls what the program gave",
    r"facet_list_set: malloc #0": "for one handle that relies on more than 100,000 facets",
    r"graph_(reserve|remove|union): \w+ #0": "a whole graph at once, for benchmarks and tests; depwatch makes none",
    r"resize: PyMem_Realloc #0": "room for handles that other threads commit while invalidate() lets them run",
    r"map_twice: memfd_create #1": "on a kernel before Linux 6.3",
    r"\w*(cell_of_nothing|look_once|entry_not_installed)\w*: .*": "only with DEPWATCH=0, where nothing is assumed",
}

# Where CPython crashes when an allocation fails.
DEFAULT = "CPython 3.13.0 counts an item that it had no memory to insert by setdefault, and crashes when the dict grows"
CRASHES = {
    "__Pyx_PyDict_SetDefault: PyDict_SetDefaultRef #0": DEFAULT,  # in the import of the first module that Cython made
    "__Pyx_PyCode_New: PyDict_SetDefault #0": DEFAULT,
    "leaves_table: PyObject_SetAttrString #0": (
        "assigning to __bases__, CPython 3.15 goes on with a MemoryError set: an assertion of the debug build ends it"
    ),
}


def reason(site):
    """Why nothing fails there, or None."""
    return next((why for pattern, why in REASONS.items() if re.fullmatch(pattern, str(site))), None)
