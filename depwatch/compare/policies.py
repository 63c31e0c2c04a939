"""The policies that are compared, in the order of every table: their names, what they do, and the usual numbers."""

from typing import Final, NamedTuple

HOT_AFTER: Final = 50  # calls that make a function hot
GIVE_UP_AFTER: Final = 6  # changes after which a policy with a cap gives up


class About(NamedTuple):
    """What is said of a policy. {}: the limit, after which something is given up."""

    name: str
    explained: str
    proposal: str = ""  # of gh-91053: A or B

    def name_after(self, limit: int | None) -> str:
        """Its name with this limit; "" without the limit that it needs."""
        return "" if limit is None and "{}" in self.name else self.name.format(limit)

    def title_after(self, limit: int | None) -> str:
        """The same, with the letter of the proposal: as it is called in tables and legends."""
        name = self.name_after(limit)
        return f"{name} ({self.proposal})" if name and self.proposal else name


POLICIES: Final = {
    "bulk_by_object": About(
        "bulk by object",
        "Any change of an object drops all code that depends on part of it (proposal B of gh-91053).",
        "B",
    ),
    "bulk_by_object_capped": About(
        "bulk by object, dicts capped at\u00a0{}",
        "Bulk by object; but a dict that has changed too often is given up, and nothing depends on it any more.",
    ),
    "cpython": About(
        "CPython’s whole rule",
        "Bulk by object as CPython's JIT does it: dicts and, sooner, builtins are given up, and bloom filters drop "
        "some code by mistake.",
    ),
    "revalidation": About(
        "revalidation at the next call",
        "A change only marks the code; at its next call the values it recorded are compared with those of now.",
    ),
    "bulk_by_facet": About(
        "bulk by facet",
        "Code is dropped by a change of what it used: a name in a dict, an attribute, a function's code.",
    ),
    "jettison": About(
        "jettison (JavaScriptCore)",
        "Bulk by facet, safe for frames on the stack: where the dropped code makes a call, an exit is written over it.",
    ),
    "bulk_by_facet_capped": About(
        "bulk by facet, capped at\u00a0{}",
        "Bulk by facet; but a facet that has broken too often is given up.",
    ),
    "healing": About(
        "healing (depwatch)",
        "Bulk by facet with such a cap; and code may run again, as it is, when what it relied on is restored.",
    ),
    "granular": About(
        "granular",
        "A change rewrites the places in the code that used the value (proposal A of gh-91053).",
        "A",
    ),
    "granular_capped": About(
        "granular, capped at\u00a0{}",
        "Granular; but a facet that has broken too often is given up.",
    ),
}
