"""Classes that several tests change."""

import gc


def use_up(cls, times):
    """Modify the class, with a look-up after each time so that it gets a new version tag."""
    for i in range(times):
        cls.counter = i
        cls.counter
    del cls.counter


def dict_of(cls):
    """The dict of a class itself, for writes behind its back."""
    return gc.get_referents(vars(cls))[0]


def family():
    """Root <- Base <- Middle <- Leaf; Root and Other, which can take the place of Base, have x."""

    class Root:
        x = "root"

    class Base(Root):
        pass

    class Middle(Base):
        pass

    class Leaf(Middle):
        pass

    class Other:
        x = "other"

    return Root, Base, Middle, Leaf, Other
