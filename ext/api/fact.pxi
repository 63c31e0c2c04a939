"""Part of _core: facts: values of which CPython reports nothing, kept in a dict of which it reports everything."""


@cython.final
@cython.auto_pickle(False)
cdef class Fact(Ours):
    """An assumption about something that only its owner can tell of: what an array contains, a file, a registry, a closure cell.

        limit = depwatch.Fact(10, "limit")
        recorder.read(limit)                # 10, and the assumption that it stays
        limit.set(20)                       # invalidates, at once; limit.set(10) lets it hold again

    value: anything; values are compared as by Recorder. name: for messages. Cost of set(): that of a store into a watched dict.
    """

    cdef object __weakref__
    cdef dict state

    def __cinit__(self, value, name="fact"):
        if type(name) is not str:
            raise TypeError(f"the name of a Fact must be a str, not {words_of_value(name)}")
        self.state = {FACT_KEY: name, "value": value}

    def __init__(self, value, name="fact"):
        pass

    @property
    def name(self):
        """The name, for messages."""
        return self.state[FACT_KEY]

    @property
    def value(self):
        """The value now. Reading it records nothing: Recorder.read(fact) does."""
        return self.state["value"]

    def set(self, value):
        """Let it have this value from now on."""
        self.state["value"] = value

    def __repr__(self):
        return f"<Fact {self.name!r}, {words_of_value(self.value)}>"


cdef str FACT_KEY = "__fact__"  # the key by which words.c knows such a dict


def dict_of_fact(Fact fact not None):
    """The dict that holds the fact's value, under "value"."""
    return fact.state
