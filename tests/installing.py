"""What the tests of install() share: a function, and code that takes its place."""


def make():
    def function(a, b=1, *, c=2):
        return ("own", a, b, c)

    return function


def optimized(*args, **kwargs):
    return ("optimized", args, kwargs)


OWN, OPTIMIZED = ("own", 1, 1, 2), ("optimized", (1,), {})
