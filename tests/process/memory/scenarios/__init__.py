"""Public operations, and all kinds of drains, each in a situation of its own: see trials.py."""

ALL = []


def scenario(generator):
    ALL.append(generator)
    return generator


from scenarios import (  # noqa: E402, F401
    asking,
    committing,
    draining,
    ending,
    entering,
    hearing,
    native,
    patching,
    reading,
    telling,
)
