"""Small programs, and what is found in each of them."""

import sys

import depwatch


def name_of(owner):
    if type(owner) is dict:
        return "sys.modules" if owner is sys.modules else "dict"
    return owner.__name__


def told(reads):
    """The reads in words. Left out are the code of each function, default values that are None, and the __path__ of
    modules: where there are lazy imports, a package may get an attribute without an event."""
    return [
        f"{read.kind} {name_of(read.owner)}.{read.name}{' MISSING' if read.value is depwatch.MISSING else ''}"
        for read in reads
        if read.name != "__path__" and (read.kind != "function" or (read.name != "code" and read.value is not None))
    ]


def codes(reads):
    """The functions whose code counts."""
    return [read.owner.__name__ for read in reads if (read.kind, read.name) == ("function", "code")]


def program(text):
    """The names of a program that was run."""
    names = {"__name__": "program"}
    exec(text, names)
    return names


def found_in(text, **options):
    """What is found in its `f`."""
    return depwatch.discover(program(text)["f"], **options)
